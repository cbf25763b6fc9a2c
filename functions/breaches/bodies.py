"""The bodies of requests and answers about breaches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from functions.edge.bodies import RequestBody, View
from shared.breaches.deadlines import BreachClock, ClockState, Party, Regime
from shared.breaches.notices import NoticeForm
from shared.breaches.rules import (
    Breach,
    BreachAssessment,
    BreachDecision,
    BreachKind,
    BreachStatus,
    BreachVerdict,
    kinds_of,
    tenant_clocks,
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
    SeverityScore,
)
from shared.messages.contracts import (
    Actor,
    AwareTime,
    Identifier,
    TenantId,
    Text,
)
from shared.plain_text import PLAIN_PATTERN

# A column of a row has 32,768 characters, and a notice is a column.
type Words = Annotated[str, Meta(min_length=1, max_length=2000, pattern=PLAIN_PATTERN)]
type DecisionReason = Annotated[str, Meta(min_length=1, max_length=1000, pattern=PLAIN_PATTERN)]
type FactorReason = Annotated[str, Meta(max_length=1000, pattern=PLAIN_PATTERN)]
type PathPrefix = Annotated[str, Meta(min_length=1, max_length=1024, pattern=PLAIN_PATTERN)]
type ScopeTenants = Annotated[tuple[TenantId, ...], Meta(max_length=100)]


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


def summary_fields(breach: Breach) -> dict[str, Any]:
    """Return the members of an entry of the register."""
    own = {
        name: getattr(breach, name)
        for name in BreachSummaryView.__struct_fields__
        if name not in {"is_reported", "kinds"}
    }
    assessed = breach.assessment
    kinds = kinds_of(assessed.factors) if assessed is not None else ()
    return {**own, "is_reported": breach.notice_round > 0, "kinds": kinds}


def finding_view(finding: TenantFinding, now: datetime) -> FindingView:
    """Return the finding for a tenant, with the tenant\'s clocks."""
    own = {
        name: getattr(finding, name)
        for name in FindingView.__struct_fields__
        if name not in {"is_complete", "clocks"}
    }
    first = finding.first_noticed_at
    clocks = [] if first is None else clock_views(tenant_clocks(first, now))
    return FindingView(**own, is_complete=finding.phase == "done", clocks=clocks)


def clock_views(found: Sequence[BreachClock]) -> list[ClockView]:
    """Return clocks as an answer has them."""
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
