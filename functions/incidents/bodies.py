"""The bodies and the query of the endpoints of incidents."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, convert, field

from functions.edge.bodies import RequestBody, View
from shared.incidents.records.filters import IncidentFilter
from shared.incidents.records.rules import BreachState, IncidentStatus
from shared.messages.contracts import (
    Actor,
    AwareTime,
    Identifier,
    IncidentOpened,
    Resource,
    Severity,
    TenantId,
    Text,
)
from shared.plain_text import PLAIN_PATTERN

type NoteText = Annotated[str, Meta(min_length=1, max_length=4000, pattern=PLAIN_PATTERN)]


class IncidentQuery(Struct, frozen=True, kw_only=True):
    """The filters of the list of incidents."""

    status: IncidentStatus | None = None
    severity: Severity | None = None
    kind: Text | None = None
    tenant: TenantId | None = None
    owner: Identifier | None = None
    drill: Literal["true", "false"] | None = None
    since: AwareTime | None = field(default=None, name="from")
    until: AwareTime | None = field(default=None, name="to")

    def filter(self) -> IncidentFilter:
        """Return the filter that the query asks for."""
        return IncidentFilter(
            status=self.status,
            severity=self.severity,
            kind=self.kind,
            tenant=self.tenant,
            owner=self.owner,
            is_drill=None if self.drill is None else self.drill == "true",
            since=self.since,
            until=self.until,
        )


class IncidentSummaryView(View, frozen=True):
    """An incident in the list."""

    id: str
    kind: str
    severity: Severity
    summary: str
    resource: str
    status: IncidentStatus
    assessment: BreachState
    tenant: str | None
    is_drill: bool
    owner: str | None
    opened_at: datetime
    last_occurred_at: datetime
    occurrences: int
    resource_count: int
    merged_into: str | None


class IncidentPage(View, frozen=True):
    """A page of incidents, and the token of the next page."""

    incidents: list[IncidentSummaryView]
    continuation: str | None


class TimelineView(View, frozen=True):
    """A step in the life of an incident.

    `logEntry` is the id of the entry in the tenant's access log.
    """

    number: int
    at: datetime
    actor: Actor
    action: str
    text: str | None
    log_entry: str | None


class TimelinePage(View, frozen=True):
    """A page of the timeline of an incident, and the token of the next page."""

    timeline: list[TimelineView]
    continuation: str | None


class IncidentView(IncidentSummaryView, frozen=True):
    """The record of an incident.

    `beganAt` is the beginning of the matter, `awareAt` the time at which the app found the matter,
    `openedAt` the time of the record. `resources` is a sample of the `resourceCount` resources, of
    which `openResources` have not come right by themselves. `resolution` says how the matter ended.
    `assessment` tells whether the incident is a breach of personal data. `logEntries` are ids of
    entries in the tenant's access log. `timeline` has the latest of the `steps` steps; `told` has
    the steps of the escalation so far, of which the next is due at `dueAt`. A tenant that is not
    the stamp's has `isTenantKnown` false. `follows` is the earlier incident of the same matter,
    `mergedInto` the incident of the storm that took the incident in.
    """

    began_at: datetime
    aware_at: datetime
    status_at: datetime
    escalates_from: datetime
    resources: tuple[str, ...]
    open_resources: int
    is_tenant_known: bool
    acknowledged_at: datetime | None
    contained_at: datetime | None
    resolved_at: datetime | None
    reviewed_at: datetime | None
    resolution: str | None
    follows: str | None
    log_entries: tuple[str, ...]
    steps: int
    round: int
    told: tuple[str, ...]
    due_at: datetime | None
    timeline: list[TimelineView]


class IncidentReport(RequestBody, frozen=True, kw_only=True):
    """An incident that a person reports. Write no personal data into the summary.

    `began_at` is the beginning of the matter, if known. A drill is handled as an incident, and
    reaches nobody outside.
    """

    kind: Text
    severity: Severity
    summary: Text
    resource: Resource
    tenant: TenantId | None = None
    began_at: AwareTime | None = None
    is_drill: bool = False

    def opened(self) -> IncidentOpened:
        """Return the report as the data of a message."""
        return convert(self, IncidentOpened, from_attributes=True)


class StepRequest(RequestBody, frozen=True):
    """A step, with words for the timeline. The words need no personal data."""

    text: NoteText | None = None


class ReasonedStepRequest(RequestBody, frozen=True):
    """A step, or a note, with its reason for the timeline. The words need no personal data."""

    text: NoteText


class OwnerRequest(RequestBody, frozen=True):
    """The owner of an incident: a directory's object id, or null for nobody."""

    owner: Identifier | None
