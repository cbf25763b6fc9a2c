"""The desk: the records of incidents are shown, and people take steps."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from shared.ids import new_id
from shared.incidents.records.filters import IncidentFilter
from shared.incidents.records.rules import (
    Incident,
    Step,
    TimelineEntry,
    Transition,
    noted,
    transition,
)
from shared.incidents.records.store import IncidentStore
from shared.messages.contracts import AccessRecorded, Actor
from shared.messages.outbox_rows import OutgoingEntry
from shared.ports import Clock

type EntryMaker = Callable[[AccessRecorded, str, datetime], OutgoingEntry]
"""The function `accesslog.new_entry`: the log's package stands above the package of incidents."""

LATEST: Final = 100
"""The entries of the timeline that are shown with a record; further entries are on pages."""

_DONE: Final[dict[Transition, str]] = {
    "acknowledge": "acknowledged",
    "contain": "contained",
    "resolve": "resolved",
    "review": "reviewed",
    "reopen": "reopened",
}


class IncidentDesk:
    """The records of the stamp's incidents, for the people who handle the incidents."""

    def __init__(self, store: IncidentStore, entry: EntryMaker, clock: Clock) -> None:
        self._store = store
        self._entry = entry
        self._clock = clock

    async def page(
        self, wanted: IncidentFilter, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Incident], str | None]:
        """Return a page of the records that `wanted` lets through, oldest first, and the token."""
        return await self._store.page(wanted, size, continuation)

    async def find(self, incident: str) -> tuple[Incident, str]:
        """Return a record and the ETag. Raises NotFoundError for a missing record."""
        return await self._store.load(incident)

    async def latest(self, incident: Incident) -> Sequence[TimelineEntry]:
        """Return the latest entries of an incident's timeline, oldest first."""
        return await self._store.latest(incident, LATEST)

    async def timeline(
        self, incident: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[TimelineEntry], str | None]:
        """Return a page of an incident's timeline, oldest first, and the token of the next page."""
        return await self._store.timeline(incident, size, continuation)

    async def move(
        self, seen: Incident, etag: str, what: Transition, actor: Actor, text: str | None
    ) -> tuple[Incident, str]:
        """Take an incident that was `seen` with `etag` to the next state, in the name of `actor`.

        `text` goes into the timeline. Whoever acknowledges an incident without an owner becomes the
        owner. Returns the record and the new ETag. Raises ConflictError for a state that does not
        allow the step, and RowConflictError when the record has changed since.
        """
        now = self._clock()
        after = transition(seen, what, now)
        if what == "acknowledge" and after.owner is None:
            after = msgspec.structs.replace(after, owner=actor.id)
        if what == "resolve" and text is not None:
            after = msgspec.structs.replace(after, resolution=text)
        return await self._step(after, etag, Step(_DONE[what], actor, text), now)

    async def record_reading(self, incident: Incident, actor: Actor) -> None:
        """Record in the tenant's access log that `actor` reads the record.

        The entry goes through the outbox: people must be able to read of a damaged log.
        """
        if entry := self._entry_of(incident, actor, "incident.viewed", self._clock()):
            await self._store.keep([], [entry])

    async def _step(
        self, after: Incident, etag: str, step: Step, now: datetime
    ) -> tuple[Incident, str]:
        logged = self._entry_of(after, step.actor, f"incident.{step.action}", now)
        after, entry = noted(after, step, now, None if logged is None else logged.id)
        outgoing = [] if logged is None else [logged]
        await self._store.commit(after, etag, [entry], outgoing=outgoing)
        return await self._store.load(after.id)

    def _entry_of(
        self, incident: Incident, actor: Actor, action: str, now: datetime
    ) -> OutgoingEntry | None:
        """Make the entry for the log of the incident's tenant, where the stamp has the tenant."""
        if incident.tenant is None or not incident.is_tenant_known:
            return None
        recorded = AccessRecorded(
            tenant=incident.tenant,
            actor=actor,
            action=action,
            resource=f"incidents/{incident.id}",
            outcome="allowed",
        )
        return self._entry(recorded, new_id(now), now)
