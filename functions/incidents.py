"""Incidents: recorded from the queue, shown and handled; the watch over dead letters."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import azure.functions as func
from msgspec import Meta, Struct, convert, field

from functions.edge.batches import Refused, batch_consumer
from functions.edge.bodies import RequestBody, View
from functions.edge.calls import Call, Reply
from functions.edge.deliveries import Delivery
from functions.edge.disclosures import NOTHING, RecordedByFlow
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, parameters_of
from shared import composition
from shared.catalogue import INCIDENTS_QUEUE
from shared.composition.incidents import IncidentsFlow
from shared.identity.rules import VENDOR_DPO, VENDOR_IT_SUPERVISOR, VENDOR_OFFICER
from shared.incidents.records.filters import IncidentFilter
from shared.incidents.records.rules import Incident, IncidentStatus, Transition
from shared.messages.contracts import (
    Actor,
    AwareTime,
    Identifier,
    IncidentCleared,
    IncidentOpened,
    Severity,
    Text,
)
from shared.plain_text import PLAIN_PATTERN

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, IncidentsFlow)

type NoteText = Annotated[str, Meta(min_length=1, max_length=4000, pattern=PLAIN_PATTERN)]

_HANDLING = {VENDOR_IT_SUPERVISOR, VENDOR_OFFICER, VENDOR_DPO}
_IN_THE_TENANTS_LOG = RecordedByFlow("in the log of the incident's tenant, where there is a tenant")


class IncidentQuery(Struct, frozen=True, kw_only=True):
    """The filters of the list of incidents."""

    status: IncidentStatus | None = None
    severity: Severity | None = None
    kind: Text | None = None
    tenant: Identifier | None = None
    owner: Identifier | None = None
    drill: Literal["true", "false"] | None = None
    since: AwareTime | None = field(default=None, name="from")
    until: AwareTime | None = field(default=None, name="to")


class IncidentSummaryView(View, frozen=True):
    """An incident in the list."""

    id: str
    kind: str
    severity: Severity
    summary: str
    resource: str
    status: IncidentStatus
    tenant: str | None
    is_drill: bool
    owner: str | None
    opened_at: datetime
    last_occurred_at: datetime
    occurrences: int
    resource_count: int


class IncidentPage(View, frozen=True):
    """A page of incidents, and the token of the next page."""

    incidents: list[IncidentSummaryView]
    continuation: str | None


class TimelineView(View, frozen=True):
    """A step in the life of an incident."""

    number: int
    at: datetime
    actor: Actor
    action: str
    text: str | None
    log_entry: str | None


class IncidentView(IncidentSummaryView, frozen=True):
    """The record of an incident.

    `beganAt` is the beginning of the matter, `awareAt` the time at which the app found the matter,
    `openedAt` the time of the record. `resources` is a sample of the `resourceCount` resources.
    `resolution` says how the matter ended. `logEntries` are ids of entries in the tenant's access
    log. `timeline` has the latest of the `steps` steps. A tenant that is not the stamp's has
    `isTenantKnown` false. `follows` is the earlier incident of the same matter.
    """

    began_at: datetime
    aware_at: datetime
    status_at: datetime
    resources: tuple[str, ...]
    is_tenant_known: bool
    acknowledged_at: datetime | None
    contained_at: datetime | None
    resolved_at: datetime | None
    reviewed_at: datetime | None
    resolution: str | None
    follows: str | None
    log_entries: tuple[str, ...]
    steps: int
    timeline: list[TimelineView]


class TransitionRequest(RequestBody, frozen=True):
    """A step, with words for the timeline. Write no personal data of others into the words."""

    text: NoteText | None = None


@blueprint.service_bus_queue_trigger(
    "messages",
    queue_name=INCIDENTS_QUEUE.name,
    connection="SERVICE_BUS",
    cardinality=func.Cardinality.MANY,
)
@batch_consumer(IncidentsFlow, INCIDENTS_QUEUE, IncidentOpened, IncidentCleared, any_tenant=True)
async def record_incidents(
    flow: IncidentsFlow,
    deliveries: Sequence[Delivery[IncidentsFlow, IncidentOpened | IncidentCleared]],
) -> Sequence[Refused[IncidentsFlow, IncidentOpened | IncidentCleared]]:
    """Keep one record an incident, and resolve the incidents whose matter is over."""
    from shared.incidents.records.occurrences import MatterMessage

    await flow.intake.take(
        [MatterMessage(one.event.id, one.event.time, one.data) for one in deliveries]
    )
    return []


@http.endpoint(
    "GET",
    "incidents",
    discloses=NOTHING,
    roles=_HANDLING,
    replies={200: IncidentPage},
    query=(
        *parameters_of(
            IncidentQuery,
            status="The status.",
            severity="`warning` or `critical`.",
            kind="The kind, such as `backup.missed`.",
            tenant="The tenant.",
            owner="The directory's object id of the owner.",
            drill="`true` for drills alone, `false` for incidents that are no drills.",
            since="The earliest time of the record, in RFC 3339.",
            until="The time before which all records were made, in RFC 3339.",
        ),
        *PAGING,
    ),
)
async def list_incidents(call: Call[IncidentsFlow]) -> Reply:
    """List the incidents of the stamp, oldest first.

    A page may have fewer incidents than the limit and still have a successor.
    """
    asked = call.query(IncidentQuery)
    wanted = IncidentFilter(
        status=asked.status,
        severity=asked.severity,
        kind=asked.kind,
        tenant=asked.tenant,
        owner=asked.owner,
        is_drill=None if asked.drill is None else asked.drill == "true",
        since=asked.since,
        until=asked.until,
    )
    found, continuation = await call.flow.desk.page(
        wanted, size=call.page_size, continuation=call.continuation
    )
    shown = [convert(one, IncidentSummaryView, from_attributes=True) for one in found]
    return Reply(200, IncidentPage(incidents=shown, continuation=continuation))


@http.endpoint(
    "GET",
    "incidents/{incident}",
    discloses=_IN_THE_TENANTS_LOG,
    roles=_HANDLING,
    replies={200: IncidentView},
)
async def read_incident(call: Call[IncidentsFlow]) -> Reply:
    """Read an incident with the latest steps of the timeline. Gives the ETag.

    The reading is recorded in the log of the incident's tenant.
    """
    incident, etag = await call.flow.desk.find(call.param("incident"))
    await call.flow.desk.record_reading(incident, call.caller.actor(_HANDLING))
    return await _shown(call, incident, etag)


@http.endpoint(
    "PUT",
    "incidents/{incident}/acknowledgement",
    discloses=_IN_THE_TENANTS_LOG,
    roles=_HANDLING,
    body=TransitionRequest,
    replies={200: IncidentView},
    conditional=True,
)
async def acknowledge_incident(call: Call[IncidentsFlow]) -> Reply:
    """Take an open incident on, and so stop the escalation.

    The caller becomes the owner of an incident without an owner.
    """
    return await _moved(call, "acknowledge")


@blueprint.timer_trigger("timer", schedule="0 5/10 * * * *")
async def watch_dead_letters(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Open, every ten minutes, an incident for each queue with dead letters, once a day."""
    await composition.flow(IncidentsFlow).dead_letters.watch()


async def _moved(call: Call[IncidentsFlow], what: Transition) -> Reply:
    asked = call.read(TransitionRequest)
    seen, etag = await call.flow.desk.find(call.param("incident"))
    call.require_match(etag)
    incident, etag = await call.flow.desk.move(
        seen, etag, what, call.caller.actor(_HANDLING), asked.text
    )
    return await _shown(call, incident, etag)


async def _shown(call: Call[IncidentsFlow], incident: Incident, etag: str) -> Reply:
    latest = await call.flow.desk.latest(incident)
    timeline = [convert(one, TimelineView, from_attributes=True) for one in latest]
    known = {name: getattr(incident, name) for name in incident.__struct_fields__}
    view = IncidentView(**known, timeline=timeline)
    return Reply(200, view, {"ETag": etag_header(etag)})
