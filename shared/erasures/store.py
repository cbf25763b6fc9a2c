"""The rows of erasure requests: states, ranges of discovery, finds, and batches.

Every row is in the tenant's partition of `erasures`: `request|id`, `range|id|discovery|after`,
`find|id|discovery|find`, `item|id|discovery|batch|asset` and `batch|id|discovery|batch`. No row has
a text of a file, or an identifier or a path that is not sealed. A find has the names of the fields
until the approval, and the sealed path of an approved asset stays until the completion.
"""

import itertools
from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec

from shared.accesslog import new_entry
from shared.catalogue import ERASURE_DISCOVERY_QUEUE, ERASURES_TABLE
from shared.compare_and_set import compare_and_set
from shared.erasures.finds import ApprovedAsset, Find, joined, settled
from shared.erasures.ranges import Range
from shared.erasures.rules import BATCH_SIZE, Erasure, ErasureDecision, erasure_not_found
from shared.ids import key, new_id
from shared.messages import Outbox, OutgoingEntry, encode
from shared.messages.contracts import AccessRecorded, ErasureDiscoveryReady
from shared.ports import (
    Clock,
    Condition,
    Delete,
    Insert,
    Operation,
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

    async def unfinished(self, tenant: str) -> list[Erasure]:
        """Return the tenant's requests that the system works on."""
        where = [Condition("status", "ne", "completed")]
        rows = self._tables.scan(_TABLE, key(tenant), prefix=key("request", ""), where=where)
        return [from_values(Erasure, row.values) async for row in rows]

    async def commit(
        self,
        decision: ErasureDecision,
        etag: str | None,
        messages: Iterable[OutgoingMessage] = (),
        operations: Iterable[Operation] = (),
    ) -> None:
        """Keep a decision with the entry and the messages; `etag` is None for a new request.

        `operations` on further rows of the request are in the same transaction. Raises
        RowConflictError when the request has changed since the loading.
        """
        if decision.entry is None:
            await self.flush(decision.state.tenant)
            return
        state = decision.state
        row = Row(key(state.tenant), key("request", state.id), to_values(state), etag)
        await self._outbox.commit(
            _TABLE,
            row.partition,
            [Insert(row) if etag is None else Replace(row), *operations],
            [*messages, self.log(decision.entry)],
        )

    async def flush(self, tenant: str) -> None:
        """Send the rows of the tenant's partition that a crash left in the outbox."""
        await self._outbox.flush(_TABLE, key(tenant))

    def first_range(self, state: Erasure, first: Range) -> tuple[Insert, OutgoingMessage]:
        """Make the row and the message of the first range of a run of discovery."""
        return Insert(_range_row(state, first)), self.range_message(state, first)

    def range_message(self, state: Erasure, ready: Range, again: str = "") -> OutgoingMessage:
        """Make the message that searches a range; `again` marks a repeated message."""
        return encode(
            ERASURE_DISCOVERY_QUEUE.name,
            ErasureDiscoveryReady(
                tenant=state.tenant,
                request_id=state.id,
                discovery=state.discovery,
                first=ready.after,
            ),
            identifier=f"{state.discovery}-{ready.after}{again}",
            now=self._clock(),
        )

    async def range(self, state: Erasure, after: str) -> tuple[Range, str | None] | None:
        """Return a range of the request's present run of discovery, and the ETag; or None."""
        row = await self._tables.get(
            _TABLE, key(state.tenant), key("range", state.id, state.discovery, after)
        )
        return None if row is None else (from_values(Range, row.values), row.etag)

    async def ranges(self, state: Erasure) -> list[Range]:
        """Return the ranges of the request's present run of discovery."""
        prefix = key("range", state.id, state.discovery, "")
        rows = self._tables.scan(_TABLE, key(state.tenant), prefix=prefix)
        return [from_values(Range, row.values) async for row in rows]

    async def finish_range(
        self, state: Erasure, done: Range, etag: str | None, rest: Sequence[Range]
    ) -> None:
        """Mark a range as searched, and queue the rest, in one transaction.

        Raises RowConflictError when another delivery was faster.
        """
        operations: list[Operation] = [Replace(_range_row(state, done, etag))]
        operations += [Insert(_range_row(state, one)) for one in rest]
        messages = [self.range_message(state, one) for one in rest]
        await self._outbox.commit(_TABLE, key(state.tenant), operations, messages)

    async def add_find(self, state: Erasure, find: Find) -> None:
        """Add a find to the request's present run; the same find again changes nothing."""
        partition = key(state.tenant)
        name = _find_row(state, state.discovery, find.id)

        async def attempt() -> None:
            row = await self._tables.get(_TABLE, partition, name)
            before = None if row is None else from_values(Find, row.values)
            after = joined(before, find)
            if after == before:
                return
            kept = Row(partition, name, to_values(after), None if row is None else row.etag)
            await self._tables.commit(_TABLE, [Insert(kept) if row is None else Replace(kept)])

        await compare_and_set(attempt)

    async def find(self, state: Erasure, discovery: str, find: str) -> Find | None:
        """Return a find of a run of discovery, or None."""
        row = await self._tables.get(_TABLE, key(state.tenant), _find_row(state, discovery, find))
        return None if row is None else from_values(Find, row.values)

    async def finds(self, state: Erasure) -> AsyncIterator[Find]:
        """Yield the finds of the run that is shown, in the order of their ids."""
        async for find in self.finds_of(state, state.shown):
            yield find

    async def finds_of(self, state: Erasure, discovery: str) -> AsyncIterator[Find]:
        """Yield the finds of a run of discovery, in the order of their ids."""
        prefix = _find_row(state, discovery, "")
        async for row in self._tables.scan(_TABLE, key(state.tenant), prefix=prefix):
            yield from_values(Find, row.values)

    async def page_of_finds(
        self, state: Erasure, certainty: str, size: int, continuation: str | None
    ) -> tuple[Sequence[Find], str | None]:
        """Return a page of the shown finds of a certainty, and the next page's token."""
        page = await self._tables.page(
            _TABLE,
            key(state.tenant),
            prefix=_find_row(state, state.shown, ""),
            size=size,
            continuation=continuation,
            where=[Condition("certainty", "eq", certainty)],
        )
        return [from_values(Find, row.values) for row in page.rows], page.continuation

    def decided(self, state: Erasure, finds: Iterable[Find]) -> list[Operation]:
        """Make the operations that keep finds with a new decision."""
        return [self._kept_find(state, state.discovery, find) for find in finds]

    @staticmethod
    def _kept_find(state: Erasure, run: str, find: Find) -> Upsert:
        return Upsert(Row(key(state.tenant), _find_row(state, run, find.id), to_values(find)))

    async def settle(self, state: Erasure) -> None:
        """Keep the decision that holds with each find of an approved run. May be repeated."""
        run = state.discovery
        await self._commit_all(
            self._kept_find(state, run, settled(find, state.choice))
            async for find in self.finds_of(state, run)
        )

    async def keep_items(self, state: Erasure, assets: AsyncIterator[ApprovedAsset]) -> int:
        """Keep the approved assets in batches; return their number. May be repeated."""
        place = itertools.count()
        return await self._commit_all(
            Upsert(Row(key(state.tenant), _item(state, next(place), one.asset), to_values(one)))
            async for one in assets
        )

    async def approved_before(self, state: Erasure) -> AsyncIterator[ApprovedAsset]:
        """Yield the approved assets of the runs before."""
        for run in state.earlier:
            prefix = key("item", state.id, run, "")
            async for row in self._tables.scan(_TABLE, key(state.tenant), prefix=prefix):
                yield from_values(ApprovedAsset, row.values)

    async def forget(self, state: Erasure) -> None:
        """Delete what a request keeps of names until the end. May be repeated."""
        for run in (*state.earlier, state.discovery):
            # A delivery that was overtaken may have added a find after the approval.
            await self._commit_all(
                self._kept_find(state, run, msgspec.structs.replace(find, fields=()))
                async for find in self.finds_of(state, run)
                if find.fields
            )
        rows = self._tables.scan(_TABLE, key(state.tenant), prefix=key("item", state.id, ""))
        await self._commit_all(Delete(row.partition, row.row) async for row in rows)

    async def _commit_all(self, operations: AsyncIterator[Operation]) -> int:
        """Run operations on one partition in several transactions; return their number."""
        count, chunk = 0, list[Operation]()
        async for operation in operations:
            chunk.append(operation)
            if len(chunk) == _CHUNK:
                await self._tables.commit(_TABLE, chunk)
                count, chunk = count + len(chunk), []
        if chunk:
            await self._tables.commit(_TABLE, chunk)
        return count + len(chunk)

    async def items(self, state: Erasure, batch: int) -> AsyncIterator[str]:
        """Yield the ids of the approved assets of a batch."""
        prefix = key("item", state.id, state.discovery, f"{batch:06d}", "")
        async for row in self._tables.scan(_TABLE, key(state.tenant), prefix=prefix):
            yield str(row.values["asset"])

    async def start_batches(self, state: Erasure, messages: Sequence[OutgoingMessage]) -> None:
        """Make a row, together with the message, for each batch without a row."""
        partition = key(state.tenant)
        for start in range(0, len(messages), _CHUNK):
            chunk = messages[start : start + _CHUNK]
            rows = [
                Row(partition, _batch(state, start + place), {"done": False})
                for place in range(len(chunk))
            ]
            if await self._tables.get(_TABLE, partition, rows[0].row) is None:
                await self._outbox.commit(_TABLE, partition, [Insert(r) for r in rows], chunk)

    async def keep_batches(self, state: Erasure, batches: int, etag: str) -> None:
        """Keep the number of batches of an approved request.

        Raises RowConflictError when the request has changed.
        """
        counted = msgspec.structs.replace(state, batches=batches)
        row = Row(key(state.tenant), key("request", state.id), to_values(counted), etag)
        await self._tables.commit(_TABLE, [Replace(row)])

    async def finish_batch(self, state: Erasure, batch: int, entry: AccessRecorded) -> None:
        """Mark a batch as done, once, with the entry."""
        partition = key(state.tenant)
        row = await self._tables.get(_TABLE, partition, _batch(state, batch))
        if row is None or row.values["done"]:
            await self.flush(state.tenant)
            return
        done = Row(partition, row.row, {"done": True}, row.etag)
        await self._outbox.commit(_TABLE, partition, [Replace(done)], [self.log(entry)])

    async def batches_done(self, state: Erasure) -> int:
        """Count the finished batches of the present run."""
        prefix = key("batch", state.id, state.discovery, "")
        rows = self._tables.scan(_TABLE, key(state.tenant), prefix=prefix)
        return sum([bool(row.values["done"]) async for row in rows])

    def log(self, entry: AccessRecorded) -> OutgoingEntry:
        """Make the entry for the tenant's log."""
        now = self._clock()
        return new_entry(entry, new_id(now), now)


def _range_row(state: Erasure, one: Range, etag: str | None = None) -> Row:
    name = key("range", state.id, state.discovery, one.after)
    return Row(key(state.tenant), name, to_values(one), etag)


def _find_row(state: Erasure, discovery: str, find: str) -> str:
    return key("find", state.id, discovery, find)


def _item(state: Erasure, place: int, asset: str) -> str:
    return key("item", state.id, state.discovery, f"{place // BATCH_SIZE:06d}", asset)


def _batch(state: Erasure, batch: int) -> str:
    return key("batch", state.id, state.discovery, f"{batch:06d}")
