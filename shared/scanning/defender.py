"""The engine Microsoft Defender for Storage, which scans uploads in place.

Defender's results come on the queue `scan-results`, before or after intake first inspects an
upload. The table has one row for each version of a blob. Intake without a result leaves a row for
the wait, and ends. A result is always kept before the upload is announced again: no result is lost
in either order.
"""

import hashlib
import logging
from datetime import datetime, timedelta
from typing import IO, ClassVar, Final

from shared.assets.rules import version_id
from shared.blob_names import split_name
from shared.catalogue import INCOMING_CONTAINER, INTAKE_QUEUE, SCANS_TABLE
from shared.compare_and_set import compare_and_set
from shared.errors import InvalidInputError, RowConflictError
from shared.ids import is_ulid, key
from shared.incidents import Incidents
from shared.messages import Outbox, encode
from shared.messages.contracts import BlobUploaded, IncidentOpened
from shared.ports import BlobInfo, Blobs, Clock, Delete, Insert, Replace, Row, Tables
from shared.rows import Stored, from_values, to_values
from shared.scanning.defender_events import ScanResult, read_result
from shared.scanning.scanner import Engine, Findings, Scan, ScanPendingError
from shared.tenancy.rules import is_tenant_id

_SCANS: Final = SCANS_TABLE.name
_INCOMING: Final = INCOMING_CONTAINER.name
# Microsoft keeps engine and signatures current, and does not name their versions.
_ENGINE: Final = Engine("defender", None, None, None, self_updating=True)
_PARTITION: Final = key("defender")

logger = logging.getLogger("vouchsafe.defender")


class AwaitedScan(Stored, frozen=True):
    """The scan of one upload: the start of the wait, or the result.

    `name` and `etag` are the name and ETag of the blob in `incoming`, until the upload is filed.
    """

    name: str
    etag: str
    since: datetime
    finished_at: datetime | None = None
    matches: tuple[str, ...] = ()
    refusal: str | None = None
    sha256: str | None = None


class DefenderScanner:
    """Give intake the findings of Defender."""

    name: ClassVar = "defender"
    scans_on_demand: ClassVar = False

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def engine(self) -> Engine:
        """Return an engine without versions: Defender tells neither its own nor its signatures'."""
        return _ENGINE

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:
        """Return the finished scan. Raises ScanPendingError where the result is to come."""
        row = await self._tables.get(_SCANS, _PARTITION, _row_key(upload))
        if row is None:
            awaited = AwaitedScan(name=blob.name, etag=blob.etag, since=self._clock())
            row = Row(_PARTITION, _row_key(upload), to_values(awaited))
            try:
                await self._tables.commit(_SCANS, [Insert(row)])
            except RowConflictError:
                # The result came meanwhile, and announces the upload again.
                logger.info("the scan result of %s came in between", upload)
        kept = from_values(AwaitedScan, row.values)
        if kept.finished_at is None:
            raise ScanPendingError
        return _Scanned(Findings(kept.matches, kept.refusal, kept.sha256))

    async def forget(self, upload: str) -> None:
        """Forget the result."""
        await self._tables.delete(_SCANS, _PARTITION, _row_key(upload))


class _Scanned:
    """A finished scan."""

    engine = _ENGINE

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def feed(self, chunk: bytes) -> None:
        """Ignore the bytes: Defender has read the blob."""

    def finish(self, file: IO[bytes] | None) -> Findings:  # noqa: ARG002 - as the port has it
        """Return the findings of Defender."""
        return self._findings

    def close(self) -> None:
        """Do nothing: the scan holds no resource."""


