"""The rows of breaches: the register, the scope of each breach, and the notices of each tenant."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from shared.breaches.rules import Breach, breach_not_found
from shared.breaches.scoping.rules import TenantFinding
from shared.catalogue import BREACHES_TABLE
from shared.ids import key
from shared.messages.outbox import Outbox
from shared.messages.outbox_rows import Outgoing
from shared.ports import Condition, Delete, Insert, Operation, Replace, Row, Tables, Upsert
from shared.rows import Stored, from_values, to_values

TABLE: Final = BREACHES_TABLE.name
# No id of a tenant begins so.
_REGISTER: Final = "_register"
_RUN: Final = "run"


class ScopeRun(Stored, frozen=True):
    """The progress of a run over the tenants: `is_spread` once every tenant has its finding."""

    run: int
    is_spread: bool = False


class BreachStore:
    """Reads and commits the rows of breaches."""

    def __init__(self, tables: Tables, outbox: Outbox) -> None:
        self._tables = tables
        self._outbox = outbox

    async def find(self, breach: str) -> tuple[Breach, str] | None:
        """Return a record and the ETag; None for a missing record."""
        row = await self._tables.get(TABLE, _REGISTER, _breach(breach))
        if row is None or row.etag is None:
            return None
        return from_values(Breach, row.values), row.etag

    async def load(self, breach: str) -> tuple[Breach, str]:
        """Return a record and the ETag. Raises NotFoundError for a missing record."""
        found = await self.find(breach)
        if found is None:
            raise breach_not_found()
        return found

    async def page(
        self, size: int, continuation: str | None
    ) -> tuple[Sequence[Breach], str | None]:
        """Return a page of the register, by id, and the token of the next page."""
        page = await self._tables.page(
            TABLE, _REGISTER, prefix=_breach(""), size=size, continuation=continuation
        )
        return [from_values(Breach, row.values) for row in page.rows], page.continuation

    async def every(self) -> AsyncIterator[Breach]:
        """Every record of the register."""
        async for row in self._tables.scan(TABLE, _REGISTER, prefix=_breach("")):
            yield from_values(Breach, row.values)

    async def commit(
        self, breach: Breach, etag: str | None, outgoing: Sequence[Outgoing] = ()
    ) -> None:
        """Keep a record; `etag` is None for a new record. Raises RowConflictError."""
        row = Row(_REGISTER, _breach(breach.id), to_values(breach), etag)
        kept: Operation = Insert(row) if etag is None else Replace(row)
        await self._outbox.commit(TABLE, _REGISTER, [kept], outgoing)

    async def run(self, breach: str) -> ScopeRun | None:
        """Return the progress of the latest run over the tenants."""
        row = await self._tables.get(TABLE, _scope(breach), _RUN)
        return None if row is None else from_values(ScopeRun, row.values)

    async def finding(self, breach: str, tenant: str) -> tuple[TenantFinding, str] | None:
        """Return the finding for a tenant, and the ETag; None for a tenant without a finding."""
        row = await self._tables.get(TABLE, _scope(breach), _finding(tenant))
        if row is None or row.etag is None:
            return None
        return from_values(TenantFinding, row.values), row.etag

    async def findings(
        self, breach: str, size: int, continuation: str | None
    ) -> tuple[Sequence[TenantFinding], str | None]:
        """Return a page of the findings, by tenant, and the token of the next page."""
        page = await self._tables.page(
            TABLE, _scope(breach), prefix=_finding(""), size=size, continuation=continuation
        )
        return [from_values(TenantFinding, row.values) for row in page.rows], page.continuation

    async def every_finding(
        self, breach: str, where: Sequence[Condition] = ()
    ) -> AsyncIterator[TenantFinding]:
        """Every finding of a breach that meets the conditions, by tenant."""
        rows = self._tables.scan(TABLE, _scope(breach), prefix=_finding(""), where=where)
        async for row in rows:
            yield from_values(TenantFinding, row.values)

    async def spread(
        self,
        run: ScopeRun,
        breach: str,
        findings: Sequence[tuple[TenantFinding, str | None]],
        outgoing: Sequence[Outgoing],
    ) -> None:
        """Keep new findings, each with the ETag of the earlier run's, and the progress of the run.

        Raises RowConflictError.
        """
        partition = _scope(breach)
        operations = [_finding_change(finding, etag) for finding, etag in findings]
        operations.append(Upsert(Row(partition, _RUN, to_values(run))))
        await self._outbox.commit(TABLE, partition, operations, outgoing)

    async def advance(
        self,
        finding: TenantFinding,
        etag: str,
        operations: Sequence[Operation] = (),
        outgoing: Sequence[Outgoing] = (),
    ) -> str:
        """Keep the progress of a finding. Returns the new ETag. Raises RowConflictError."""
        change = _finding_change(finding, etag)
        await self._outbox.commit(TABLE, _scope(finding.breach), [change, *operations], outgoing)
        found = await self.finding(finding.breach, finding.tenant)
        return "" if found is None else found[1]

    async def record(self, breach: str, entries: Sequence[Outgoing]) -> None:
        """Commit entries for the logs of tenants, at most 100."""
        await self._outbox.commit(TABLE, _scope(breach), [], entries)

    async def flush(self, breach: str) -> None:
        """Send what a crash left in the outbox of a breach's scope."""
        await self._outbox.flush(TABLE, _scope(breach))

    async def touch(self, finding: TenantFinding, assets: Sequence[str]) -> None:
        """Keep the ids of touched assets; an id that is kept already stays."""
        partition = _scope(finding.breach)
        for start in range(0, len(assets), 100):
            rows = [
                Upsert(Row(partition, asset_row(finding, asset), {"asset": asset}))
                for asset in assets[start : start + 100]
            ]
            await self._tables.commit(TABLE, rows)

    async def touched(self, finding: TenantFinding, after: str, most: int) -> Sequence[str]:
        """Return the ids of touched assets after an id, in order."""
        first, last = asset_row(finding, after) + ("!" if after else ""), asset_row(finding, "~")
        page = await self._tables.page(
            TABLE, _scope(finding.breach), size=most, between=(first, last)
        )
        return [str(row.values["asset"]) for row in page.rows]

    async def assets(
        self, finding: TenantFinding, size: int, continuation: str | None
    ) -> tuple[Sequence[str], str | None]:
        """Return a page of the ids of touched assets, and the token of the next page."""
        page = await self._tables.page(
            TABLE,
            _scope(finding.breach),
            prefix=asset_row(finding, ""),
            size=size,
            continuation=continuation,
        )
        return [str(row.values["asset"]) for row in page.rows], page.continuation

    async def sketch(self, finding: TenantFinding) -> tuple[bytes, bytes] | None:
        """Return the key and the hashes of the names of a finding under way."""
        row = await self._tables.get(TABLE, _scope(finding.breach), _sketch(finding))
        if row is None:
            return None
        key_bytes, hashes = row.values["key"], row.values.get("hashes", b"")
        return bytes(key_bytes), bytes(hashes)  # type: ignore[arg-type]


