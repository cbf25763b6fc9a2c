"""Personal data breaches: assessed, scoped, decided, told to tenants, and kept in a register."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from msgspec import Meta, convert

from functions.edge.bodies import RequestBody, View
from functions.edge.calls import Call, Reply
from functions.edge.deliveries import Delivery
from functions.edge.disclosures import NOTHING, Disclosed, RecordedByFlow
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, Parameter
from functions.edge.queues import consumer
from shared import composition
from shared.breaches.communication import COMMUNICATION_LANGUAGES, Communication, communication
from shared.breaches.deadlines import BreachClock, ClockState, Party, Regime
from shared.breaches.notices import NoticeForm, TenantNotice
from shared.breaches.rules import (
    Breach,
    BreachAssessment,
    BreachDecision,
    BreachKind,
    BreachStatus,
    BreachVerdict,
    kinds_of,
    tenant_clocks,
    vendor_clocks,
)
from shared.breaches.scoping.rules import (
    Affected,
    LogRange,
    ScopeCriteria,
    StoreName,
    TenantFinding,
)
from shared.breaches.severity import (
    AvailabilityLoss,
    ConfidentialityLoss,
    DataKind,
    EaseOfIdentification,
    IntegrityLoss,
    SeverityFactors,
    SeverityScore,
)
from shared.catalogue import BREACH_STEPS_QUEUE
from shared.composition.breaches import BreachesFlow
from shared.errors import InvalidInputError
from shared.identity.rules import (
    TENANT_ADMIN,
    VENDOR_DPO,
    VENDOR_IT_SUPERVISOR,
    VENDOR_OFFICER,
)
from shared.messages.contracts import (
    Actor,
    AwareTime,
    BreachNoticesDue,
    BreachTenantDue,
    BreachTenantsDue,
    Identifier,
    TenantId,
    Text,
)
from shared.plain_text import PLAIN_PATTERN

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, BreachesFlow)

# A column of a row has 32,768 characters, and a notice is a column.
type Words = Annotated[str, Meta(min_length=1, max_length=2000, pattern=PLAIN_PATTERN)]
type DecisionReason = Annotated[str, Meta(min_length=1, max_length=1000, pattern=PLAIN_PATTERN)]
type FactorReason = Annotated[str, Meta(max_length=1000, pattern=PLAIN_PATTERN)]
type PathPrefix = Annotated[str, Meta(min_length=1, max_length=1024, pattern=PLAIN_PATTERN)]
type ScopeTenants = Annotated[tuple[TenantId, ...], Meta(max_length=100)]

_ASSESSING = {VENDOR_IT_SUPERVISOR, VENDOR_OFFICER, VENDOR_DPO}
_REGISTER = {VENDOR_OFFICER, VENDOR_DPO}
_DECIDING = {VENDOR_DPO}
_READING = {TENANT_ADMIN, VENDOR_DPO}


class BreachRequest(RequestBody, frozen=True):
    """Open the assessment of an incident."""

    incident_id: Identifier


class FactorsRequest(RequestBody, frozen=True):
    """The factors of ENISA's severity; see docs/explanation/breaches.md."""

    data_kind: DataKind
    identification: EaseOfIdentification
    confidentiality: ConfidentialityLoss = "none"
    integrity: IntegrityLoss = "none"
    availability: AvailabilityLoss = "none"
    is_malicious: bool = False
    adjustment: Annotated[int, Meta(ge=-3, le=3)] = 0
    is_unintelligible: bool = False
    reason: FactorReason = ""


class AssessmentRequest(RequestBody, frozen=True):
    """An assessment. The words go to the affected tenants: write no data of any tenant there."""

    is_breach: bool
    factors: FactorsRequest
    what_happened: Words
    consequences: Words
    measures: Words
    began_at: AwareTime | None = None
    ended_at: AwareTime | None = None
    significant_at: AwareTime | None = None


