"""The entry point of the access log: every append goes through the service."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import Final, Self

from shared.accesslog.entries import (
    attributed,
    check,
    check_identity,
    entry_of,
    new_entry,
    payload_of,
)
from shared.accesslog.storage.errors import EventIdReusedError, LogDamagedError
from shared.accesslog.storage.event_secret import EventSecretError
from shared.accesslog.storage.pending import NewEntry
from shared.accesslog.storage.store import LogStore
from shared.context import NOWHERE, Context, during
from shared.errors import ConflictError, RefusalError, UnavailableError
from shared.identity.rules import VENDOR_ROLES, Caller
from shared.ids import new_id
from shared.messages.cloudevents import SOURCE, CloudEvent
from shared.messages.contracts import AccessRecorded
from shared.messages.outbox_rows import OutgoingEntry
from shared.ports import Clock

LOG_DAMAGED: Final = "log-damaged"
"""The refusal code of an event whose tenant's log takes no events until the operator mends the log.
"""

logger = logging.getLogger("vouchsafe.accesslog")


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event for the log, with the identity `source` and `id` and the `time` of the event.

    `origin` is the origin of the event, for data without an origin.
    """

    source: str
    id: str
    time: datetime
    data: AccessRecorded
    origin: Context = NOWHERE

    @classmethod
    def of(cls, event: CloudEvent) -> Self:
        """Return the log's part of an event. Raises TypeError for an event without a record."""
        if not isinstance(event.data, AccessRecorded):
            raise TypeError(f"{event.type} brings nothing to the log")
        return cls(event.source, event.id, event.time, event.data, event.origin)


class AccessLog:
    """Adds to the tenants' logs; a log only grows."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def record(self, recorded: AccessRecorded, identifier: str, time: datetime) -> int:
        """Add an entry of the app and return the index; on return the entry is durable.

        A repeated call with the same id and time gives one entry. Raises UnavailableError when the
        entry could not be stored: the recorded action must not happen then. Raises the errors of
        `entries.check`, and EventIdReusedError for the id of a different event.
        """
        entry = self._checked(Recorded(SOURCE, identifier, time, attributed(recorded)))
        (index,) = await self._store.append(recorded.tenant, [entry])
        return index

    async def record_answer(self, tenant: str, caller: Caller, action: str, resource: str) -> None:
        """Record an answer to `caller` before the answer: a view, a list or a link of a tenant's.

        Each answer is an entry, even for a repeated request. Raises the errors of `record`: give no
        answer then.
        """
        now = self._clock()
        await self.record(_answered(tenant, caller, action, resource), new_id(now), now)

    async def record_listing(self, tenants: Sequence[str], caller: Caller) -> Collection[str]:
        """Record, in the log of each of `tenants`, that a list shows `caller` the tenant.

        Returns the tenants whose log has the entry. Give no data of the others, whose log is
        damaged or lacks its key. Raises UnavailableError when the result of a tenant is unknown.
        """
        now = self._clock()

        async def is_recorded(tenant: str) -> bool:
            listed = _answered(tenant, caller, "tenant.listed", f"tenants/{tenant}")
            try:
                [reason] = await self.record_entries([new_entry(listed, new_id(now), now)])
            except EventSecretError:
                return False
            return reason is None

        recorded = await asyncio.gather(*(is_recorded(tenant) for tenant in tenants))
        return set(compress(tenants, recorded))

    async def record_disclosure(self, tenant: str, caller: Caller, resource: str) -> None:
        """Record that one of the vendor's people asks for a part of a tenant's log.

        The record comes before any refusal. Requests of a tenant's own people are not recorded.
        """
        if caller.roles & VENDOR_ROLES:
            await self.record_answer(tenant, caller, "log.read", resource)

    async def require_appendable(self, tenant: str) -> None:
        """Raise LogDamagedError if the tenant's log would refuse an entry.

        Call before an irreversible change.
        """
        await self._store.require_appendable(tenant)

    async def defer_unless_appendable(self, tenant: str) -> None:
        """Raise UnavailableError when `require_appendable` refuses: the queue delivers again."""
        try:
            await self.require_appendable(tenant)
        except LogDamagedError as error:
            logger.error("the log of %s takes no entries: %s", tenant, error)  # noqa: TRY400 - the text is the app's own
            raise UnavailableError("log") from error

    async def record_events(self, events: Sequence[Recorded]) -> Sequence[RefusalError | None]:
        """Append the entries of events of any tenants, each tenant's in order and in one append.

        Returns for each event None, or the reason of the refusal; every event of a damaged log is
        refused. Raises UnavailableError when the result is unknown for any event: send the same
        events again then. A tenant's failure leaves the events of further tenants recorded.
        """
        checked: list[NewEntry | RefusalError] = []
        for event in events:
            try:
                checked.append(self._checked(event))
            except RefusalError as reason:
                checked.append(reason)
        tenants = [event.data.tenant for event in events]
        # Waiting does not help: the operator has to mend the log, and then replays the parked
        # events.
        return [
            _damaged() if isinstance(reason, LogDamagedError) else reason
            for reason in await self._append(tenants, checked)
        ]

    async def record_entries(
        self, entries: Sequence[OutgoingEntry]
    ) -> Sequence[RefusalError | LogDamagedError | None]:
        """Add the app's own entries, as `messages.outgoing.EntryLog` describes."""
        tenants = [entry.data.tenant for entry in entries]
        made = [self._entry(entry.data, SOURCE, entry.id, entry.time) for entry in entries]
        return await self._append(tenants, made)

    async def _append(
        self, tenants: Sequence[str], entries: Sequence[NewEntry | RefusalError]
    ) -> Sequence[RefusalError | LogDamagedError | None]:
        """Append each tenant's entries in one append, the tenants in parallel.

        Returns for each entry None, or the reason of the refusal.
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
        """Tell whether an event of another holder can become an entry."""
        try:
            self._checked(event)
        except Exception:  # noqa: BLE001 - the holder of the event reports the error
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


def _answered(tenant: str, caller: Caller, action: str, resource: str) -> AccessRecorded:
    return AccessRecorded(
        tenant=tenant,
        actor=caller.actor(),
        action=action,
        resource=resource,
        outcome="allowed",
    )


def _damaged() -> ConflictError:
    return ConflictError(
        LOG_DAMAGED,
        "The tenant's log was changed past this service, and takes no entries.",
        "Find out from the incident what was changed, mend it, and replay the message.",
    )
