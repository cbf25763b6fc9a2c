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

# Occurrences that come at once may each win an attempt.
_ATTEMPTS: Final = 50

_DONE: Final[dict[Transition, str]] = {
    "acknowledge": "acknowledged",
    "contain": "contained",
    "resolve": "resolved",
    "review": "reviewed",
    "reopen": "reopened",
}


type Require = Callable[[str], None]
"""A check that raises unless a record has the version that a person has seen."""


class Seen(NamedTuple):
    """A record with its version: each step makes a new version, and an occurrence makes none.

    A burst of occurrences so leaves a person able to act on the record that the person has seen.
    """

    incident: Incident
    version: str


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
        """Return a record and its version. Raises NotFoundError for a missing record."""
        found = (await self._load(incident)).incident
        return Seen(found, _version(found))

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

    async def move(
        self, incident: str, require: Require, what: Transition, actor: Actor, text: str | None
    ) -> Seen:
        """Take an incident to the next state, in the name of `actor`.

        `text` goes into the timeline. Whoever acknowledges an incident without an owner becomes the
        owner. Raises NotFoundError, ConflictError for a state that does not allow the step, and the
        errors of `require`.
        """

        def take(draft: Draft, now: datetime) -> str | None:
            draft.take(what, now)
            if what == "acknowledge" and draft.incident.owner is None:
                draft.change(owner=actor.id)
            if what == "resolve" and text is not None:
                draft.change(resolution=text)
            return text

        return await self._step(incident, require, _DONE[what], actor, take)

    async def assign(
        self, incident: str, require: Require, owner: str | None, actor: Actor
    ) -> Seen:
        """Make a person the owner of an incident; None leaves no owner. Raises as `move` does."""

        def take(draft: Draft, _: datetime) -> str:
            draft.change(owner=owner)
            return "Nobody owns the incident." if owner is None else f"The owner is {owner}."

        return await self._step(incident, require, "assigned", actor, take)

    async def note(
        self, incident: str, require: Require, text: str, actor: Actor, identifier: str
    ) -> Seen:
        """Add a note to the timeline of an incident; `identifier` is the id of the note.

        The same identifier again adds nothing. Raises as `move` does.
        """
        if await self._store.has(identifier):
            return await self.find(incident)
        row = request_row(identifier, incident)
        return await self._step(incident, require, "noted", actor, lambda *_: text, [row])

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

    async def _step(
        self,
        incident: str,
        require: Require,
        action: str,
        actor: Actor,
        take: Callable[[Draft, datetime], str | None],
        operations: Sequence[Operation] = (),
    ) -> Seen:
        """Take a step on the version that a person has seen; `take` returns the words."""

        async def attempt() -> Seen:
            now = self._clock()
            draft = await self._load(incident)
            require(_version(draft.incident))
            text = take(draft, now)
            await self._note(draft, action, text, actor, now, operations)
            return Seen(draft.incident, _version(draft.incident))

        return await compare_and_set(attempt, attempts=_ATTEMPTS)

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


def _version(incident: Incident) -> str:
    return f"{incident.id}.{incident.steps}"