class DecisionRequest(RequestBody, frozen=True):
    """The decision of the DPO, with the reason."""

    verdict: BreachVerdict
    reason: DecisionReason


class ScopeRequest(RequestBody, frozen=True):
    """The question of a scope: what was touched from `since` to before `until`.

    Given conditions all apply. With `store`, every asset counts that the store held in the window.
    Without `tenants`, every tenant of the stamp is looked at.
    """

    since: AwareTime
    until: AwareTime
    actor: Identifier | None = None
    grant: Identifier | None = None
    path_prefix: PathPrefix | None = None
    store: StoreName | None = None
    tenants: ScopeTenants = ()


class NoticesRequest(RequestBody, frozen=True):
    """Tell the affected tenants. `contact` is the contact point of the DPO for the tenants."""

    contact: Text


class ReportRequest(RequestBody, frozen=True):
    """Record that a report to an authority was made."""

    done_at: AwareTime


class ClockView(View, frozen=True):
    """A clock. `leftSeconds` is below zero for an overdue clock, null for one that does not run.

    `dueAt` is the earliest end of the deadline. `isLaw` is false for a number that the vendor
    holds itself to, where the law says "without undue delay".
    """

    name: str
    regime: Regime
    version: str
    article: str
    duty: str
    party: Party
    is_law: bool
    state: ClockState
    started_at: datetime | None
    due_at: datetime | None
    done_at: datetime | None
    left_seconds: int | None


class BreachSummaryView(View, frozen=True):
    """An entry of the register (GDPR Art. 33(5)): facts, effects and actions.

    `isReported` tells whether tenants were told.
    """

    id: str
    summary: str
    status: BreachStatus
    is_critical: bool
    is_drill: bool
    is_reported: bool
    began_at: datetime
    aware_at: datetime
    opened_at: datetime
    opened_by: Actor
    kinds: tuple[BreachKind, ...]
    assessment: BreachAssessment | None
    assessed_at: datetime | None
    assessed_by: Actor | None
    decisions: tuple[BreachDecision, ...]
    notice_round: int


class BreachPage(View, frozen=True):
    """A page of the register, and the token of the next page."""

    breaches: list[BreachSummaryView]
    continuation: str | None


class OverviewView(View, frozen=True):
    """The scope and the notices over all tenants; counts alone.

    `isComplete` is true once every tenant has been looked at. `told` affected tenants have a
    notice.
    """

    is_complete: bool
    tenants: int
    pending: int
    affected: int
    undetermined: int
    unknown_tenants: int
    told: int
    assets: int
    persons: int | None
    told_at: datetime | None


class BreachView(BreachSummaryView, frozen=True):
    """The record of a breach with severity, scope and clocks."""

    severity: SeverityScore | None
    scope: ScopeCriteria | None
    scope_run: int
    notices_done: int
    contact: str | None
    overview: OverviewView
    clocks: list[ClockView]


class FindingView(View, frozen=True):
    """The finding for a tenant; see docs/explanation/breaches.md for each number."""

    tenant: str
    affected: Affected
    is_complete: bool
    assets: int
    persons: int | None
    is_estimate: bool
    entries: int
    attempts: int
    redacted: int
    categories: Mapping[str, int]
    disclosures: Mapping[str, int]
    actions: Mapping[str, int]
    actors: tuple[str, ...]
    grants: tuple[str, ...]
    first_at: datetime | None
    last_at: datetime | None
    unknown: tuple[str, ...]
    log: LogRange | None
    notice_version: int
    clocks: list[ClockView]


class FindingPage(View, frozen=True):
    """A page of findings, and the token of the next page."""

    findings: list[FindingView]
    continuation: str | None


class NoticeSummaryView(View, frozen=True):
    """The notice of a breach in the list: the latest version."""

    breach: str
    version: int
    made_at: datetime
    first_made_at: datetime
    clocks: list[ClockView]


