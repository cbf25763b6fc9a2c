"""The messages of incidents become records: few transactions for many messages.

A burst of occurrences of one incident changes one row. So the messages of a batch are put together
by kind and tenant, and each part of a batch changes each row once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final

from shared.compare_and_set import compare_and_set
from shared.errors import RowConflictError
from shared.ids import new_id
from shared.incidents.records.matters import Front, Matter, MatterMessage, Sorting
from shared.incidents.records.rules import ONGOING, Draft
from shared.incidents.records.store import (
    IncidentStore,
    front_change,
    matter_change,
    occurrence_row,
)
from shared.incidents.rules import front_id, matter_id
from shared.ports import Clock, Operation

# A transaction has at most 100 operations: a part with more consequences is halved.
_MOST_OPERATIONS: Final = 100
_MOST_MESSAGES: Final = 90
_MOST_MATTERS: Final = 40
# Each instance that takes messages of the same incident may win an attempt.
_ATTEMPTS: Final = 50

type IsServed = Callable[[str], Awaitable[bool]]
"""A question to the registry: whether the stamp has a tenant, and may keep the tenant's data."""


class _TooManyError(Exception):
    """The consequences of some messages do not fit a transaction."""


class IncidentIntake:
    """Takes the messages of incidents."""

    def __init__(self, store: IncidentStore, is_served: IsServed, clock: Clock) -> None:
        self._store = store
        self._is_served = is_served
        self._clock = clock

    async def take(self, messages: Sequence[MatterMessage]) -> None:
        """Record messages. A message that has been taken adds nothing.

        Safe to repeat after a crash at any line. Raises UnavailableError, and RowConflictError
        where other instances keep changing the same record.
        """
        fronts: dict[str, dict[str, MatterMessage]] = {}
        for message in messages:
            fronts.setdefault(front_id(message.data), {}).setdefault(message.id, message)
        for front, found in fronts.items():
            for part in _parts(list(found.values())):
                await self._take(front, part)

    async def _take(self, front: str, messages: Sequence[MatterMessage]) -> None:
        left = list(messages)
        middle = len(left) // 2

        async def attempt() -> None:
            nonlocal left
            try:
                await self._commit(front, left)
            except RowConflictError as error:
                if error.position is None or error.position < len(left):
                    left = await self._untaken(left)
                if left:
                    raise
                await self._store.flush()

        try:
            await compare_and_set(attempt, attempts=_ATTEMPTS)
        except _TooManyError:
            for half in (messages[:middle], messages[middle:]):
                await self._take(front, half)

    async def _untaken(self, messages: Sequence[MatterMessage]) -> list[MatterMessage]:
        taken = await asyncio.gather(*(self._store.has(one.id) for one in messages))
        return [one for one, is_taken in zip(messages, taken, strict=True) if not is_taken]

    async def _commit(self, name: str, messages: Sequence[MatterMessage]) -> None:
        now = self._clock()
        named = [(matter_id(one.data), one) for one in messages]
        matters = await self._matters(matter for matter, _ in named)
        drafts = await self._drafts(state.incident for state, _ in matters.values())
        front, front_etag = Front(), None
        is_new = any(
            state.incident not in drafts or drafts[state.incident].incident.status not in ONGOING
            for state, _ in matters.values()
        )
        if is_new:
            # A new matter may be a part of a storm.
            front, front_etag = await self._store.front(name)
            matters |= await self._matters(
                one.matter for one in front.recent if one.matter not in matters
            )
            drafts |= await self._drafts(one for one in front.incidents if one not in drafts)
        tenant = messages[0].data.tenant
        sorting = Sorting(
            front,
            {matter: state for matter, (state, _) in matters.items()},
            drafts,
            lambda: new_id(now),
            is_tenant_known=not is_new or tenant is None or await self._is_served(tenant),
        )
        sorting.apply(named, now)
        # The messages come first: the position of a conflict tells a message that was taken.
        operations: list[Operation] = [
            occurrence_row(one, sorting.taken[one.id]) for one in messages
        ]
        operations += [
            matter_change(matter, sorting.matters[matter], etag)
            for matter, (state, etag) in matters.items()
            if sorting.matters[matter] != state
        ]
        if sorting.front != front:
            operations.append(front_change(name, sorting.front, front_etag))
        changes, notices = self._store.plan(list(sorting.drafts.values()))
        operations += changes
        if len(operations) + len(notices) > _MOST_OPERATIONS:
            raise _TooManyError
        await self._store.commit(operations, notices)

    async def _matters(self, names: Iterable[str]) -> dict[str, tuple[Matter, str | None]]:
        distinct = list(dict.fromkeys(names))
        found = await asyncio.gather(*(self._store.matter(name) for name in distinct))
        return dict(zip(distinct, found, strict=True))

    async def _drafts(self, names: Iterable[str | None]) -> dict[str, Draft]:
        distinct = [name for name in dict.fromkeys(names) if name]
        found = await asyncio.gather(*(self._store.find(name) for name in distinct))
        return {draft.incident.id: draft for draft in found if draft is not None}


def _parts(messages: Sequence[MatterMessage]) -> Iterator[Sequence[MatterMessage]]:
    """Divide messages into parts that fit a transaction each."""
    part: list[MatterMessage] = []
    matters: set[str] = set()
    for message in messages:
        matters.add(matter_id(message.data))
        if len(part) == _MOST_MESSAGES or len(matters) > _MOST_MATTERS:
            yield part
            part, matters = [], {matter_id(message.data)}
        part.append(message)
    yield part
