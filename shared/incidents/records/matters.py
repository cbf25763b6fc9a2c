"""The consequences of the messages about matters for the records of incidents: pure rules.

A message belongs to a matter: a kind, a tenant and a resource. A matter has at most one incident
that is not over. A storm, which is many matters of a kind and a tenant within minutes, is one
incident.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.incidents.records.rules import ONGOING, Draft, Incident
from shared.messages.contracts import IncidentCleared, IncidentOpened
from shared.rows import Stored

# A matter that comes back so soon after the end is the same incident.
COMES_BACK_WITHIN: Final = timedelta(days=7)
# So many matters, each within so long of the last, are a storm.
STORM: Final = 10
STORM_WITHIN: Final = timedelta(minutes=10)
# The resources that a record names at most.
MOST_RESOURCES: Final = 10
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
    events. `is_open` is True from an opening to the end.
    """

    incident: str | None = None
    opened_at: datetime | None = None
    cleared_at: datetime | None = None
    cleared_reason: str | None = None
    is_open: bool = False


class Beginning(msgspec.Struct, frozen=True):
    """A matter whose incident began a short time ago."""

    matter: str
    incident: str
    at: datetime


class Front(Stored, frozen=True):
    """The latest matters of a kind and a tenant, out of which a storm may grow.

    `recent` began within the time of a storm. `storm` is the incident of the storm under way, which
    took the last matter in at `storm_at`.
    """

    recent: tuple[Beginning, ...] = ()
    storm: str | None = None
    storm_at: datetime | None = None

    @property
    def incidents(self) -> Sequence[str]:
        """The incidents that a new matter may concern."""
        return [one.incident for one in self.recent] + ([self.storm] if self.storm else [])


