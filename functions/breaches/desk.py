"""The desk of breaches: the vendor's people assess, scope, decide and tell."""

from collections.abc import Mapping

import azure.functions as func
from msgspec import convert

from functions.breaches.bodies import (
    AssessmentRequest,
    BreachPage,
    BreachRequest,
    BreachSummaryView,
    BreachView,
    DecisionRequest,
    FindingPage,
    NoticesRequest,
    OverviewView,
    ReportRequest,
    ScopeRequest,
    clock_views,
    finding_view,
    summary_fields,
)
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING, RecordedByFlow
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING
from shared.breaches.rules import (
    Breach,
    BreachAssessment,
    vendor_clocks,
)
from shared.breaches.scoping.rules import (
    ScopeCriteria,
)
from shared.breaches.severity import (
    SeverityFactors,
)
from shared.composition.breaches import BreachesFlow
from shared.identity.rules import (
    VENDOR_DPO,
    VENDOR_IT_SUPERVISOR,
    VENDOR_OFFICER,
)

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, BreachesFlow)

_ASSESSING = {VENDOR_IT_SUPERVISOR, VENDOR_OFFICER, VENDOR_DPO}
_REGISTER = {VENDOR_OFFICER, VENDOR_DPO}
_DECIDING = {VENDOR_DPO}


@http.endpoint(
    "POST",
    "breaches",
    discloses=NOTHING,
    roles=_ASSESSING,
    body=BreachRequest,
    replies={201: BreachView},
    idempotent=True,
)
async def open_breach(call: Call[BreachesFlow]) -> Reply:
    """Open the assessment of an incident. The record has the id of the incident.

    An open assessment is answered as it is: an incident has one assessment.
    """
    asked = call.read(BreachRequest)
    await call.reserve("breaches")
    breach, etag = await call.flow.desk.open(asked.incident_id, call.caller.actor(_ASSESSING))
    return await _shown(call, breach, etag, 201, {"Location": f"/api/breaches/{breach.id}"})


@http.endpoint(
    "GET",
    "breaches",
    discloses=NOTHING,
    roles=_REGISTER,
    replies={200: BreachPage},
    query=PAGING,
)
async def list_breaches(call: Call[BreachesFlow]) -> Reply:
    """List the register of breaches, reported or not (GDPR Art. 33(5)), by id."""
    found, continuation = await call.flow.desk.page(
        size=call.page_size, continuation=call.continuation
    )
    page = BreachPage(
        breaches=[BreachSummaryView(**summary_fields(one)) for one in found],
        continuation=continuation,
    )
    return Reply(200, page)


@http.endpoint(
    "GET",
    "breaches/{breach}",
    discloses=NOTHING,
    roles=_ASSESSING,
    replies={200: BreachView},
)
async def read_breach(call: Call[BreachesFlow]) -> Reply:
    """Read a breach with severity, scope, counts and clocks. Gives the ETag."""
    breach, etag = await call.flow.desk.find(call.param("breach"))
    return await _shown(call, breach, etag)


@http.endpoint(
    "PUT",
    "breaches/{breach}/assessment",
    discloses=NOTHING,
    roles=_ASSESSING,
    body=AssessmentRequest,
    replies={200: BreachView},
    conditional=True,
)
async def assess_breach(call: Call[BreachesFlow]) -> Reply:
    """Assess an incident, or assess again with what is new.

    After the decision that there is no breach, a new assessment needs a new decision.
    """
    asked = call.read(AssessmentRequest)
    assessment = BreachAssessment(
        is_breach=asked.is_breach,
        factors=convert(asked.factors, SeverityFactors, from_attributes=True),
        what_happened=asked.what_happened,
        consequences=asked.consequences,
        measures=asked.measures,
        began_at=asked.began_at,
        ended_at=asked.ended_at,
        significant_at=asked.significant_at,
    )
    seen, etag = await _matched(call)
    breach, etag = await call.flow.desk.assess(
        seen, etag, assessment, call.caller.actor(_ASSESSING)
    )
    return await _shown(call, breach, etag)