def sketch_kept(finding: TenantFinding, sketch_key: bytes, hashes: bytes) -> Operation:
    """Make the operation that keeps the names of a finding under way, as keyed hashes."""
    values = {"key": sketch_key, "hashes": hashes}
    return Upsert(Row(_scope(finding.breach), _sketch(finding), values))


def sketch_gone(finding: TenantFinding) -> Operation:
    """Make the operation that deletes the keyed hashes and their key."""
    return Delete(_scope(finding.breach), _sketch(finding))


def asset_gone(finding: TenantFinding, asset: str) -> Operation:
    """Make the operation that takes an asset out of a finding."""
    return Delete(_scope(finding.breach), asset_row(finding, asset))


def asset_row(finding: TenantFinding, asset: str) -> str:
    """Return the RowKey of a touched asset."""
    return key("asset", f"{finding.run:06}", finding.tenant, asset)


def noticed(finding: TenantFinding, version: int, first_at: datetime) -> TenantFinding:
    """Return a finding whose tenant has its notice."""
    import msgspec

    return msgspec.structs.replace(finding, notice_version=version, first_noticed_at=first_at)


def _finding_change(finding: TenantFinding, etag: str | None) -> Operation:
    row = Row(_scope(finding.breach), _finding(finding.tenant), to_values(finding), etag)
    return Insert(row) if etag is None else Replace(row)


def _breach(breach: str) -> str:
    return key("breach", breach)


def _scope(breach: str) -> str:
    return key("_scope", breach)


def _finding(tenant: str) -> str:
    return key("finding", tenant)


def _sketch(finding: TenantFinding) -> str:
    return key("sketch", f"{finding.run:06}", finding.tenant)
