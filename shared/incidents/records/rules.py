"""The record of an incident, and the steps in the life of an incident: pure rules.

open -> acknowledged -> contained -> resolved -> reviewed
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import msgspec

from shared.errors import ConflictError, NotFoundError
from shared.messages.contracts import Actor, Severity
from shared.rows import Stored

SYSTEM: Final = Actor(id="vouchsafe.incidents", role="system", organisation="vendor")

# The entries of the access log that a record names at most: the latest.
_MOST_LINKS: Final = 50

type IncidentStatus = Literal["open", "acknowledged", "contained", "resolved", "reviewed"]
type Transition = Literal["acknowledge", "contain", "resolve", "review", "reopen"]
type BreachState = Literal["undecided", "breach", "no-breach"]

TRANSITIONS: Final[Mapping[Transition, tuple[frozenset[IncidentStatus], IncidentStatus]]] = {
    "acknowledge": (frozenset({"open"}), "acknowledged"),
    "contain": (frozenset({"acknowledged"}), "contained"),
    "resolve": (frozenset({"acknowledged", "contained"}), "resolved"),
    "review": (frozenset({"resolved"}), "reviewed"),
    "reopen": (frozenset({"resolved"}), "open"),
}
"""The steps of people: from which states each step leads, and to which state."""

ONGOING: Final[frozenset[IncidentStatus]] = frozenset({"open", "acknowledged", "contained"})
"""The states of an incident that is not over."""

_TIMES: Final[Mapping[IncidentStatus, str]] = {
    "acknowledged": "acknowledged_at",
    "contained": "contained_at",
    "resolved": "resolved_at",
    "reviewed": "reviewed_at",
}


class Incident(Stored, frozen=True):
    """The record of an incident.

    `summary` is the newest message's. `began_at` is the beginning of the matter, `aware_at` the
    time at which the app found the matter, `opened_at` the time of the record. `occurrences` counts
    the messages of the incident, the last of `last_occurred_at`. `resources` is a sample of the
    `resource_count` resources, of which `open_resources` have not come right by themselves. `owner`
    is the directory's object id. `resolution` says how the matter ended. `assessment` tells whether
    the incident is a breach of personal data. `steps` counts the entries of the timeline.
    `log_entries` are ids of entries in the tenant's access log. A tenant that is not the stamp's
    (`is_tenant_known` is False) has no access log here. `follows` is the earlier incident of the
    same matter, `merged_into` the incident of the storm that took the incident in.

    The times of the escalation count from `escalates_from`. `told` has the names of the steps of
    the escalation so far, of which the next is due at `due_at`. `round` counts the openings.
    """

    id: str
    kind: str
    severity: Severity
    summary: str
    resource: str
    status: IncidentStatus
    began_at: datetime
    aware_at: datetime
    opened_at: datetime
    last_occurred_at: datetime
    status_at: datetime
    escalates_from: datetime
    occurrences: int = 1
    resources: tuple[str, ...] = ()
    resource_count: int = 1
    open_resources: int = 1
    tenant: str | None = None
    is_tenant_known: bool = True
    is_drill: bool = False
    owner: str | None = None
    acknowledged_at: datetime | None = None
    contained_at: datetime | None = None
    resolved_at: datetime | None = None
    reviewed_at: datetime | None = None
    resolution: str | None = None
    assessment: BreachState = "undecided"
    follows: str | None = None
    merged_into: str | None = None
    log_entries: tuple[str, ...] = ()
    steps: int = 0
    round: int = 1
    told: tuple[str, ...] = ()
    due_at: datetime | None = None


class TimelineEntry(Stored, frozen=True):
    """A step in the life of an incident: who did what, when, and the words about the step.

    `number` counts the steps of an incident, from 1. `log_entry` is the id of the entry in the
    tenant's access log.
    """

    number: int
    at: datetime
    actor: Actor
    action: str
    text: str | None = None
    log_entry: str | None = None


@dataclass(slots=True)
class Draft:
    """A record with the changes that are not yet committed, and the new entries of the timeline.

    `before` is the committed record with its ETag; None for a new record.
    """

    incident: Incident
    before: Incident | None = None
    etag: str | None = None
    entries: list[TimelineEntry] = field(default_factory=list)

    @property
    def is_changed(self) -> bool:
        """Tell whether there is anything to commit."""
        return self.incident != self.before

    def change(self, **changes: object) -> None:
        """Change fields of the record."""
        self.incident = msgspec.structs.replace(self.incident, **changes)

    def note(
        self,
        now: datetime,
        action: str,
        text: str | None = None,
        *,
        actor: Actor = SYSTEM,
        log_entry: str | None = None,
    ) -> None:
        """Add a step to the timeline."""
        number = self.incident.steps + 1
        self.change(steps=number)
        if log_entry is not None:
            self.link([log_entry])
        self.entries.append(
            TimelineEntry(
                number=number, at=now, actor=actor, action=action, text=text, log_entry=log_entry
            )
        )

    def link(self, log_entries: "list[str] | tuple[str, ...]") -> None:
        """Add ids of entries in the tenant's access log; the latest stay."""
        links = dict.fromkeys((*self.incident.log_entries, *log_entries))
        self.change(log_entries=tuple(links)[-_MOST_LINKS:])

    def move(self, status: IncidentStatus, now: datetime) -> None:
        """Put the record into a state. An incident that opens again escalates anew."""
        self.change(status=status, status_at=now)
        if status != "open":
            self.change(**{_TIMES[status]: now})
            return
        self.change(
            **dict.fromkeys(_TIMES.values()),
            resolution=None,
            escalates_from=now,
            round=self.incident.round + 1,
            told=(),
        )

    def take(self, what: Transition, now: datetime) -> None:
        """Take a step of a person.

        Raises ConflictError for a state that does not allow the step, and for the review of a
        critical incident before the decision about a breach.
        """
        sources, target = TRANSITIONS[what]
        if self.incident.status not in sources:
            raise ConflictError(
                "incident-status-differs",
                f"The incident is {self.incident.status}: it cannot take the step `{what}`.",
                f"The step leads from: {', '.join(sorted(sources))}. Read the incident again.",
            )
        if what == "review" and is_undecided(self.incident):
            raise ConflictError(
                "incident-undecided",
                "Nobody has decided whether this critical incident is a breach of personal data.",
                "Let the data protection officer decide, then review the incident.",
            )
        self.move(target, now)


def is_undecided(incident: Incident) -> bool:
    """Tell whether a critical incident waits for the decision about a breach."""
    return (
        incident.severity == "critical"
        and incident.assessment == "undecided"
        and incident.merged_into is None
    )


def incident_not_found() -> NotFoundError:
    """Make the answer for a missing incident."""
    return NotFoundError(
        "incident-not-found",
        "There is no incident with this id.",
        "List the incidents to see which there are.",
    )
