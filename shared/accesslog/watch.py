"""The integrity watch: each log's rows are held against each other and against what was published.

What it finds opens an incident, once for each thing that is wrong.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from shared.accesslog.checkpoints import TABLE, Checkpoints
from shared.accesslog.damage import LogDamagedError
from shared.accesslog.entries import same
from shared.accesslog.findings import Audit, Finding
from shared.accesslog.store import LogStore
from shared.errors import RowConflictError
from shared.ids import key
from shared.merkle import leaf_of
from shared.messages import Outbox, encode, queues
from shared.messages.contracts import IncidentOpened
from shared.ports import Clock, Insert, Row, Tables, Upsert
from shared.rows import Stored, from_values, to_values

_WATCHED: Final = "watched"
# So many findings are told apart from those before; more tell nothing more of what happened.
_MOST_TOLD: Final = 50
_NAMED: Final = 3


class Watched(Stored, frozen=True):
    """Up to where a log was found intact, its root there in base64, and when."""

    size: int
    root: str
    at: datetime


class IntegrityWatch:
    """Watches over the logs of all tenants."""

    def __init__(
        self, tables: Tables, checkpoints: Checkpoints, outbox: Outbox, clock: Clock
    ) -> None:
        self._tables = tables
        self._checkpoints = checkpoints
        self._outbox = outbox
        self._clock = clock

    async def look(self, tenant: str, *, whole: bool = False) -> Sequence[Finding]:
        """Verify what was appended since the log was last found intact, or all of it.

        Returns what is wrong, for all of which there is an incident then.
        """
        row = await self._tables.get(TABLE, key(tenant), _WATCHED)
        watched = None if row is None else from_values(Watched, row.values)
        start = 0 if watched is None or whole else watched.size
        roots = dict(await self._checkpoints.roots(tenant, start))
        if watched is not None:
            roots[watched.size] = base64.b64decode(watched.root)
        audit = await self._audit(tenant, start, roots)
        if audit.findings:
            await self._tell(tenant, audit.findings)
        else:
            root = base64.b64encode(audit.edge.root()).decode()
            intact = Watched(size=audit.edge.size, root=root, at=self._clock())
            await self._tables.commit(
                TABLE, [Upsert(Row(key(tenant), _WATCHED, to_values(intact)))]
            )
        return audit.findings

    async def _audit(self, tenant: str, start: int, roots: Mapping[int, bytes]) -> Audit:
        origin = self._checkpoints.origin(tenant)
        keys = await self._checkpoints.verifiers(tenant)

        def signed_leaf(_tenant: str, index: int, payload: bytes) -> bytes:
            return leaf_of(payload, index, origin, keys)

        store = LogStore(self._tables, same=same, leaf=signed_leaf)
        try:
            if (await store.head(tenant)).size >= start:
                return await store.audit(tenant, start, roots)
        except LogDamagedError:
            # From the beginning on, it needs nothing but the entries to say what is damaged.
            return await store.audit(tenant, 0, roots)
        return await store.audit(tenant, 0, roots)

    async def _tell(self, tenant: str, findings: Sequence[Finding]) -> None:
        """Open one incident for those of `findings` that are new."""
        partition = key(tenant)
        new = [
            (name, finding)
            for finding in findings[:_MOST_TOLD]
            if await self._tables.get(TABLE, partition, name := _row_of(finding)) is None
        ]
        if not new:
            await self._outbox.flush(TABLE, partition)
            return
        now = self._clock()
        named = "; ".join(_sentence(finding) for _, finding in new[:_NAMED])
        more = f"; and {len(findings) - _NAMED} more" if len(findings) > _NAMED else ""
        incident = IncidentOpened(
            kind="log.integrity",
            severity="critical",
            summary=f"The access log was changed past the app: {named}{more}.",
            resource=f"log/entries/{new[0][1].first}",
            tenant=tenant,
        )
        identifier = hashlib.sha256("\n".join([tenant, *(n for n, _ in new)]).encode()).hexdigest()
        message = encode(queues.INCIDENTS, incident, identifier=identifier[:32], now=now)
        rows = [Insert(Row(partition, name, {"kind": one.kind})) for name, one in new]
        try:
            await self._outbox.commit(TABLE, partition, rows, [message])
        except RowConflictError:
            # Another instance was faster.
            await self._outbox.flush(TABLE, partition)


def _row_of(finding: Finding) -> str:
    where = (f"{finding.first:012x}", f"{finding.end:012x}", finding.row)
    return key("finding", finding.kind, *where)


def _sentence(finding: Finding) -> str:
    count = finding.end - finding.first
    entries = (
        f"entry {finding.first}" if count == 1 else f"entries {finding.first} to {finding.end - 1}"
    )
    return f"{finding.kind} at {entries}"
