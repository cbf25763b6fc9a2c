"""The access log's service: every flow appends its entries here."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from shared.accesslog.entries import (
    attributed,
    check,
    check_identity,
    entry_of,
    payload_of,
)
from shared.accesslog.storage.errors import EventIdReusedError, LogDamagedError
from shared.accesslog.storage.pending import NewEntry
from shared.accesslog.storage.store import LogStore
from shared.context import NOWHERE, Context, during
from shared.errors import ConflictError, RefusalError, UnavailableError
from shared.identity.rules import VENDOR_ROLES, Caller
from shared.ids import new_id
from shared.messages.cloudevents import SOURCE, Event
from shared.messages.contracts import AccessRecorded
from shared.messages.outbox_rows import OutgoingEntry
from shared.ports import Clock

LOG_DAMAGED: Final = "log-damaged"
"""The code of a refused event, whose tenant's log takes no entries until somebody mends the log."""

logger = logging.getLogger("vouchsafe.accesslog")


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event for the log: `source` and `id` are the identity, `time` is the time of the event.

    `origin` is the origin of the event where the event's data does not state an origin.
    """

    source: str
    id: str
    time: datetime
    data: AccessRecorded
    origin: Context = NOWHERE

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return the event's content for the log. Raises TypeError for an event without content."""
        if not isinstance(event.data, AccessRecorded):
            raise TypeError(f"{event.type} brings nothing to the log")
        return cls(event.source, event.id, event.time, event.data, event.origin)


class AccessLog:
    """Adds to the tenants' logs. Entries are only ever added."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def record(self, recorded: AccessRecorded, identifier: str, time: datetime) -> int:
        """Append an entry of the app and return the index. The entry is durable on return.

        The same event again, with the same id and time, is one entry. Raises UnavailableError when
        the log did not keep the entry: the caller must not do the recorded act. Raises the errors
        of `entries.check`, and EventIdReusedError for an id that names another event.
        """
        entry = self._checked(Recorded(SOURCE, identifier, time, attributed(recorded)))
        (index,) = await self._store.append(recorded.tenant, [entry])
        return index

    async def record_answer(self, tenant: str, caller: Caller, action: str, resource: str) -> None:
        """Record the view, list or link of a tenant's data that `caller` is about to get.

        Each answer is an entry, also the answer to a repeated request. Raises the errors of
        `record`; the caller may get nothing then.
        """
        given = AccessRecorded(
            tenant=tenant,
            actor=caller.actor(),
            action=action,
            resource=resource,
            outcome="allowed",
        )
        now = self._clock()
        await self.record(given, new_id(now), now)

    async def record_disclosure(self, tenant: str, caller: Caller, resource: str) -> None:
        """Record a request of the vendor's staff about a tenant's log.

        The entry comes before every possible refusal. Requests of the tenant's people make no
        entry.
        """
        if caller.roles & VENDOR_ROLES:
            await self.record_answer(tenant, caller, "log.read", resource)

    async def require_appendable(self, tenant: str) -> None:
        """Stop an act that cannot be undone while the tenant's log would not take the entry.

        Raises LogDamagedError.
        """
        await self._store.require_appendable(tenant)

    async def defer_unless_appendable(self, tenant: str) -> None:
        """Raise UnavailableError where `require_appendable` refuses: the queue delivers again."""
        try:
            await self.require_appendable(tenant)
        except LogDamagedError as error:
            logger.error("the log of %s takes no entries: %s", tenant, error)  # noqa: TRY400 - its text is ours
            raise UnavailableError("log") from error

    async def record_events(self, events: Sequence[Recorded]) -> Sequence[RefusalError | None]:
        """Append the entries of events of any tenants, each tenant's in order and in one append.

        Returns for each event None, or the reason of the refusal. Refuses every event of a tenant
        with a damaged log. Raises UnavailableError when the result of an event is unknown: the
        caller sends the same events again. A failure for one tenant stops no other tenant's events.
        """
        checked: list[NewEntry | RefusalError] = []
        for event in events:
            try:
                checked.append(self._checked(event))
            except RefusalError as reason:
                checked.append(reason)
        tenants = [event.data.tenant for event in events]
        # Waiting does not help: somebody mends the log, and then replays the parked events.
        return [
            _damaged() if isinstance(reason, LogDamagedError) else reason
            for reason in await self._append(tenants, checked)
        ]

    async def record_entries(
        self, entries: Sequence[OutgoingEntry]
    ) -> Sequence[RefusalError | LogDamagedError | None]:
        """Add entries of our own, as `messages.outbox_rows.EntryLog` describes."""
        tenants = [entry.data.tenant for entry in entries]
        made = [self._entry(entry.data, SOURCE, entry.id, entry.time) for entry in entries]
        return await self._append(tenants, made)

    async def _append(
        self, tenants: Sequence[str], entries: Sequence[NewEntry | RefusalError]
    ) -> Sequence[RefusalError | LogDamagedError | None]:
        """Append each tenant's entries in one append, and all tenants' entries side by side.

        Returns for each entry None, or the reason why the log does not have the entry.
        """
        places: defaultdict[str, list[int]] = defaultdict(list)
        reasons: list[RefusalError | LogDamagedError | None] = [None] * len(entries)
        for place, (tenant, entry) in enumerate(zip(tenants, entries, strict=True)):
            if isinstance(entry, RefusalError):
                reasons[place] = entry
            else:
                places[tenant].append(place)

        async def append(tenant: str, own: Sequence[int]) -> None:
            new = [entry for at in own if not isinstance(entry := entries[at], RefusalError)]
            try:
                await self._store.append(tenant, new)
            except EventIdReusedError as reused:
                for position in reused.refused:
                    reasons[own[position]] = reused
            except LogDamagedError as damaged:
                for at in own:
                    reasons[at] = damaged

        answered = await asyncio.gather(
            *(append(tenant, own) for tenant, own in places.items()), return_exceptions=True
        )
        for answer in answered:
            if isinstance(answer, BaseException):
                raise answer
        return reasons

    def takes(self, event: Recorded) -> bool:
        """Tell whether the log would take an event that another service reports."""
        try:
            self._checked(event)
        except Exception:  # noqa: BLE001 - whoever is to record it says what is wrong with it
            return False
        return True

    def _checked(self, event: Recorded) -> NewEntry:
        """Make the entry of an event. Raises the errors of `entries.check` and `check_identity`."""
        with during(event.origin):
            recorded = attributed(event.data)
        check(recorded)
        check_identity(event.source, event.id)
        return self._entry(recorded, event.source, event.id, event.time)

    def _entry(
        self, recorded: AccessRecorded, source: str, identifier: str, time: datetime
    ) -> NewEntry:
        entry = entry_of(recorded, source, identifier, time, self._clock())
        return NewEntry(source, identifier, payload_of(entry))


def _damaged() -> ConflictError:
    return ConflictError(
        LOG_DAMAGED,
        "The tenant's log was changed past this service, and takes no entries.",
        "Find out from the incident what was changed, mend it, and replay the message.",
    )