class ScanResults:
    """Keep Defender's results, and report missing results."""

    def __init__(
        self,
        tables: Tables,
        blobs: Blobs,
        outbox: Outbox,
        incidents: Incidents,
        clock: Clock,
        wait: timedelta | None,
    ) -> None:
        """`wait` is the longest time that a result may take; None where another engine scans."""
        self._tables = tables
        self._blobs = blobs
        self._outbox = outbox
        self._incidents = incidents
        self._clock = clock
        self._wait = wait

    async def take(self, body: bytes) -> None:
        """Keep the result of an event, and announce its upload for intake.

        An overdue result clears the incident of the upload. A result for a version that has left
        `incoming` changes nothing. Raises a RefusalError for an event that is broken, or about a
        blob outside this stamp's `incoming`.
        """
        if self._wait is None:
            raise InvalidInputError(
                "scan-result-unexpected",
                "This stamp does not scan with Defender.",
                "Remove the Event Grid subscription, or set SCANNER to defender.",
            )
        result = read_result(body)
        blob = await self._version(result)
        if blob is None:
            logger.info("a scan result of a version that is no longer there was passed over")
            return
        uploaded = BlobUploaded(name=blob.name, etag=blob.etag, last_modified=blob.last_modified)
        upload = version_id(blob)
        since = await compare_and_set(lambda: self._keep(result, uploaded, upload))
        if self._clock() - since > self._wait:
            await self._clear(missing_result(blob.name, upload), "Defender has sent the result.")

    async def report_missing(self) -> None:
        """Open an incident, once a day, for each upload whose scan result is overdue."""
        if self._wait is None:
            return
        now = self._clock()
        async for row in self._tables.scan(_SCANS, _PARTITION, prefix=_row_key("")):
            awaited = from_values(AwaitedScan, row.values)
            if now - awaited.since <= self._wait:
                continue
            blob = await self._blobs.head(_INCOMING, awaited.name)
            if blob is None or blob.etag != awaited.etag:
                # The upload was filed, or is gone: a crash or a late duplicate of the result left
                # the row.
                upload = row.row.removeprefix(_row_key(""))
                await self._clear(missing_result(awaited.name, upload), "The upload waits no more.")
                await self._forget(row)
            elif awaited.finished_at is None:
                incident = missing_result(awaited.name, version_id(blob))
                await self._incidents.open_once(incident, once=now.date().isoformat())

    async def _version(self, result: ScanResult) -> BlobInfo | None:
        """Return the blob of the result, if the same version is still in `incoming`."""
        container, names = self._blobs.locate(result.uri)
        if container != _INCOMING:
            raise InvalidInputError(
                "scan-result-not-ours",
                "The scanned blob is not in `incoming` of this stamp's storage account.",
                "Let the Event Grid subscription pass only subjects in that container.",
            )
        for name in names:
            blob = await self._blobs.head(_INCOMING, name)
            if blob is not None and blob.etag.strip('"') == result.etag:
                return blob
        return None

    async def _keep(self, result: ScanResult, uploaded: BlobUploaded, upload: str) -> datetime:
        """Keep a result unless a later result is kept. Returns the time since when it is awaited.

        Raises RowConflictError.
        """
        now = self._clock()
        row = await self._tables.get(_SCANS, _PARTITION, _row_key(upload))
        before = from_values(AwaitedScan, row.values) if row is not None else None
        findings = result.findings
        awaited = AwaitedScan(
            name=uploaded.name,
            etag=uploaded.etag,
            since=before.since if before is not None else now,
            finished_at=result.finished_at,
            matches=findings.matches,
            refusal=findings.refusal,
            sha256=findings.sha256,
        )
        if before is not None and before.finished_at is not None:
            if before == awaited:
                # The result was delivered before; its message may still wait in the outbox.
                await self._outbox.flush(_SCANS, _PARTITION)
                return awaited.since
            if before.finished_at > result.finished_at:
                return awaited.since
        kept = Row(_PARTITION, _row_key(upload), to_values(awaited), row.etag if row else None)
        said = hashlib.sha256(repr((result.finished_at, findings)).encode()).hexdigest()
        message = encode(
            INTAKE_QUEUE.name, uploaded, identifier=f"{upload}-scanned-{said[:16]}", now=now
        )
        operation = Insert(kept) if row is None else Replace(kept)
        await self._outbox.commit(_SCANS, _PARTITION, [operation], [message])
        return awaited.since

    async def _clear(self, missing: IncidentOpened, reason: str) -> None:
        await self._incidents.clear(missing.kind, missing.resource, reason, missing.tenant)

    async def _forget(self, row: Row) -> None:
        """Delete the row of an awaited scan, unless the row was changed since it was read."""
        try:
            await self._tables.commit(_SCANS, [Delete(row.partition, row.row, row.etag)])
        except RowConflictError:
            logger.info("a result came while the row of its scan was about to be removed")


def missing_result(name: str, version: str) -> IncidentOpened:
    """Make the incident for the blob `name` in `incoming`, whose scan result is overdue.

    `version` is the id of the blob's version.
    """
    tenant, rest = split_name(name)
    return IncidentOpened(
        kind="scan.result-missing",
        severity="critical",
        summary="Defender has not said what it found in an upload; it waits in `incoming`.",
        resource=f"uploads/{rest}" if is_ulid(rest) else f"assets/{version}",
        tenant=tenant if is_tenant_id(tenant) else None,
    )


def _row_key(upload: str) -> str:
    return key("upload", upload)
