"""The record of an incident, and the steps of the people who handle the incident: pure rules.

open -> acknowledged -> contained -> resolved -> reviewed
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from shared.errors import ConflictError, NotFoundError
from shared.messages.contracts import Actor, Severity
from shared.rows import Stored

SYSTEM: Final = Actor(id="vouchsafe.incidents", role="system", organisation="vendor")

# The entries of the access log that a record names at most: the latest.
MOST_LINKS: Final = 50

type IncidentStatus = Literal["open", "acknowledged", "contained", "resolved", "reviewed"]
type Transition = Literal["acknowledge", "contain", "resolve", "review", "reopen"]

TRANSITIONS: Final[Mapping[Transition, tuple[frozenset[IncidentStatus], IncidentStatus]]] = {
    "acknowledge": (frozenset({"open"}), "acknowledged"),
    "contain": (frozenset({"acknowledged"}), "contained"),
    "resolve": (frozenset({"acknowledged", "contained"}), "resolved"),
    "review": (frozenset({"resolved"}), "reviewed"),
    "reopen": (frozenset({"resolved"}), "open"),
}
"""The steps: from which states each leads, and to which state."""

ONGOING: Final[frozenset[IncidentStatus]] = frozenset({"open", "acknowledged", "contained"})
"""The states of an incident that is not over."""


class Incident(Stored, frozen=True):
    """The record of an incident.

    `summary` is the newest message's. `began_at` is the beginning of the matter, `aware_at` the
    time at which the app found the matter, `opened_at` the time of the record. `occurrences` counts
    the messages of the incident, the last of `last_occurred_at`. `resources` is a sample of the
    `resource_count` resources.
    `owner` is the directory's object id. `resolution` says how the matter ended. `steps` counts the
    entries of the timeline. `log_entries` are ids of entries in the tenant's access log. A tenant
    that is not the stamp's (`is_tenant_known`) has no access log here. `follows` is the earlier
    incident of the same matter.
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
    occurrences: int = 0
    resources: tuple[str, ...] = ()
    resource_count: int = 1
    tenant: str | None = None
    is_tenant_known: bool = True
    is_drill: bool = False
    owner: str | None = None
    acknowledged_at: datetime | None = None
    contained_at: datetime | None = None
    resolved_at: datetime | None = None
    reviewed_at: datetime | None = None
    resolution: str | None = None
    follows: str | None = None
    log_entries: tuple[str, ...] = ()
    steps: int = 0


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


@dataclass(frozen=True, slots=True)
class Step:
    """A step to be taken: the action in the timeline, its words, and who acts."""

    action: str
    actor: Actor
    text: str | None = None


def transition(incident: Incident, what: Transition, now: datetime) -> Incident:
    """Take an incident to the next state. Raises ConflictError from any other state."""
    sources, target = TRANSITIONS[what]
    if incident.status not in sources:
        raise ConflictError(
            "incident-status-differs",
            f"The incident is {incident.status}: it cannot take the step `{what}`.",
            f"The step leads from: {', '.join(sorted(sources))}. Read the incident again.",
        )
    return moved(incident, target, now)


def moved(incident: Incident, status: IncidentStatus, now: datetime) -> Incident:
    """Return an incident in a state, with the time at which the state began."""
    changed = msgspec.structs.replace(incident, status=status, status_at=now)
    match status:
        case "open":
            return msgspec.structs.replace(
                changed,
                acknowledged_at=None,
                contained_at=None,
                resolved_at=None,
                reviewed_at=None,
                resolution=None,
            )
        case "acknowledged":
            return msgspec.structs.replace(changed, acknowledged_at=now)
        case "contained":
            return msgspec.structs.replace(changed, contained_at=now)
        case "resolved":
            return msgspec.structs.replace(changed, resolved_at=now)
        case "reviewed":
            return msgspec.structs.replace(changed, reviewed_at=now)


def noted(
    incident: Incident, step: Step, now: datetime, log_entry: str | None = None
) -> tuple[Incident, TimelineEntry]:
    """Add a step to the timeline of an incident."""
    entry = TimelineEntry(
        number=incident.steps + 1,
        at=now,
        actor=step.actor,
        action=step.action,
        text=step.text,
        log_entry=log_entry,
    )
    links = incident.log_entries if log_entry is None else (*incident.log_entries, log_entry)
    after = msgspec.structs.replace(incident, steps=entry.number, log_entries=links[-MOST_LINKS:])
    return after, entry


def incident_not_found() -> NotFoundError:
    """Make the answer for a missing incident."""
    return NotFoundError(
        "incident-not-found",
        "There is no incident with this id.",
        "List the incidents to see which there are.",
    )
