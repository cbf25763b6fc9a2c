"""The rows of erasure requests: states, found assets, and batches.

Every row is in the tenant's partition of `erasures`: `request|id`, `item|id|discovery|batch|asset`
and `batch|id|batch`.
"""

from collections.abc import AsyncIterator, Iterable, Sequence

from shared.accesslog import new_entry
from shared.catalogue import ERASURES_TABLE
from shared.erasures.rules import BATCH_SIZE, Erasure, ErasureDecision, erasure_not_found
from shared.ids import key, new_id
from shared.messages import Outbox, OutgoingEntry
from shared.messages.contracts import AccessRecorded
from shared.ports import (
    Clock,
    Insert,
    OutgoingMessage,
    Replace,
    Row,
    Tables,
    Upsert,
)
from shared.rows import from_values, to_values

_TABLE = ERASURES_TABLE.name
# Leaves room for outbox rows in a transaction of 100.
_CHUNK = 45


class ErasureStore:
    """Reads and commits the rows of erasure requests."""

    def __init__(self, tables: Tables, outbox: Outbox, clock: Clock) -> None:
        self._tables = tables
        self._outbox = outbox
        self._clock = clock

    async def load(self, tenant: str, request: str) -> tuple[Erasure, str]:
        """Return a request and the ETag. Raises NotFoundError for a missing request."""
        row = await self._tables.get(_TABLE, key(tenant), key("request", request))
        if row is None or row.etag is None:
            raise erasure_not_found()
        return from_values(Erasure, row.values), row.etag

    async def page(
        self, tenant: str, size: int, continuation: str | None
    ) -> tuple[Sequence[Erasure], str | None]:
        """Return a page of a tenant's requests, oldest first, and the token of the next page."""
        page = await self._tables.page(
            _TABLE, key(tenant), prefix=key("request", ""), size=size, continuation=continuation
        )
        return [from_values(Erasure, row.values) for row in page.rows], page.continuation

    async def commit(
        self, decision: ErasureDecision, etag: str | None, messages: Iterable[OutgoingMessage] = ()
    ) -> None:
        """Keep a decision with the entry and the messages; `etag` is None for a new request.

        Raises RowConflictError when the request has changed since the loading.
        """
        if decision.entry is None:
            await self.flush(decision.state.tenant)
            return
        state = decision.state
        row = Row(key(state.tenant), key("request", state.id), to_values(state), etag)
        await self._outbox.commit(
            _TABLE,
            row.partition,
            [Insert(row) if etag is None else Replace(row)],
            [*messages, self.log(decision.entry)],
        )

    async def flush(self, tenant: str) -> None:
        """Send the rows of the tenant's partition that a crash left in the outbox."""
        await self._outbox.flush(_TABLE, key(tenant))

    async def keep_items(self, state: Erasure, discovery: str, assets: Sequence[str]) -> None:
        """Keep the assets that a run of discovery found, in batches.

        `discovery` is the run's id: only the run that the request names counts. An overtaken run
        changes nothing of the preview, and leaves unread ids.
        """
        partition = key(state.tenant)
        operations = [
            Upsert(Row(partition, _item(state.id, discovery, place, asset), {"asset": asset}))
            for place, asset in enumerate(assets)
        ]
        for start in range(0, len(operations), _CHUNK):
            await self._tables.commit(_TABLE, operations[start : start + _CHUNK])

    async def items(self, state: Erasure, batch: int | None = None) -> AsyncIterator[str]:
        """Yield the ids of the found assets, of a batch or of every batch."""
        if state.discovery is None:
            return
        parts = ["item", state.id, state.discovery]
        if batch is not None:
            parts.append(f"{batch:06d}")
        async for row in self._tables.scan(_TABLE, key(state.tenant), prefix=key(*parts, "")):
            yield str(row.values["asset"])

    async def start_batches(self, state: Erasure, messages: Sequence[OutgoingMessage]) -> None:
        """Make a row, together with the message, for each batch without a row."""
        partition = key(state.tenant)
        for start in range(0, len(messages), _CHUNK):
            chunk = messages[start : start + _CHUNK]
            rows = [
                Row(partition, _batch(state.id, start + place), {"done": False})
                for place in range(len(chunk))
            ]
            if await self._tables.get(_TABLE, partition, rows[0].row) is None:
                await self._outbox.commit(_TABLE, partition, [Insert(r) for r in rows], chunk)

    async def finish_batch(self, state: Erasure, batch: int, entry: AccessRecorded) -> None:
        """Mark a batch as done, once, with the entry."""
        partition = key(state.tenant)
        row = await self._tables.get(_TABLE, partition, _batch(state.id, batch))
        if row is None or row.values["done"]:
            await self.flush(state.tenant)
            return
        done = Row(partition, row.row, {"done": True}, row.etag)
        await self._outbox.commit(_TABLE, partition, [Replace(done)], [self.log(entry)])

    async def batches_done(self, state: Erasure) -> int:
        """Count the finished batches."""
        rows = self._tables.scan(_TABLE, key(state.tenant), prefix=key("batch", state.id, ""))
        return sum([bool(row.values["done"]) async for row in rows])

    def log(self, entry: AccessRecorded) -> OutgoingEntry:
        """Make the entry for the tenant's log."""
        now = self._clock()
        return new_entry(entry, new_id(now), now)


def _item(request: str, discovery: str, place: int, asset: str) -> str:
    return key("item", request, discovery, f"{place // BATCH_SIZE:06d}", asset)


def _batch(request: str, batch: int) -> str:
    return key("batch", request, f"{batch:06d}")
