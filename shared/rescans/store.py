"""The rows of rescans: in the tenant's partition of `assets`, so that a scanned asset and the
progress of the rescan are one transaction.
"""

from collections.abc import Sequence
from typing import Final

from shared.accesslog import new_entry
from shared.catalogue import ASSETS_TABLE, RESCANS_QUEUE
from shared.ids import key, new_id
from shared.messages import Outbox, encode
from shared.messages.contracts import AccessRecorded, RescanBatchReady
from shared.messages.outbox_rows import Outgoing
from shared.ports import Clock, Condition, Insert, Operation, OutgoingMessage, Replace, Row, Tables
from shared.rescans.rules import Rescan, lane_of, rescan_not_found
from shared.rows import from_values, to_values

_TABLE: Final = ASSETS_TABLE.name


class RescanStore:
    """Reads and commits rescans."""

    def __init__(self, tables: Tables, outbox: Outbox, clock: Clock) -> None:
        self._tables = tables
        self._outbox = outbox
        self._clock = clock

    async def find(self, tenant: str, rescan: str) -> tuple[Rescan, str] | None:
        """Return a rescan and the ETag; None for a missing rescan."""
        row = await self._tables.get(_TABLE, key(tenant), _row(rescan))
        if row is None or row.etag is None:
            return None
        return from_values(Rescan, row.values), row.etag

    async def load(self, tenant: str, rescan: str) -> tuple[Rescan, str]:
        """Return a rescan and the ETag. Raises NotFoundError for a missing rescan."""
        found = await self.find(tenant, rescan)
        if found is None:
            raise rescan_not_found()
        return found

    async def page(
        self, tenant: str, size: int, continuation: str | None
    ) -> tuple[Sequence[Rescan], str | None]:
        """Return a page of a tenant's rescans, oldest first, and the token of the next page."""
        page = await self._tables.page(
            _TABLE, key(tenant), prefix=_row(""), size=size, continuation=continuation
        )
        return [from_values(Rescan, row.values) for row in page.rows], page.continuation

    async def unfinished(self, tenant: str) -> Sequence[tuple[Rescan, str]]:
        """Return a tenant's rescans that are not completed, each with the ETag."""
        unfinished = [Condition("status", "ne", "completed")]
        rows = self._tables.scan(_TABLE, key(tenant), prefix=_row(""), where=unfinished)
        return [(from_values(Rescan, row.values), row.etag or "") async for row in rows]

    async def commit(
        self,
        state: Rescan,
        etag: str | None,
        *,
        operations: Sequence[Operation] = (),
        outgoing: Sequence[Outgoing] = (),
    ) -> None:
        """Keep a rescan with `operations` on the tenant's partition; `etag` is None for a new
        rescan.

        Raises RowConflictError when the rescan or a further row has changed.
        """
        row = Row(key(state.tenant), _row(state.id), to_values(state), etag)
        kept: Operation = Insert(row) if etag is None else Replace(row)
        await self._outbox.commit(_TABLE, row.partition, [*operations, kept], outgoing)

    async def flush(self, tenant: str) -> None:
        """Send what a crash left in the outbox of the tenant's partition."""
        await self._outbox.flush(_TABLE, key(tenant))

    def message(self, state: Rescan) -> OutgoingMessage:
        """Make the message for the rescan's batch under way.

        A second message for a batch does no harm: the first to end leaves no work to the other.
        """
        now = self._clock()
        ready = RescanBatchReady(tenant=state.tenant, rescan_id=state.id, batch=state.batch)
        return encode(
            RESCANS_QUEUE.name,
            ready,
            identifier=f"{state.id}-{state.batch}-{new_id(now)}",
            now=now,
            session=lane_of(state.tenant),
        )

    def entry(self, step: AccessRecorded) -> Outgoing:
        """Make the entry for the tenant's log."""
        now = self._clock()
        return new_entry(step, new_id(now), now)


def _row(rescan: str) -> str:
    return key("rescan", rescan)
