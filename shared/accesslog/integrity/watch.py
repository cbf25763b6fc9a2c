"""The integrity watch: compare each log's rows with each other and with the published statements.

A finding opens an incident, one incident for each defect.
"""

import base64
import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from shared.accesslog.integrity.audit import audit_log
from shared.accesslog.integrity.findings import Audit, Finding, FindingKind
from shared.accesslog.integrity.witness_rows import false_cosignatures, false_witnesses
from shared.accesslog.proofs.checkpoints import Checkpoints
from shared.accesslog.proofs.cosignatures import cosignature_rows
from shared.accesslog.storage import layout
from shared.accesslog.storage.errors import LogDamagedError
from shared.accesslog.storage.event_secret import SECRET, EventSecret, EventSecretError
from shared.accesslog.storage.store import LogStore
from shared.catalogue import LOG_WATCH_TABLE
from shared.errors import RowConflictError, UnavailableError, kind_and_place
from shared.ids import key
from shared.incidents import Incidents, incident_message
from shared.merkle import HASH_SIZE, MAX_SIZE, leaf_of
from shared.messages import Outbox
from shared.messages.contracts import IncidentOpened
from shared.ports import Clock, Insert, Row, Tables, Upsert
from shared.rows import Stored, readable, to_values

TABLE: Final = LOG_WATCH_TABLE.name
_WATCHED: Final = "watched"
# The number of findings compared with earlier findings; more findings say nothing more.
_MAX_COMPARED: Final = 50
_NAMED: Final = 3
# The beginning of the summary for a finding that is no change of the log.
_SUMMARIES: Final[dict[FindingKind, str]] = {
    "watch-failed": "The access log could not be verified",
    "event-key-missing": "The rows of the access log's events could not be compared",
    "publishing-refused": "The access log is not signed any more, and no change was found in it",
}

logger = logging.getLogger("vouchsafe.accesslog")


class Watched(Stored, frozen=True):
    """The size of the last intact log, the root at the size in base64, and the time."""

    size: int
    root: str
    at: datetime

    @property
    def root_hash(self) -> bytes:
        """The root as 32 bytes; no bytes for an unreadable root."""
        try:
            root = base64.b64decode(self.root, validate=True)
        except ValueError:
            return b""
        return root if len(root) == HASH_SIZE else b""