@dataclass(slots=True)
class Sorting:
    """The states that some messages of a kind and a tenant concern, as the messages change them.

    `drafts` are the records by id, `matters` the matters by id.
    """

    front: Front
    matters: dict[str, Matter]
    drafts: dict[str, Draft]
    new_id: Callable[[], str]
    is_tenant_known: bool = True
    taken: dict[str, str] = field(default_factory=dict)
    """The incident of each message that was taken, by the message's id."""

    def apply(self, messages: Sequence[tuple[str, MatterMessage]], now: datetime) -> None:
        """Apply messages, each with the id of its matter, in the order of their times."""
        latest = now + _AHEAD
        timely = [(matter, replace(one, at=min(one.at, latest))) for matter, one in messages]
        for matter, message in sorted(timely, key=lambda pair: pair[1].at):
            if isinstance(message.data, IncidentOpened):
                self._open(matter, message.at, message.data, now)
            else:
                self._clear(matter, message.at, message.data, now)
            self.taken[message.id] = self.matters[matter].incident or ""

    def _open(self, name: str, at: datetime, data: IncidentOpened, now: datetime) -> None:
        matter = self.matters[name]
        draft = self.drafts.get(matter.incident or "")
        if draft is None or _is_past(draft.incident, at):
            draft = self._join_storm(name, at, data, now) or self._begin(name, at, data, now)
        else:
            self._occur(draft, at, data, now)
        matter = self.matters[name]
        opened_at = max(at, matter.opened_at or at)
        is_over = matter.cleared_at is not None and matter.cleared_at >= opened_at
        if not matter.is_open and not is_over:
            draft.change(open_resources=draft.incident.open_resources + 1)
        self._set(name, opened_at=opened_at, is_open=matter.is_open or not is_over)
        if is_over:
            self._end_if_over(draft, matter.cleared_reason, now)
        else:
            self._come_back(draft, at, now)

    def _begin(self, name: str, at: datetime, data: IncidentOpened, now: datetime) -> Draft:
        before = self.matters[name].incident
        earlier = self.drafts.get(before or "")
        incident = Incident(
            id=self.new_id(),
            kind=data.kind,
            severity=data.severity,
            summary=data.summary,
            resource=data.resource,
            status="open",
            began_at=data.began_at or at,
            aware_at=min(at, now),
            opened_at=now,
            last_occurred_at=at,
            status_at=now,
            escalates_from=now,
            resources=(data.resource,),
            open_resources=0,
            tenant=data.tenant,
            is_tenant_known=self.is_tenant_known,
            is_drill=data.is_drill,
            follows=None if earlier is None else earlier.incident.id,
            log_entries=data.log_entries,
        )
        draft = Draft(incident)
        draft.note(now, "opened", data.summary)
        self.drafts[incident.id] = draft
        self._set(name, incident=incident.id, is_open=False)
        recent = [one for one in self.front.recent if at - one.at <= STORM_WITHIN]
        recent.append(Beginning(name, incident.id, at))
        self.front = msgspec.structs.replace(self.front, recent=tuple(recent[1 - STORM :]))
        return draft

    def _join_storm(
        self, name: str, at: datetime, data: IncidentOpened, now: datetime
    ) -> Draft | None:
        """Add a matter to the storm under way, or to a new storm; None where there is no storm."""
        storm = self._storm(at) or self._break_out(at, now)
        if storm is None:
            return None
        self.front = msgspec.structs.replace(self.front, storm=storm.incident.id, storm_at=at)
        self._set(name, incident=storm.incident.id, is_open=False)
        self._occur(storm, at, data, now)
        _add_resources(storm, (data.resource,), 1)
        return storm

    def _storm(self, at: datetime) -> Draft | None:
        """Return the storm under way, if its incident is not over."""
        draft = self.drafts.get(self.front.storm or "")
        if draft is None or draft.incident.status not in ONGOING:
            return None
        last = self.front.storm_at or at
        return draft if at - last <= STORM_WITHIN else None

    def _break_out(self, at: datetime, now: datetime) -> Draft | None:
        """Make a storm of the latest incidents, where there are enough; the first takes all in.

        An incident that a person has taken on stays.
        """
        recent = [one for one in self.front.recent if at - one.at <= STORM_WITHIN]
        free = [one for one in recent if _is_untouched(self.drafts.get(one.incident))]
        if len(recent) < STORM - 1 or not free:
            return None
        storm = self.drafts[free[0].incident]
        for one in free[1:]:
            self._merge(storm, one, now)
        storm.note(now, "became a storm", "Many resources have the same kind of incident.")
        self.front = msgspec.structs.replace(self.front, recent=())
        return storm

    def _merge(self, storm: Draft, one: Beginning, now: datetime) -> None:
        """Take an incident into the incident of a storm."""
        merged = self.drafts[one.incident]
        other = merged.incident
        _add_resources(storm, other.resources, other.resource_count)
        storm.change(
            occurrences=storm.incident.occurrences + other.occurrences,
            open_resources=storm.incident.open_resources + other.open_resources,
            severity=max(storm.incident.severity, other.severity, key=_WEIGHT.index),
            began_at=min(storm.incident.began_at, other.began_at),
            aware_at=min(storm.incident.aware_at, other.aware_at),
        )
        storm.link(other.log_entries)
        self._set(one.matter, incident=storm.incident.id)
        for message, incident in self.taken.items():
            if incident == other.id:
                self.taken[message] = storm.incident.id
        if merged.before is None:
            # Nobody has seen the record, which was made by the same messages.
            del self.drafts[other.id]
            return
        reason = f"Part of the storm of incident {storm.incident.id}."
        merged.change(merged_into=storm.incident.id, resolution=reason)
        merged.move("resolved", now)
        merged.note(now, "merged", reason)

    def _occur(self, draft: Draft, at: datetime, data: IncidentOpened, now: datetime) -> None:
        incident = draft.incident
        is_newest = at >= incident.last_occurred_at
        draft.change(
            summary=data.summary if is_newest else incident.summary,
            occurrences=incident.occurrences + 1,
            last_occurred_at=max(incident.last_occurred_at, at),
            began_at=min(incident.began_at, data.began_at or at),
            aware_at=min(incident.aware_at, at),
        )
        draft.link(data.log_entries)
        if data.severity == "critical" and incident.severity == "warning":
            draft.change(severity="critical")
            draft.change(escalates_from=now)
            draft.note(now, "became critical", data.summary)

    def _come_back(self, draft: Draft, at: datetime, now: datetime) -> None:
        """Open a resolved incident again whose matter came back after the end."""
        incident = draft.incident
        if incident.status == "resolved" and not _is_before_the_end(incident, at):
            draft.move("open", now)
            draft.note(now, "reopened", _BACK)
        elif incident.status in ONGOING and incident.resolution is not None:
            draft.change(resolution=None)
            draft.note(now, "came back", _BACK)

    def _clear(self, name: str, at: datetime, data: IncidentCleared, now: datetime) -> None:
        matter = self.matters[name]
        if matter.cleared_at is not None and at <= matter.cleared_at:
            return
        self._set(name, cleared_at=at, cleared_reason=data.reason)
        draft = self.drafts.get(matter.incident or "")
        if draft is None or not matter.is_open or (matter.opened_at and at < matter.opened_at):
            return
        self._set(name, is_open=False)
        draft.change(open_resources=max(draft.incident.open_resources - 1, 0))
        self._end_if_over(draft, data.reason, now)

    def _end_if_over(self, draft: Draft, reason: str | None, now: datetime) -> None:
        """Resolve an open incident of which no resource is left."""
        incident = draft.incident
        if incident.open_resources or incident.status not in ONGOING or incident.resolution:
            return
        draft.change(resolution=reason)
        if incident.status == "open":
            draft.move("resolved", now)
            draft.note(now, "resolved", reason)
        else:
            # A person has taken the incident on, and ends the incident.
            draft.note(now, "over by itself", reason)

    def _set(self, name: str, **changes: object) -> None:
        self.matters[name] = msgspec.structs.replace(self.matters[name], **changes)


_WEIGHT: Final = ("warning", "critical")


def _add_resources(draft: Draft, resources: Sequence[str], count: int) -> None:
    sample = dict.fromkeys((*draft.incident.resources, *resources))
    draft.change(
        resources=tuple(sample)[:MOST_RESOURCES],
        resource_count=draft.incident.resource_count + count,
    )


def _is_untouched(draft: Draft | None) -> bool:
    """Tell whether an incident is open, and no person has taken a step."""
    return draft is not None and draft.incident.status == "open" and draft.incident.owner is None


def _is_past(incident: Incident, at: datetime) -> bool:
    """Tell whether a matter that comes back at a time is another incident."""
    if incident.status in ONGOING or _is_before_the_end(incident, at):
        return False
    ended = incident.resolved_at or incident.status_at
    return incident.status == "reviewed" or at - ended > COMES_BACK_WITHIN


def _is_before_the_end(incident: Incident, at: datetime) -> bool:
    """Tell whether an occurrence is earlier than the end of its incident."""
    return incident.resolved_at is not None and at <= incident.resolved_at
