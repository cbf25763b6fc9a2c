"""The consequences of the messages about a matter for the record of the incident: pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.ids import new_id
from shared.incidents.records.rules import (
    MOST_LINKS,
    ONGOING,
    SYSTEM,
    Incident,
    Step,
    TimelineEntry,
    moved,
    noted,
)
from shared.messages.contracts import IncidentCleared, IncidentOpened
from shared.rows import Stored

# A matter that comes back so soon after the end is the same incident.
COMES_BACK_WITHIN: Final = timedelta(days=7)
# The clock of a sender may be ahead. A time far ahead would hide each later end of the matter.
_AHEAD: Final = timedelta(hours=1)
_BACK: Final = "The matter has come back."


@dataclass(frozen=True, slots=True)
class MatterMessage:
    """A message about a matter: the id and the time of the event, and the data."""

    id: str
    at: datetime
    data: IncidentOpened | IncidentCleared


class Matter(Stored, frozen=True):
    """The state of a matter: the incident that the next message belongs to.

    `opened_at` is the time of the latest opening, `cleared_at` the time of the latest end, by the
    events.
    """

    incident: str | None = None
    opened_at: datetime | None = None
    cleared_at: datetime | None = None
    cleared_reason: str | None = None


@dataclass(slots=True)
class MatterChange:
    """The states to keep after some messages of a matter, and the new entries of the timeline."""

    matter: Matter
    incident: Incident | None
    is_tenant_known: bool = True
    entries: list[TimelineEntry] = field(default_factory=list)

    def _note(self, incident: Incident, step: Step, now: datetime) -> None:
        self.incident, entry = noted(incident, step, now)
        self.entries.append(entry)

    def take(self, arrival: MatterMessage, now: datetime) -> None:
        """Apply one message."""
        if isinstance(arrival.data, IncidentOpened):
            self._open(arrival, arrival.data, now)
        else:
            self._clear(arrival, arrival.data, now)

    def _open(self, arrival: MatterMessage, data: IncidentOpened, now: datetime) -> None:
        latest = max(arrival.at, self.matter.opened_at or arrival.at)
        self.matter = msgspec.structs.replace(self.matter, opened_at=latest)
        incident = self.incident
        if incident is None or _is_past(incident, arrival.at):
            self._begin(arrival, data, now)
        else:
            self._occur(incident, arrival, data, now)
        self._end_if_over(now)

    def _begin(self, arrival: MatterMessage, data: IncidentOpened, now: datetime) -> None:
        before = self.incident
        identifier = new_id(now)
        incident = Incident(
            id=identifier,
            kind=data.kind,
            severity=data.severity,
            summary=data.summary,
            resource=data.resource,
            status="open",
            began_at=data.began_at or arrival.at,
            aware_at=arrival.at,
            opened_at=now,
            last_occurred_at=arrival.at,
            status_at=now,
            occurrences=1,
            resources=(data.resource,),
            tenant=data.tenant,
            is_tenant_known=self.is_tenant_known if before is None else before.is_tenant_known,
            is_drill=data.is_drill,
            follows=None if before is None else before.id,
            log_entries=data.log_entries,
        )
        self.matter = msgspec.structs.replace(self.matter, incident=identifier)
        self._note(incident, Step("opened", SYSTEM, data.summary), now)

    def _occur(
        self, incident: Incident, arrival: MatterMessage, data: IncidentOpened, now: datetime
    ) -> None:
        began = data.began_at or arrival.at
        links = dict.fromkeys((*incident.log_entries, *data.log_entries))
        is_newest = arrival.at >= incident.last_occurred_at
        after = msgspec.structs.replace(
            incident,
            summary=data.summary if is_newest else incident.summary,
            occurrences=incident.occurrences + 1,
            last_occurred_at=max(incident.last_occurred_at, arrival.at),
            began_at=min(incident.began_at, began),
            aware_at=min(incident.aware_at, arrival.at),
            log_entries=tuple(links)[-MOST_LINKS:],
        )
        if data.severity == "critical" and incident.severity == "warning":
            after = msgspec.structs.replace(after, severity="critical")
            after, entry = noted(after, Step("became critical", SYSTEM, data.summary), now)
            self.entries.append(entry)
        self.incident = after
        if incident.status == "resolved" and not _is_before_the_end(incident, arrival.at):
            self._note(moved(after, "open", now), Step("reopened", SYSTEM, _BACK), now)
        elif incident.status != "resolved" and incident.resolution is not None:
            ongoing = msgspec.structs.replace(after, resolution=None)
            self._note(ongoing, Step("came back", SYSTEM, _BACK), now)

    def _clear(self, arrival: MatterMessage, data: IncidentCleared, now: datetime) -> None:
        if self.matter.cleared_at is not None and arrival.at <= self.matter.cleared_at:
            return
        self.matter = msgspec.structs.replace(
            self.matter, cleared_at=arrival.at, cleared_reason=data.reason
        )
        self._end_if_over(now)

    def _end_if_over(self, now: datetime) -> None:
        """Resolve an open incident whose matter ended after the latest opening."""
        matter, incident = self.matter, self.incident
        if incident is None or matter.cleared_at is None or matter.opened_at is None:
            return
        if matter.cleared_at < matter.opened_at or incident.status not in ONGOING:
            return
        if incident.resolution is not None:
            return
        reason = matter.cleared_reason or ""
        after = msgspec.structs.replace(incident, resolution=reason)
        if incident.status == "open":
            self._note(moved(after, "resolved", now), Step("resolved", SYSTEM, reason), now)
        else:
            # A person has taken the incident on, and ends the incident.
            self._note(after, Step("over by itself", SYSTEM, reason), now)


def apply(
    matter: Matter,
    incident: Incident | None,
    arrivals: Sequence[MatterMessage],
    now: datetime,
    *,
    is_tenant_known: bool = True,
) -> MatterChange:
    """Apply messages of one matter to its state and to the record of its incident.

    `is_tenant_known` is False where the stamp does not have the tenant.
    """
    outcome = MatterChange(matter, incident, is_tenant_known)
    latest = now + _AHEAD
    for arrival in sorted(arrivals, key=lambda one: one.at):
        outcome.take(replace(arrival, at=min(arrival.at, latest)), now)
    return outcome


def _is_past(incident: Incident, at: datetime) -> bool:
    """Tell whether a matter that comes back at a time is another incident."""
    if incident.status in ONGOING or _is_before_the_end(incident, at):
        return False
    ended = incident.resolved_at or incident.status_at
    return incident.status == "reviewed" or at - ended > COMES_BACK_WITHIN


def _is_before_the_end(incident: Incident, at: datetime) -> bool:
    """Tell whether an occurrence is earlier than the end of its incident."""
    return incident.resolved_at is not None and at <= incident.resolved_at
