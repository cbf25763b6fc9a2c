"""Group commit: one commit at a time to a tenant's log, with the entries of all who wait.

The head's ETag serialises the appenders of all instances, and the index, whose root is in the head,
tells which events are in the log already. So a commit can be tried again whatever became of the one
before: where it was done and only the answer was lost, its events are found.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from shared.accesslog.storage import layout, nodes
from shared.accesslog.storage.commits import HEAD_POSITION, Head, commit_of
from shared.accesslog.storage.content import Same
from shared.accesslog.storage.damage import LogDamagedError
from shared.accesslog.storage.events import Event, Events
from shared.accesslog.storage.index import Index
from shared.accesslog.storage.nodes import Root, Shape
from shared.accesslog.storage.pending import NewEntry, PendingAppend, PendingEntry, distinct
from shared.errors import RowConflictError, UnavailableError
from shared.merkle import Edge, ProofError
from shared.ports import Tables

# What an entry costs in a segment beside its own bytes, at most.
_OVERHEAD_BYTES: Final = 16
# Who loses against other instances waits, each time up to twice as long, but never so long that one
# which commits without a pause would leave it no chance. Who has always lost gives up after these
# tries, some 20 seconds.
_FIRST_WAIT_SECONDS: Final = 0.005
_LONGEST_WAIT_SECONDS: Final = 0.2
_MOST_TRIES: Final = 200
# So many conflicts that no other instance explains, are damage.
_MOST_UNEXPLAINED: Final = 4


class GroupCommit:
    """Appends to the log of one tenant. One an instance; any number of instances."""

    def __init__(
        self,
        tables: Tables,
        partition: str,
        index: Index,
        events: Events,
        same: Same,
        shape: Shape,
    ) -> None:
        self._tables = tables
        self._partition = partition
        self._index = index
        self._events = events
        self._same = same
        self._shape = shape
        self._waiting: deque[PendingAppend] = deque()
        self._running: asyncio.Task[None] | None = None
        self._head: Head | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for it."""
        return self._running is None

    async def append(self, entries: Iterable[NewEntry]) -> Sequence[int]:
        """As `LogStore.append`. Cancelling it harms nobody else; its entries may be kept or not."""
        call = PendingAppend(entries, self._shape)
        if not call.items:
            return []
        self._waiting.append(call)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await call.answer

    async def _run(self) -> None:
        group: Sequence[PendingEntry] = []
        try:
            while True:
                # Who has just had an answer may come again before the next group is made.
                await asyncio.sleep(0)
                group = self._next_group()
                if not group:
                    return
                await self._flush(group)
        except BaseException as error:
            # Whatever it is, all others would only wait for the same, or for ever.
            for call in self._abandon(group):
                call.fail(error)
            if not isinstance(error, UnavailableError):
                raise
        finally:
            self._running = None

    def _abandon(self, group: Sequence[PendingEntry]) -> Iterable[PendingAppend]:
        """The calls of `group` and all that wait, which are then waited for no more."""
        calls = [*dict.fromkeys(item.call for item in group), *self._waiting]
        self._waiting.clear()
        return calls

    def _next_group(self) -> Sequence[PendingEntry]:
        """The entries that wait longest, in their order, as many as go into one commit."""
        group: list[PendingEntry] = []
        size = 0
        while self._waiting:
            call = self._waiting[0]
            # Nothing is left of a call whose caller went away or has an error for its answer.
            left = [] if call.answer.done() else call.items[call.taken :]
            for item in left:
                size += len(item.entry.payload) + _OVERHEAD_BYTES
                if len(group) == layout.GROUP_ENTRIES or size > layout.GROUP_BYTES:
                    return group
                group.append(item)
                call.taken += 1
            self._waiting.popleft()
        return group

    async def _flush(self, group: Sequence[PendingEntry]) -> None:
        """Commit `group`; where that fails for no known reason, each of its calls by itself."""
        try:
            await self._commit(distinct(group))
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - the callers get it
            calls = dict.fromkeys(item.call for item in group)
            if len(calls) == 1:
                group[0].call.fail(error)
                return
            for call in calls:
                await self._flush([item for item in group if item.call is call])

    async def _commit(self, items: Sequence[PendingEntry]) -> None:
        wait = _FIRST_WAIT_SECONDS
        lost_against: str | None = None
        unexplained = 0
        is_answer_lost = False
        for _ in range(_MOST_TRIES):
            head = self._head or await load_head(self._tables, self._partition)
            if head.etag != lost_against:
                unexplained = 0
            items = await self._without_kept(head, items)
            if not items:
                return
            lets_down = head.root.count + len(items) > self._shape.recent
            if lets_down:
                await self._index.make_room(head.root)
            # Not known again until a commit has answered.
            self._head = None
            commit = commit_of(self._partition, head, items, lets_down=lets_down)
            try:
                etags = await self._tables.commit(layout.TABLE, commit.operations)
            except RowConflictError as conflict:
                is_same_head = head.etag is not None and head.etag == lost_against
                lost_against = head.etag
                if conflict.position != HEAD_POSITION or is_same_head:
                    unexplained += 1
                if unexplained > _MOST_UNEXPLAINED:
                    raise LogDamagedError(head.edge.size) from conflict
            except UnavailableError:
                # It may be done all the same, or be done yet; the next try would lose against it.
                if is_answer_lost:
                    raise
                is_answer_lost = True
            else:
                self._head = Head(commit.edge, etags[HEAD_POSITION], commit.root)
                for index, item in enumerate(items, head.edge.size):
                    item.settle(index, item.entry.payload, self._same)
                return
            await asyncio.sleep(random.uniform(0, wait))  # noqa: S311 - it only spreads the tries
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        raise UnavailableError("storage")

    async def _without_kept(
        self, head: Head, items: Sequence[PendingEntry]
    ) -> Sequence[PendingEntry]:
        """Settle the items whose events are in the log that ends in `head`; the others are left."""
        events = [Event(*item.identity, item.digest) for item in items]
        left = []
        for item, known in zip(items, await self._events.find(head.root, events), strict=True):
            if known is None:
                left.append(item)
            else:
                item.settle(known.index, known.payload, self._same)
        return left


async def load_head(tables: Tables, partition: str) -> Head:
    """The head as it is in storage. Raises LogDamagedError when it is no head of a log."""
    row = await tables.get(layout.TABLE, partition, layout.HEAD)
    if row is None:
        return Head(Edge.empty(), None, Root())
    try:
        edge = layout.edge_of(row)
        return Head(edge, row.etag, nodes.root_of(row, edge.size))
    except ProofError as error:
        raise LogDamagedError(0) from error


async def load_edge(tables: Tables, partition: str) -> Edge:
    """The right edge in the head. Raises LogDamagedError when it is not that of its size."""
    row = await tables.get(layout.TABLE, partition, layout.HEAD)
    try:
        return layout.edge_of(row) if row else Edge.empty()
    except ProofError as error:
        raise LogDamagedError(0) from error


async def require_appendable(tables: Tables, partition: str) -> None:
    """Raise LogDamagedError for a log that takes no entries, found out with few reads.

    Its head cannot be read, or says that the log ends before an entry that is there: it was
    deleted, or put back to what it was once.
    """
    head = await load_head(tables, partition)
    while await tables.get(layout.TABLE, partition, layout.segment_key(head.edge.size)):
        # An entry came in between, or else the head does not know of it.
        later = await load_head(tables, partition)
        if later.etag == head.etag:
            raise LogDamagedError(head.edge.size)
        head = later