class BreachNoticePage(View, frozen=True):
    """A page of notices of breaches, and the token of the next page."""

    notices: list[NoticeSummaryView]
    continuation: str | None


class BreachNoticeView(View, frozen=True):
    """A version of the notice of a breach, and the tenant's clocks.

    `form` follows the sections of the authorities' form; pass `form` on as it is, with what
    `toComplete` lists.
    """

    breach: str
    version: int
    made_at: datetime
    first_made_at: datetime
    is_drill: bool
    form: NoticeForm
    clocks: list[ClockView]


class BreachAssetPage(View, frozen=True):
    """A page of the ids of the assets of a notice, and the token of the next page."""

    assets: list[str]
    continuation: str | None


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
        breaches=[BreachSummaryView(**_summary(one)) for one in found], continuation=continuation
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
    shown = [_finding(one, now) for one in found]
    return Reply(200, FindingPage(findings=shown, continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/breach-notices",
    discloses=Disclosed("breach-notices.listed", "breach-notices"),
    roles=_READING,
    replies={200: BreachNoticePage},
    query=PAGING,
)
async def list_breach_notices(call: Call[BreachesFlow]) -> Reply:
    """List the notices of breaches to the tenant, each with the tenant's clocks; recorded."""
    found, continuation = await call.flow.notifying.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    now = call.flow.clock()
    notices = [
        NoticeSummaryView(
            breach=one.breach,
            version=one.version,
            made_at=one.made_at,
            first_made_at=one.first_made_at,
            clocks=_clocks(tenant_clocks(one.first_made_at, now)),
        )
        for one in found
    ]
    return Reply(200, BreachNoticePage(notices=notices, continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/breach-notices/{breach}",
    discloses=Disclosed("breach-notice.viewed", "breach-notices/{breach}"),
    roles=_READING,
    replies={200: BreachNoticeView},
    query=(Parameter("version", "The version; the latest where it is left out."),),
)
async def read_breach_notice(call: Call[BreachesFlow]) -> Reply:
    """Read a notice of a breach, in the fields of the authorities' form; recorded."""
    notice = await _notice(call)
    view = BreachNoticeView(
        breach=notice.breach,
        version=notice.version,
        made_at=notice.made_at,
        first_made_at=notice.first_made_at,
        is_drill=notice.is_drill,
        form=notice.form,
        clocks=_clocks(tenant_clocks(notice.first_made_at, call.flow.clock())),
    )
    return Reply(200, view, {"ETag": etag_header(f"{notice.breach}-{notice.version}")})


@http.endpoint(
    "GET",
    "tenants/{tenant}/breach-notices/{breach}/assets",
    discloses=Disclosed("breach-notice.viewed", "breach-notices/{breach}"),
    roles=_READING,
    replies={200: BreachAssetPage},
    query=(Parameter("version", "The version; the latest where it is left out."), *PAGING),
)
async def list_breach_assets(call: Call[BreachesFlow]) -> Reply:
    """List the ids of every asset of a notice; recorded."""
    assets, continuation = await call.flow.notifying.assets(
        await _notice(call), size=call.page_size, continuation=call.continuation
    )
    return Reply(200, BreachAssetPage(assets=list(assets), continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/breach-notices/{breach}/communication",
    discloses=Disclosed("breach-notice.viewed", "breach-notices/{breach}"),
    roles=_READING,
    replies={200: Communication},
    query=(
        Parameter("version", "The version; the latest where it is left out."),
        Parameter("language", "`en`, `de`, `fr` or `nb`; English where it is left out."),
    ),
)
async def read_breach_communication(call: Call[BreachesFlow]) -> Reply:
    """Read a draft of the words to the data subjects (GDPR Art. 34), for the tenant to complete."""
    language = call.choice("language", COMMUNICATION_LANGUAGES)
    return Reply(200, communication((await _notice(call)).form, language))


@blueprint.service_bus_queue_trigger(
    "message", queue_name=BREACH_STEPS_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(BreachesFlow, BREACH_STEPS_QUEUE, BreachTenantsDue, BreachTenantDue, BreachNoticesDue)
async def advance_breach(
    delivery: Delivery[BreachesFlow, BreachTenantsDue | BreachTenantDue | BreachNoticesDue],
) -> None:
    """Look at the next tenants, do a tenant's next batch, or tell the next tenants."""
    flow = delivery.flow
    match delivery.data:
        case BreachTenantsDue(breach_id=breach, run=run, continuation=continuation):
            await flow.scoping.spread(breach, run, continuation)
        case BreachTenantDue(tenant=tenant, breach_id=breach, run=run, batch=batch):
            await flow.scoping.advance(tenant, breach, run, batch)
        case BreachNoticesDue(breach_id=breach, notice_round=number, continuation=continuation):
            await flow.notifying.tell(breach, number, continuation)


@blueprint.timer_trigger("timer", schedule="0 25 * * * *")
async def resume_breaches(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Go on, every hour, with scopes and notices whose messages have expired."""
    await composition.flow(BreachesFlow).desk.resume()


async def _matched(call: Call[BreachesFlow]) -> tuple[Breach, str]:
    seen, etag = await call.flow.desk.find(call.param("breach"))
    call.require_match(etag)
    return seen, etag


async def _notice(call: Call[BreachesFlow]) -> TenantNotice:
    text = call.request.params.get("version")
    if text and not (text.isascii() and text.isdigit() and len(text) < 7 and int(text)):
        raise InvalidInputError(
            "version-invalid",
            "The version is not a whole number from 1 on.",
            "Pass the number of a version, or leave it out for the latest.",
        )
    is_vendor = call.caller.tenant is None
    return await call.flow.notifying.find(
        call.tenant,
        call.param("breach"),
        int(text) if text else None,
        with_drills=is_vendor,
    )


async def _shown(
    call: Call[BreachesFlow],
    breach: Breach,
    etag: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    overview = await call.flow.desk.overview(breach)
    view = BreachView(
        **_summary(breach),
        severity=breach.score(overview.persons if breach.scope_run else None),
        scope=breach.scope,
        scope_run=breach.scope_run,
        notices_done=breach.notices_done,
        contact=breach.contact,
        overview=convert(overview, OverviewView, from_attributes=True),
        clocks=_clocks(vendor_clocks(breach, overview.told_at, call.flow.clock())),
    )
    return Reply(status, view, {**(headers or {}), "ETag": etag_header(etag)})


def _summary(breach: Breach) -> dict[str, Any]:
    own = {
        name: getattr(breach, name)
        for name in BreachSummaryView.__struct_fields__
        if name not in {"is_reported", "kinds"}
    }
    assessed = breach.assessment
    kinds = kinds_of(assessed.factors) if assessed is not None else ()
    return {**own, "is_reported": breach.notice_round > 0, "kinds": kinds}


def _finding(finding: TenantFinding, now: datetime) -> FindingView:
    own = {
        name: getattr(finding, name)
        for name in FindingView.__struct_fields__
        if name not in {"is_complete", "clocks"}
    }
    first = finding.first_noticed_at
    clocks = [] if first is None else _clocks(tenant_clocks(first, now))
    return FindingView(**own, is_complete=finding.phase == "done", clocks=clocks)


def _clocks(found: Sequence[BreachClock]) -> list[ClockView]:
    return [
        ClockView(
            name=one.deadline.name,
            regime=one.deadline.regime,
            version=one.deadline.version,
            article=one.deadline.article,
            duty=one.deadline.duty,
            party=one.deadline.party,
            is_law=one.deadline.period is not None and one.deadline.regime != "house",
            state=one.state,
            started_at=one.started_at,
            due_at=one.due_at,
            done_at=one.done_at,
            left_seconds=None if one.left is None else int(one.left.total_seconds()),
        )
        for one in found
    ]