@http.endpoint(
    "PUT",
    "breaches/{breach}/decision",
    discloses=NOTHING,
    roles=_DECIDING,
    body=DecisionRequest,
    replies={200: BreachView},
    conditional=True,
)
async def decide_breach(call: Call[BreachesFlow]) -> Reply:
    """Decide, as the DPO, whether the incident is a personal data breach."""
    asked = call.read(DecisionRequest)
    seen, etag = await _matched(call)
    breach, etag = await call.flow.desk.decide(
        seen, etag, asked.verdict, asked.reason, call.caller.actor(_DECIDING)
    )
    return await _shown(call, breach, etag)


@http.endpoint(
    "PUT",
    "breaches/{breach}/scope",
    discloses=NOTHING,
    roles=_ASSESSING,
    body=ScopeRequest,
    replies={202: BreachView},
    conditional=True,
)
async def scope_breach(call: Call[BreachesFlow]) -> Reply:
    """Have the scope computed from the tenants' logs and asset records.

    The record shows the progress. The log of each tenant records that it was read.
    """
    asked = call.read(ScopeRequest)
    seen, etag = await _matched(call)
    criteria = convert(asked, ScopeCriteria, from_attributes=True)
    breach, etag = await call.flow.desk.scope(seen, etag, criteria, call.caller.actor(_ASSESSING))
    return await _shown(call, breach, etag, 202)


@http.endpoint(
    "PUT",
    "breaches/{breach}/notices",
    discloses=NOTHING,
    roles=_DECIDING,
    body=NoticesRequest,
    replies={202: BreachView},
    conditional=True,
)
async def send_breach_notices(call: Call[BreachesFlow]) -> Reply:
    """Tell each affected tenant, or tell what is new since the last round (GDPR Art. 33(4)).

    A tenant for which nothing is new gets no further version. A drill makes notices that reach
    nobody.
    """
    asked = call.read(NoticesRequest)
    seen, etag = await _matched(call)
    breach, etag = await call.flow.desk.tell(
        seen, etag, asked.contact, call.caller.actor(_DECIDING)
    )
    return await _shown(call, breach, etag, 202)


@http.endpoint(
    "PUT",
    "breaches/{breach}/reports/{deadline}",
    discloses=NOTHING,
    roles=_REGISTER,
    body=ReportRequest,
    replies={200: BreachView},
    conditional=True,
)
async def record_breach_report(call: Call[BreachesFlow]) -> Reply:
    """Record that the vendor made a report under NIS2, by the name of the deadline."""
    asked = call.read(ReportRequest)
    seen, etag = await _matched(call)
    breach, etag = await call.flow.desk.report(seen, etag, call.param("deadline"), asked.done_at)
    return await _shown(call, breach, etag)


@http.endpoint(
    "GET",
    "breaches/{breach}/findings",
    discloses=RecordedByFlow("an entry in the log of each tenant of the page"),
    roles=_ASSESSING,
    replies={200: FindingPage},
    query=PAGING,
)
async def list_breach_findings(call: Call[BreachesFlow]) -> Reply:
    """List what the evidence says of each tenant, by tenant; each tenant's log records it."""
    found, continuation = await call.flow.desk.findings(
        call.param("breach"), size=call.page_size, continuation=call.continuation
    )
    await call.flow.desk.record_reading(found, call.caller.actor(_ASSESSING))
    now = call.flow.clock()
    shown = [finding_view(one, now) for one in found]
    return Reply(200, FindingPage(findings=shown, continuation=continuation))


async def _matched(call: Call[BreachesFlow]) -> tuple[Breach, str]:
    seen, etag = await call.flow.desk.find(call.param("breach"))
    call.require_match(etag)
    return seen, etag


async def _shown(
    call: Call[BreachesFlow],
    breach: Breach,
    etag: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    overview = await call.flow.desk.overview(breach)
    view = BreachView(
        **summary_fields(breach),
        severity=breach.score(overview.persons if breach.scope_run else None),
        scope=breach.scope,
        scope_run=breach.scope_run,
        notices_done=breach.notices_done,
        contact=breach.contact,
        overview=convert(overview, OverviewView, from_attributes=True),
        clocks=clock_views(vendor_clocks(breach, overview.told_at, call.flow.clock())),
    )
    return Reply(status, view, {**(headers or {}), "ETag": etag_header(etag)})
