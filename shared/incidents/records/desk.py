"""The desk: the records of incidents are shown, and people take steps."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from shared.compare_and_set import compare_and_set
from shared.errors import RowConflictError
from shared.ids import new_id
from shared.incidents.records.filters import IncidentFilter
from shared.incidents.records.rules import (
    BreachState,
    Draft,
    Incident,
    TimelineEntry,
    Transition,
    incident_not_found,
)
from shared.incidents.records.store import IncidentStore, request_row
from shared.messages.contracts import AccessRecorded, Actor, IncidentOpened
from shared.messages.outbox_rows import OutgoingEntry
from shared.ports import Clock, Operation

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


class Seen(NamedTuple):
    """The record that a person has seen, with the ETag."""

    incident: Incident
    etag: str


class IncidentDesk:
    """The records of the stamp's incidents, for the people who handle the incidents.

    Each step of a person is in the timeline, and in the access log of the incident's tenant.
    """

    def __init__(self, store: IncidentStore, entry: EntryMaker, clock: Clock) -> None:
        self._store = store
        self._entry = entry
        self._clock = clock

    async def page(
        self, wanted: IncidentFilter, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Incident], str | None]:
        """Return a page of the records that `wanted` lets through, oldest first, and the token."""
        return await self._store.page(wanted, size, continuation)

    async def find(self, incident: str) -> Seen:
        """Return a record and the ETag. Raises NotFoundError for a missing record."""
        return Seen(*await self._store.load(incident))

    async def latest(self, incident: Incident) -> Sequence[TimelineEntry]:
        """Return the latest entries of an incident's timeline, oldest first."""
        return await self._store.latest(incident, LATEST)

    async def timeline(
        self, incident: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[TimelineEntry], str | None]:
        """Return a page of an incident's timeline, oldest first, and the token of the next page."""
        return await self._store.timeline(incident, size, continuation)

    async def record_reading(self, incident: Incident, actor: Actor) -> None:
        """Record in the tenant's access log that `actor` reads the record.

        The entry goes through the outbox: people must be able to read of a damaged log.
        """
        if entry := self._entry_of(incident, actor, "incident.viewed", self._clock()):
            await self._store.send(entry)

    async def open(
        self, opened: IncidentOpened, actor: Actor, identifier: str
    ) -> tuple[Seen, bool]:
        """Open an incident that `actor` reports; `identifier` is the id of the record.

        The tenant, if any, is the stamp's. Returns the record, and True for a new record: the same
        identifier again is the same incident.
        """
        now = self._clock()
        began = opened.began_at or now
        incident = Incident(
            id=identifier,
            kind=opened.kind,
            severity=opened.severity,
            summary=opened.summary,
            resource=opened.resource,
            status="open",
            began_at=min(began, now),
            aware_at=now,
            opened_at=now,
            last_occurred_at=now,
            status_at=now,
            escalates_from=now,
            resources=(opened.resource,),
            tenant=opened.tenant,
            is_drill=opened.is_drill,
            log_entries=opened.log_entries,
        )
        draft = Draft(incident)
        try:
            await self._note(draft, "opened", opened.summary, actor, now)
        except RowConflictError:
            return await self.find(identifier), False
        return await self.find(identifier), True

    async def move(self, seen: Seen, what: Transition, actor: Actor, text: str | None) -> Seen:
        """Take an incident that was `seen` to the next state, in the name of `actor`.

        `text` goes into the timeline. Whoever acknowledges an incident without an owner becomes the
        owner. Raises ConflictError for a state that does not allow the step, and RowConflictError
        when the record has changed since.
        """
        now = self._clock()
        draft = _draft(seen)
        draft.take(what, now)
        if what == "acknowledge" and draft.incident.owner is None:
            draft.change(owner=actor.id)
        if what == "resolve" and text is not None:
            draft.change(resolution=text)
        await self._note(draft, _DONE[what], text, actor, now)
        return await self.find(seen.incident.id)

    async def assign(self, seen: Seen, owner: str | None, actor: Actor) -> Seen:
        """Make a person the owner of an incident that was `seen`; None leaves no owner.

        Raises RowConflictError when the record has changed since.
        """
        draft = _draft(seen)
        draft.change(owner=owner)
        text = "Nobody owns the incident." if owner is None else f"The owner is {owner}."
        await self._note(draft, "assigned", text, actor, self._clock())
        return await self.find(seen.incident.id)

    async def is_noted(self, identifier: str) -> bool:
        """Tell whether the note with the id is in the timeline of an incident."""
        return await self._store.has(identifier)

    async def note(self, seen: Seen, text: str, actor: Actor, identifier: str) -> Seen:
        """Add a note to the timeline of an incident that was `seen`; `identifier` is the note's id.

        Raises RowConflictError when the record has changed since.
        """
        draft = _draft(seen)
        row = request_row(identifier, seen.incident.id)
        await self._note(draft, "noted", text, actor, self._clock(), [row])
        return await self.find(seen.incident.id)

    async def add(
        self, incident: str, identifier: str, action: str, text: str, actor: Actor
    ) -> bool:
        """Add an action of another flow to the timeline of an incident, whatever its state.

        `identifier` is the id of the action: the same again adds nothing, and returns False. Raises
        NotFoundError for a missing record.
        """

        async def attempt() -> bool:
            if await self._store.has(identifier):
                return False
            draft = await self._load(incident)
            row = request_row(identifier, incident)
            await self._note(draft, action, text, actor, self._clock(), [row])
            return True

        return await compare_and_set(attempt)

    async def assess(
        self, incident: str, assessment: BreachState, text: str, actor: Actor
    ) -> Incident:
        """Keep the decision whether an incident is a breach; `text` is the reason.

        An undecided critical incident cannot be reviewed, and escalates. The same decision again
        adds nothing. Raises NotFoundError for a missing record.
        """

        async def attempt() -> Incident:
            draft = await self._load(incident)
            if draft.incident.assessment != assessment:
                draft.change(assessment=assessment)
                words = f"{assessment}: {text}"
                await self._note(draft, "assessed", words, actor, self._clock())
            return draft.incident

        return await compare_and_set(attempt)

    async def _load(self, incident: str) -> Draft:
        draft = await self._store.find(incident)
        if draft is None:
            raise incident_not_found()
        return draft

    async def _note(
        self,
        draft: Draft,
        action: str,
        text: str | None,
        actor: Actor,
        now: datetime,
        operations: Sequence[Operation] = (),
    ) -> None:
        """Commit a draft with a step in the timeline and in the tenant's access log."""
        entry = self._entry_of(draft.incident, actor, f"incident.{action}", now)
        link = None if entry is None else entry.id
        draft.note(now, action, text, actor=actor, log_entry=link)
        await self._store.keep(draft, operations, [] if entry is None else [entry])

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


def _draft(seen: Seen) -> Draft:
    return Draft(seen.incident, seen.incident, seen.etag)
