"""The records of incidents over HTTP, for the people who handle the incidents."""

from collections.abc import Mapping, Sequence

import azure.functions as func
from msgspec import convert

from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING, RecordedByFlow
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, parameters_of
from functions.incidents.bodies import (
    IncidentPage,
    IncidentQuery,
    IncidentReport,
    IncidentSummaryView,
    IncidentView,
    OwnerRequest,
    ReasonedStepRequest,
    StepRequest,
    TimelinePage,
    TimelineView,
)
from shared.composition.incidents import IncidentsFlow
from shared.identity.rules import VENDOR_DPO, VENDOR_IT_SUPERVISOR, VENDOR_OFFICER
from shared.incidents.records.desk import Seen
from shared.incidents.records.rules import TimelineEntry, Transition

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, IncidentsFlow)

_HANDLING = {VENDOR_IT_SUPERVISOR, VENDOR_OFFICER, VENDOR_DPO}
_RECORDED = RecordedByFlow("in the log of the incident's tenant, where there is a tenant")


@http.endpoint(
    "POST",
    "incidents",
    discloses=_RECORDED,
    roles=_HANDLING,
    body=IncidentReport,
    replies={201: IncidentView},
    idempotent=True,
)
async def report_incident(call: Call[IncidentsFlow]) -> Reply:
    """Report an incident that the app does not find by itself, or a drill."""
    opened = call.read(IncidentReport).opened()
    if opened.tenant is not None:
        await call.edge.tenants.require(opened.tenant)
    identifier = await call.identifier("incidents")
    seen, _ = await call.flow.desk.open(opened, call.caller.actor(_HANDLING), identifier)
    location = {"Location": f"/api/incidents/{identifier}"}
    return await _shown(call, seen, 201, location)


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
    wanted = call.query(IncidentQuery).filter()
    found, continuation = await call.flow.desk.page(
        wanted, size=call.page_size, continuation=call.continuation
    )
    shown = [convert(one, IncidentSummaryView, from_attributes=True) for one in found]
    return Reply(200, IncidentPage(incidents=shown, continuation=continuation))


@http.endpoint(
    "GET",
    "incidents/{incident}",
    discloses=_RECORDED,
    roles=_HANDLING,
    replies={200: IncidentView},
)
async def read_incident(call: Call[IncidentsFlow]) -> Reply:
    """Read an incident with the latest steps of the timeline. Gives the ETag.

    Each step makes a new ETag; a further occurrence makes none. The reading is recorded in the log
    of the incident's tenant.
    """
    seen = await call.flow.desk.find(call.param("incident"))
    await call.flow.desk.record_reading(seen.incident, call.caller.actor(_HANDLING))
    return await _shown(call, seen)


@http.endpoint(
    "GET",
    "incidents/{incident}/timeline",
    discloses=_RECORDED,
    roles=_HANDLING,
    replies={200: TimelinePage},
    query=PAGING,
)
async def list_timeline(call: Call[IncidentsFlow]) -> Reply:
    """List the steps in the life of an incident, oldest first; recorded as a reading."""
    seen = await call.flow.desk.find(call.param("incident"))
    await call.flow.desk.record_reading(seen.incident, call.caller.actor(_HANDLING))
    entries, continuation = await call.flow.desk.timeline(
        seen.incident.id, size=call.page_size, continuation=call.continuation
    )
    return Reply(200, TimelinePage(timeline=_views(entries), continuation=continuation))


@http.endpoint(
    "PUT",
    "incidents/{incident}/acknowledgement",
    discloses=_RECORDED,
    roles=_HANDLING,
    body=StepRequest,
    replies={200: IncidentView},
    conditional=True,
)
async def acknowledge_incident(call: Call[IncidentsFlow]) -> Reply:
    """Take an open incident on, and so stop the escalation.

    The caller becomes the owner of an incident without an owner.
    """
    return await _moved(call, "acknowledge", call.read(StepRequest).text)


