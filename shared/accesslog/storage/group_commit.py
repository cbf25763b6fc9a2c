"""Group commit: one commit at a time to a tenant's log, with the entries of every waiting call.

The head's ETag serialises the commits of every instance. The service refuses a second row of an
event. A commit may therefore be repeated, whatever the result of the commit before. If the answer
to a commit was lost, the repetition meets the rows of the events, and the rows lead to the entries.
"""

import asyncio
import random
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from shared.accesslog.storage import layout
from shared.accesslog.storage.commits import HEAD_POSITION, commit_of
from shared.accesslog.storage.errors import LogDamagedError
from shared.accesslog.storage.event_secret import EventSecret
from shared.accesslog.storage.events import EventKey, find_events
from shared.accesslog.storage.head import Head, load_head
from shared.accesslog.storage.pending import NewEntry, PendingAppend, PendingEntry, distinct
from shared.errors import RowConflictError, UnavailableError
from shared.ports import Tables

# The most bytes that an entry adds to a segment beside the payload.
_OVERHEAD_BYTES: Final = 16
# After a conflict an instance waits, each time up to twice as long. The longest wait is short,
# which leaves slower instances a chance against an instance that commits without a pause. After 200
# conflicts, some 20 seconds, an instance gives up.
_FIRST_WAIT_SECONDS: Final = 0.005
_LONGEST_WAIT_SECONDS: Final = 0.2
_MAX_TRIES: Final = 200
# More conflicts that neither another instance nor a known event explains are damage.
_MAX_UNEXPLAINED: Final = 4


class GroupCommit:
    """Appends of one instance to the log of one tenant. Any number of instances may append."""

    def __init__(self, tables: Tables, partition: str, secret: EventSecret) -> None:
        self._tables = tables
        self._partition = partition
        self._secret = secret
        self._waiting: deque[PendingAppend] = deque()
        self._running: asyncio.Task[None] | None = None
        self._head: Head | None = None

    @property
    def is_idle(self) -> bool:
        """Tell whether no call waits."""
        return self._running is None

    async def append(self, entries: Sequence[NewEntry]) -> Sequence[int]:
        """Append as `LogStore.append` does.

        A cancelled call harms no other call; the log may have the call's entries or not.
        """
        if not entries:
            return []
        call = PendingAppend(entries)
        self._waiting.append(call)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await call.answer

    async def _run(self) -> None:
        group: Sequence[PendingEntry] = []
        try:
            while True:
                # A caller with an answer may append again before the next group is made.
                await asyncio.sleep(0)
                group = self._next_group()
                if not group:
                    return
                await self._flush(group)
        except BaseException as error:
            # Every waiting call would fail in the same way, or wait for ever.
            for call in self._abandon(group):
                call.fail(error)
            if not isinstance(error, UnavailableError):
                raise
        finally:
            self._running = None

    def _abandon(self, group: Sequence[PendingEntry]) -> Iterable[PendingAppend]:
        """Return the calls of `group` and every waiting call, and forget the waiting calls."""
        calls = [*dict.fromkeys(item.call for item in group), *self._waiting]
        self._waiting.clear()
        return calls

    def _next_group(self) -> Sequence[PendingEntry]:
        """Return the entries that have waited longest, in order, up to the size of one commit."""
        group: list[PendingEntry] = []
        size = 0
        while self._waiting:
            call = self._waiting[0]
            # A cancelled or failed call has no entries left to append.
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
        """Commit `group`; after an unforeseen error, commit each call of the group alone."""
        try:
            await self._commit(distinct(group))
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - the callers get the error
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
        for _ in range(_MAX_TRIES):
            if not items:
                return
            head = self._head or await load_head(self._tables, self._partition)
            # Another instance may have begun the log meanwhile, under another key.
            hmac_key = await self._secret.key(head.hmac_key)
            head = replace(head, hmac_key=hmac_key.id)
            for item in items:
                item.set_row_key(hmac_key, self._partition)
            if head.etag != lost_against:
                unexplained = 0
            # The head is unknown until the commit answers.
            self._head = None
            commit = commit_of(self._partition, head, items)
            try:
                etags = await self._tables.commit(layout.TABLE, commit.operations)
            except RowConflictError as conflict:
                is_same_head = head.etag is not None and head.etag == lost_against
                lost_against = head.etag
                if conflict.position != HEAD_POSITION or is_same_head:
                    left = await self._without_logged(items)
                    unexplained = unexplained + 1 if len(left) == len(items) else 0
                    items = left
                if unexplained > _MAX_UNEXPLAINED:
                    raise LogDamagedError(head.edge.size) from conflict
            except UnavailableError:
                # The service may have done the commit, or may do the commit later. The rows of the
                # events tell; a commit that arrives later meets the head's ETag or the rows.
                if is_answer_lost:
                    raise
                is_answer_lost = True
                items = await self._without_logged(items)
            else:
                self._head = Head(commit.edge, etags[HEAD_POSITION], head.hmac_key)
                for index, item in enumerate(items, head.edge.size):
                    item.resolve(index, item.entry.payload)
                return
            await asyncio.sleep(random.uniform(0, wait))  # noqa: S311 - spreads the tries only
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        raise UnavailableError("storage")

    async def _without_logged(self, items: Sequence[PendingEntry]) -> Sequence[PendingEntry]:
        """Resolve the entries whose events the log has, and return the unlogged entries.

        An event whose row leads astray is appended again rather than lost: the next commit replaces
        the row, and the audit finds the entry without a row.
        """
        keys = [EventKey(item.entry.source, item.entry.id, item.row_key) for item in items]
        left = []
        found = await find_events(self._tables, self._partition, keys)
        for item, logged in zip(items, found, strict=True):
            if logged is not None and logged.index is not None:
                item.resolve(logged.index, logged.payload)
            else:
                item.astray = logged.etag if logged else None
                left.append(item)
        return left
