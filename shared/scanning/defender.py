"""The engine Microsoft Defender for Storage, which scans uploads where they lie.

Its results come on the queue `scan-results`, before or after intake first looks at an upload, and
are kept in one row for each version of a blob. Intake that finds no result leaves a row that it
waits, and ends; the result, once kept, has the upload taken in again. So none is lost in whichever
order they come: the result is always kept before it is announced.
"""

import hashlib
import logging
from datetime import datetime, timedelta
from typing import IO, Final

from shared.assets.rules import upload_id
from shared.blob_names import INCOMING, split_name
from shared.catalogue import INCIDENTS_QUEUE, INTAKE_QUEUE
from shared.errors import InvalidInputError, RowConflictError
from shared.ids import key
from shared.messages import Outbox, encode
from shared.messages.contracts import BlobUploaded, IncidentOpened
from shared.ports import BlobInfo, Blobs, Clock, Delete, Insert, Replace, Row, Tables
from shared.rows import Stored, from_values, to_values
from shared.scanning.defender_events import ScanResult, read_result
from shared.scanning.scanner import Engine, Findings, Scan, ScanPendingError
from shared.tenancy.rules import is_tenant_id

SCANS: Final = "scans"
# Microsoft keeps the engine and its signatures current, and does not say which they are.
_ENGINE: Final = Engine("defender", None, None, None, self_updating=True)
_PARTITION: Final = key("defender")

logger = logging.getLogger("vouchsafe.defender")


class AwaitedScan(Stored, frozen=True):
    """What is known of the scan of an upload: since when it is waited for, or its result.

    `name` and `etag` are the blob's, which is in `incoming` until it is filed; `reported_on` is the
    last day (YYYY-MM-DD) on which an incident said that the result is missing.
    """

    name: str
    etag: str
    since: datetime
    finished_at: datetime | None = None
    matches: tuple[str, ...] = ()
    refusal: str | None = None
    sha256: str | None = None
    reported_on: str | None = None


class DefenderScanner:
    """Gives intake what Defender has found."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def engine(self) -> Engine:
        """Defender tells neither its version nor its signatures'."""
        return _ENGINE

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:
        """The scan that has been. Raises ScanPendingError where the result is to come."""
        row = await self._tables.get(SCANS, _PARTITION, _row_key(upload))
        if row is None:
            awaited = AwaitedScan(name=blob.name, etag=blob.etag, since=self._clock())
            row = Row(_PARTITION, _row_key(upload), to_values(awaited))
            try:
                await self._tables.commit(SCANS, [Insert(row)])
            except RowConflictError:
                # The result has come meanwhile, and has the upload taken in again.
                logger.info("the scan result of %s came in between", upload)
        kept = from_values(AwaitedScan, row.values)
        if kept.finished_at is None:
            raise ScanPendingError
        return _Scanned(Findings(kept.matches, kept.refusal, kept.sha256))

    async def forget(self, upload: str) -> None:
        """Forget the result."""
        await self._tables.delete(SCANS, _PARTITION, _row_key(upload))


class _Scanned:
    """A scan that is over."""

    engine = _ENGINE

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def feed(self, chunk: bytes) -> None:
        """Pass over the bytes: Defender has read them."""

    def finish(self, file: IO[bytes] | None) -> Findings:  # noqa: ARG002 - as the port has it
        """What Defender found."""
        return self._findings

    def close(self) -> None:
        """Nothing is held."""


class ScanResults:
    """Takes Defender's results in, and reports those that do not come."""

    def __init__(
        self, tables: Tables, blobs: Blobs, outbox: Outbox, clock: Clock, wait: timedelta | None
    ) -> None:
        """`wait` is how long a result may take; None where another engine scans."""
        self._tables = tables
        self._blobs = blobs
        self._outbox = outbox
        self._clock = clock
        self._wait = wait

    async def take(self, body: bytes) -> None:
        """Keep the result that an event tells of, and have its upload taken in.

        One for a version that is no longer in `incoming` changes nothing. Raises a RefusalError
        for an event that is broken, or about what is none of ours.
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
        upload = upload_id(blob)
        while not await self._keep(result, uploaded, upload):
            logger.info("the scan of %s was changed meanwhile; looking again", upload)

    async def report_missing(self) -> None:
        """Open an incident, once a day, for each upload that waits too long for its result."""
        if self._wait is None:
            return
        now = self._clock()
        async for row in self._tables.scan(SCANS, _PARTITION, prefix=_row_key("")):
            awaited = from_values(AwaitedScan, row.values)
            if now - awaited.since <= self._wait:
                continue
            blob = await self._blobs.head(INCOMING, awaited.name)
            try:
                if blob is None or blob.etag != awaited.etag:
                    # Filed, or gone: a crash or a late duplicate of the result has left the row.
                    await self._tables.commit(SCANS, [Delete(row.partition, row.row, row.etag)])
                elif awaited.finished_at is None:
                    await self._report(row, awaited, upload_id(blob), now)
            except RowConflictError:
                logger.info("a result came while it was about to be reported missing")

    async def _version(self, result: ScanResult) -> BlobInfo | None:
        """The blob that the result is about, if that very version is still in `incoming`."""
        container, names = self._blobs.locate(result.uri)
        if container != INCOMING:
            raise InvalidInputError(
                "scan-result-not-ours",
                "The scanned blob is not in `incoming` of this stamp's storage account.",
                "Let the Event Grid subscription pass only subjects in that container.",
            )
        for name in names:
            blob = await self._blobs.head(INCOMING, name)
            if blob is not None and blob.etag.strip('"') == result.etag:
                return blob
        return None

    async def _keep(self, result: ScanResult, uploaded: BlobUploaded, upload: str) -> bool:
        """Keep a result unless a later one is kept. False when the row was changed meanwhile."""
        now = self._clock()
        row = await self._tables.get(SCANS, _PARTITION, _row_key(upload))
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
            reported_on=before.reported_on if before is not None else None,
        )
        if before is not None and before.finished_at is not None:
            if before == awaited:
                # An earlier delivery; its message may still wait to be sent.
                await self._outbox.flush(SCANS, _PARTITION)
                return True
            if before.finished_at > result.finished_at:
                return True
        kept = Row(_PARTITION, _row_key(upload), to_values(awaited), row.etag if row else None)
        said = hashlib.sha256(repr((result.finished_at, findings)).encode()).hexdigest()
        message = encode(
            INTAKE_QUEUE.name, uploaded, identifier=f"{upload}-scanned-{said[:16]}", now=now
        )
        try:
            await self._outbox.commit(
                SCANS, _PARTITION, [Insert(kept) if row is None else Replace(kept)], [message]
            )
        except RowConflictError:
            return False
        return True

    async def _report(self, row: Row, awaited: AwaitedScan, upload: str, now: datetime) -> None:
        day = now.date().isoformat()
        if awaited.reported_on == day:
            return
        tenant, _ = split_name(awaited.name)
        incident = IncidentOpened(
            kind="scan.result-missing",
            severity="critical",
            summary="Defender has not said what it found in an upload; it waits in `incoming`.",
            resource=f"assets/{upload}",
            tenant=tenant if is_tenant_id(tenant) else None,
        )
        message = encode(
            INCIDENTS_QUEUE.name, incident, identifier=f"scan-missing-{upload}-{day}", now=now
        )
        reported = Row(row.partition, row.row, {**row.values, "reportedOn": day}, row.etag)
        await self._outbox.commit(SCANS, _PARTITION, [Replace(reported)], [message])


def _row_key(upload: str) -> str:
    return key("upload", upload)