@http.endpoint(
    "PUT",
    "incidents/{incident}/owner",
    discloses=_RECORDED,
    roles=_HANDLING,
    body=OwnerRequest,
    replies={200: IncidentView},
    conditional=True,
)
async def assign_incident(call: Call[IncidentsFlow]) -> Reply:
    """Make a person the owner of an incident."""
    asked = call.read(OwnerRequest)
    actor = call.caller.actor(_HANDLING)
    seen = await call.flow.desk.assign(
        call.param("incident"), call.require_match, asked.owner, actor
    )
    return await _shown(call, seen)


@http.endpoint(
    "POST",
    "incidents/{incident}/notes",
    discloses=_RECORDED,
    roles=_HANDLING,
    body=ReasonedStepRequest,
    replies={201: IncidentView},
    idempotent=True,
    conditional=True,
)
async def note_incident(call: Call[IncidentsFlow]) -> Reply:
    """Add a note to the timeline of an incident.

    A note needs no personal data: name an asset by its id.
    """
    text = call.read(ReasonedStepRequest).text
    incident = call.param("incident")
    identifier = await call.identifier(f"incidents|{incident}|notes")
    actor = call.caller.actor(_HANDLING)
    seen = await call.flow.desk.note(incident, call.require_match, text, actor, identifier)
    return await _shown(call, seen, 201)


@http.endpoint(
    "PUT",
    "incidents/{incident}/containment",
    discloses=_RECORDED,
    roles=_HANDLING,
    body=StepRequest,
    replies={200: IncidentView},
    conditional=True,
)
async def contain_incident(call: Call[IncidentsFlow]) -> Reply:
    """Report that an acknowledged incident does no further harm."""
    return await _moved(call, "contain", call.read(StepRequest).text)


@http.endpoint(
    "PUT",
    "incidents/{incident}/resolution",
    discloses=_RECORDED,
    roles=_HANDLING,
    body=ReasonedStepRequest,
    replies={200: IncidentView},
    conditional=True,
)
async def resolve_incident(call: Call[IncidentsFlow]) -> Reply:
    """Report that an acknowledged or contained incident is over, and how."""
    return await _moved(call, "resolve", call.read(ReasonedStepRequest).text)


@http.endpoint(
    "PUT",
    "incidents/{incident}/review",
    discloses=_RECORDED,
    roles=_HANDLING,
    body=ReasonedStepRequest,
    replies={200: IncidentView},
    conditional=True,
)
async def review_incident(call: Call[IncidentsFlow]) -> Reply:
    """Report what was learnt of a resolved incident.

    A critical incident is reviewed after the decision whether the incident is a breach.
    """
    return await _moved(call, "review", call.read(ReasonedStepRequest).text)


@http.endpoint(
    "PUT",
    "incidents/{incident}/reopening",
    discloses=_RECORDED,
    roles=_HANDLING,
    body=ReasonedStepRequest,
    replies={200: IncidentView},
    conditional=True,
)
async def reopen_incident(call: Call[IncidentsFlow]) -> Reply:
    """Open a resolved incident again; the escalation begins anew."""
    return await _moved(call, "reopen", call.read(ReasonedStepRequest).text)


async def _moved(call: Call[IncidentsFlow], what: Transition, text: str | None) -> Reply:
    actor = call.caller.actor(_HANDLING)
    seen = await call.flow.desk.move(call.param("incident"), call.require_match, what, actor, text)
    return await _shown(call, seen)


async def _shown(
    call: Call[IncidentsFlow],
    seen: Seen,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    latest = await call.flow.desk.latest(seen.incident)
    known = {name: getattr(seen.incident, name) for name in seen.incident.__struct_fields__}
    view = IncidentView(**known, timeline=_views(latest))
    return Reply(status, view, {**(headers or {}), "ETag": etag_header(seen.version)})


def _views(entries: Sequence[TimelineEntry]) -> list[TimelineView]:
    return [convert(one, TimelineView, from_attributes=True) for one in entries]
