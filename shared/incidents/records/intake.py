"""The messages of incidents become records: one transaction for the messages of a matter.

A burst of occurrences of one incident changes one row. So the messages of a batch are sorted by
matter, and each part of a batch changes the row once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import batched
from typing import Final

from shared.compare_and_set import compare_and_set
from shared.errors import RowConflictError
from shared.incidents.records.occurrences import MatterMessage, apply
from shared.incidents.records.store import (
    IncidentStore,
    matter_change,
    occurrence_row,
    record_change,
    timeline_row,
)
from shared.incidents.rules import matter_id
from shared.ports import Clock, Operation

# A transaction has at most 100 operations: the record, the matter, an occurrence for each message,
# and a few entries of the timeline.
_PART: Final = 80

type IsServed = Callable[[str], Awaitable[bool]]
"""A question to the registry: whether the stamp has a tenant, and may keep the tenant's data."""


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
        matters: dict[str, dict[str, MatterMessage]] = {}
        for message in messages:
            matters.setdefault(matter_id(message.data), {}).setdefault(message.id, message)
        for matter, found in matters.items():
            for part in batched(found.values(), _PART, strict=False):
                await self._take(matter, part)

    async def _take(self, matter: str, messages: Sequence[MatterMessage]) -> None:
        left = list(messages)

        async def attempt() -> None:
            nonlocal left
            try:
                await self._commit(matter, left)
            except RowConflictError as error:
                if error.position is None or error.position < len(left):
                    left = await self._untaken(left)
                if left:
                    raise
                await self._store.flush()

        await compare_and_set(attempt)

    async def _untaken(self, messages: Sequence[MatterMessage]) -> list[MatterMessage]:
        taken = await asyncio.gather(*(self._store.has(one) for one in messages))
        return [one for one, is_taken in zip(messages, taken, strict=True) if not is_taken]

    async def _commit(self, matter: str, messages: Sequence[MatterMessage]) -> None:
        state, state_etag = await self._store.matter(matter)
        found = None if state.incident is None else await self._store.find(state.incident)
        incident, etag = (None, None) if found is None else found
        tenant = messages[0].data.tenant
        is_known = incident is not None or tenant is None or await self._is_served(tenant)
        change = apply(state, incident, messages, self._clock(), is_tenant_known=is_known)
        after = change.incident
        # The occurrences come first: the position of a conflict tells a message that was taken.
        identifier = None if after is None else after.id
        operations: list[Operation] = [occurrence_row(one, identifier) for one in messages]
        operations.append(matter_change(matter, change.matter, state_etag))
        if after is not None:
            # A matter that comes back much later gets a record of its own.
            is_same = incident is not None and incident.id == after.id
            operations.append(record_change(after, etag if is_same else None))
            operations += [timeline_row(after.id, entry) for entry in change.entries]
        await self._store.keep(operations)
