"""Appending to a tenant's access log, and reading it."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.accesslog.entries import attributed, check
from shared.accesslog.rules import Entry, entry_of
from shared.context import NOWHERE, Context, during
from shared.errors import RefusalError, RowConflictError
from shared.identity.rules import VENDOR_ROLES, Caller
from shared.ids import key, new_id, newest_first
from shared.messages.contracts import AccessRecorded
from shared.ports import Clock, Insert, Row, Tables
from shared.rows import from_values, to_values

_TABLE = "accesslog"


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event for the log: `source` and `id` are its identity, `time` is when it happened."""

    source: str
    id: str
    time: datetime
    data: AccessRecorded
    origin: Context = NOWHERE


class AccessLog:
    """Each tenant's entries, newest first. Entries are only ever added."""

    def __init__(self, tables: Tables, clock: Clock) -> None:
        self._tables = tables
        self._clock = clock

    async def record(self, recorded: AccessRecorded, identifier: str, time: datetime) -> None:
        """Add an entry; when this returns it is durable. The same id and time twice is one entry.

        Raises UnavailableError when it could not be kept: what it records must not happen then.
        """
        recorded = attributed(recorded)
        check(recorded)
        entry = entry_of(recorded, identifier, time)
        row = Row(key(recorded.tenant), newest_first(entry.time, entry.id), to_values(entry))
        try:
            await self._tables.commit(_TABLE, [Insert(row)])
        except RowConflictError:
            return

    async def record_events(self, events: Sequence[Recorded]) -> Sequence[RefusalError | None]:
        """Add the entries of events of any tenants, each tenant's in order.

        Returns and raises what `record_all` does; one tenant's failure leaves the others recorded.
        """
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, event in enumerate(events):
            places[event.data.tenant].append(place)
        answered = await asyncio.gather(
            *(self.record_all(t, [events[at] for at in own]) for t, own in places.items()),
            return_exceptions=True,
        )
        reasons: list[RefusalError | None] = [None] * len(events)
        for own, answers in zip(places.values(), answered, strict=True):
            if isinstance(answers, BaseException):
                raise answers
            for at, answer in zip(own, answers, strict=True):
                reasons[at] = answer
        return reasons

    async def record_all(
        self, _tenant: str, events: Sequence[Recorded]
    ) -> Sequence[RefusalError | None]:
        """Add the entries of several events of one tenant, in order; they are durable then.

        Returns, for each, None or why it was refused; the others are in the log. Raises
        UnavailableError when that cannot be said of all: send the same again then.
        """
        answers: list[RefusalError | None] = []
        for event in events:
            try:
                with during(event.origin):
                    await self.record(event.data, event.id, event.time)
                answers.append(None)
            except RefusalError as reason:
                answers.append(reason)
        return answers

    async def read(
        self, tenant: str, caller: Caller, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Entry], str | None]:
        """One page of a tenant's entries, newest first, and where to read on.

        A reading by the vendor's people is itself recorded before anything is handed over.
        """
        if caller.roles & VENDOR_ROLES:
            now = self._clock()
            reading = AccessRecorded(
                tenant=tenant,
                actor=caller.actor(),
                action="log.read",
                resource="log/entries",
                outcome="allowed",
            )
            await self.record(reading, new_id(now), now)
        page = await self._tables.page(_TABLE, key(tenant), size=size, continuation=continuation)
        return [from_values(Entry, row.values) for row in page.rows], page.continuation