class IntegrityWatch:
    """Watches over the logs of every tenant."""

    def __init__(
        self,
        tables: Tables,
        secret: EventSecret,
        checkpoints: Checkpoints,
        outbox: Outbox,
        incidents: Incidents,
        clock: Clock,
    ) -> None:
        self._tables = tables
        self._secret = secret
        self._checkpoints = checkpoints
        self._outbox = outbox
        self._incidents = incidents
        self._clock = clock

    async def verify(self, tenant: str, *, whole: bool = False) -> Sequence[Finding]:
        """Verify the entries since the log was last found intact, or the whole log.

        Returns the findings, each with an incident. A failure of the watch itself is raised, and
        opens at most one incident a day and log.
        """
        try:
            return await self._verify(tenant, whole=whole)
        except UnavailableError:
            # The next round may succeed, and no incident could be stored at present.
            raise
        except Exception as error:
            logger.error("watch over %s: %s", tenant, kind_and_place(error))  # noqa: TRY400 - see there
            today = f"{self._clock():%Y-%m-%d}"
            await self._open_incident(tenant, [Finding(0, 0, "watch-failed", today)])
            raise

    async def report_unsigned(self, tenant: str, index: int) -> None:
        """Report that nothing is signed, for damage near `index` that `verify` does not find."""
        await self._open_incident(tenant, [Finding(index, index, "publishing-refused", "")])

    async def report_changed_key(self, version: str) -> None:
        """Open an incident for a version of the key with a changed public key in `evidence`."""
        incident = IncidentOpened(
            kind="log.integrity",
            severity="critical",
            summary=f"The public key in evidence of version {version} of the log's key is another.",
            resource=f"keys/{version}",
        )
        await self._incidents.open_once(incident, version)

    async def verify_event_key(self, tenant: str) -> None:
        """Open an incident, once a day, if the vault lacks the HMAC key of the log's events."""
        head = await self._tables.get(layout.TABLE, key(tenant), layout.HEAD)
        try:
            await self._secret.verify(layout.hmac_key_of(head))
        except EventSecretError as error:
            logger.error("the secret %s %s", SECRET, error.reason)  # noqa: TRY400 - the text is the app's own
            incident = IncidentOpened(
                kind="log.event-key-missing",
                severity="critical",
                summary=f"Logs take no entries: the secret {SECRET} {error.reason}.",
                resource=f"secrets/{SECRET}",
            )
            await self._incidents.open_once(incident, f"{self._clock():%Y-%m-%d}")

    async def _verify(self, tenant: str, *, whole: bool) -> Sequence[Finding]:
        row = await self._tables.get(TABLE, key(tenant), _WATCHED)
        watched = _watched_in(row)
        newest = await self._checkpoints.newest(tenant)
        # The row counts only as far as the log leads to the checkpoint in `evidence`. Every round
        # therefore verifies the rows of the newest checkpoint, which is served.
        start = 0
        if watched is not None and newest is not None and not whole:
            start = min(watched.size, newest.size)
        roots = dict(await self._checkpoints.roots(tenant, start, newest))
        if watched is not None:
            roots.setdefault(watched.size, watched.root_hash)
        audit = await self._audit(tenant, start, roots)
        findings = [*audit.findings, *await self._changed_rows(tenant, start)]
        if row is not None and watched is None:
            findings.append(Finding(0, 0, "watch-changed", row.row))
        if findings:
            await self._open_incident(tenant, findings)
        else:
            root = base64.b64encode(audit.edge.root()).decode()
            intact = Watched(size=audit.edge.size, root=root, at=self._clock())
            await self._tables.commit(
                TABLE, [Upsert(Row(key(tenant), _WATCHED, to_values(intact)))]
            )
        return findings

    async def _changed_rows(self, tenant: str, start: int) -> Sequence[Finding]:
        """Find changes to the rows of published checkpoints, of witnesses and of cosignatures."""
        found = await false_witnesses(self._tables, tenant)
        # Read first: a cosignature comes after the checkpoint.
        cosigned = await cosignature_rows(self._tables, tenant, start)
        notes: dict[int, str] = {}
        async for name, published, is_genuine in self._checkpoints.kept(tenant, start):
            size = published.size
            if is_genuine:
                notes[size] = published.note
            else:
                found.append(Finding(size, size, "checkpoint-changed", name))
        return found + await false_cosignatures(self._tables, tenant, cosigned, notes)

    async def _audit(self, tenant: str, start: int, roots: Mapping[int, bytes]) -> Audit:
        origin = self._checkpoints.origin(tenant)
        keys = await self._checkpoints.verifiers(tenant)

        def signed_leaf(_tenant: str, index: int, payload: bytes) -> bytes:
            return leaf_of(payload, index, origin, keys)

        store = LogStore(self._tables, self._secret)

        async def audit(first: int) -> Audit:
            return await audit_log(
                self._tables, self._secret, tenant, first, roots, leaf=signed_leaf
            )

        try:
            if (await store.head(tenant)).size >= start:
                return await audit(start)
        except LogDamagedError:
            # An audit from entry 0 needs only the entries to find the damage.
            return await audit(0)
        return await audit(0)

    async def _open_incident(self, tenant: str, findings: Sequence[Finding]) -> None:
        """Open an incident for the new `findings`."""
        partition = key(tenant)
        new = [
            (name, finding)
            for finding in findings[:_MAX_COMPARED]
            if await self._tables.get(TABLE, partition, name := _row_of(finding)) is None
        ]
        if not new:
            await self._outbox.flush(TABLE, partition)
            return
        now = self._clock()
        named = "; ".join(_sentence(finding) for _, finding in new[:_NAMED])
        more = f"; and {len(findings) - _NAMED} more" if len(findings) > _NAMED else ""
        what = _SUMMARIES.get(new[0][1].kind, "The access log was changed past the app")
        incident = IncidentOpened(
            kind="log.integrity",
            severity="critical",
            summary=f"{what}: {named}{more}.",
            resource=f"log/entries/{new[0][1].first}",
            tenant=tenant,
        )
        message = incident_message(incident, "\n".join(name for name, _ in new), now)
        rows = [Insert(Row(partition, name, {"kind": one.kind})) for name, one in new]
        try:
            await self._outbox.commit(TABLE, partition, rows, [message])
        except RowConflictError:
            # Another instance was faster.
            await self._outbox.flush(TABLE, partition)


def _watched_in(row: Row | None) -> Watched | None:
    """Read the row; None for an unreadable row, and then the whole log is verified again."""
    watched = None if row is None else readable(Watched, row.values)
    if watched and 0 <= watched.size <= MAX_SIZE and watched.root_hash:
        return watched
    return None


def _row_of(finding: Finding) -> str:
    # A key is at most 1 KiB, and the finding's key may be as long.
    seen_in = hashlib.sha256(finding.row.encode()).hexdigest()
    row = finding.row if len(finding.row) < len(seen_in) else seen_in
    where = (f"{finding.first:012x}", f"{finding.end:012x}", row)
    return key("finding", finding.kind, *where)


def _sentence(finding: Finding) -> str:
    count = finding.end - finding.first
    entries = (
        f"entry {finding.first}" if count <= 1 else f"entries {finding.first} to {finding.end - 1}"
    )
    return f"{finding.kind} at {entries}"
