"""BreachAssessment and decision, as tables."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.breaches.rules import (
    Breach,
    BreachAssessment,
    IncidentFacts,
    assess,
    decide,
    kinds_of,
    open_breach,
    report_done,
    require_notifiable,
    vendor_clocks,
)
from shared.breaches.severity import SeverityFactors
from shared.errors import ConflictError, InvalidInputError, NotFoundError
from shared.messages.contracts import Actor
from shared.rows import from_values, to_values

NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OFFICER = Actor(id="officer-1", role="vendor.officer", organisation="vendor")
DPO = Actor(id="dpo-1", role="vendor.dpo", organisation="vendor")
FACTS = IncidentFacts(
    id="01JDQ0000000000000000000AA",
    summary="[a token was misused]",
    began_at=NOW - timedelta(hours=5),
    aware_at=NOW - timedelta(hours=2),
    opened_at=NOW - timedelta(hours=1),
    is_critical=True,
    is_drill=False,
)
FACTORS = SeverityFactors(
    data_kind="simple", identification="maximum", confidentiality="known-recipients"
)
ASSESSMENT = BreachAssessment(
    is_breach=True,
    factors=FACTORS,
    what_happened="A token was misused.",
    consequences="Pictures were seen.",
    measures="The token was revoked.",
)


def opened() -> Breach:
    return open_breach(FACTS, OFFICER, NOW)


def assessed() -> Breach:
    return assess(opened(), ASSESSMENT, OFFICER, NOW)


def test_the_record_is_kept_as_it_is() -> None:
    breach = decide(assessed(), "breach", "{seen}", DPO, LATER)
    assert from_values(Breach, to_values(breach)) == breach


def test_the_decision_follows_the_assessment() -> None:
    with pytest.raises(ConflictError, match="breach-not-assessed"):
        decide(opened(), "no-breach", "nothing", DPO, NOW)
    breach = decide(assessed(), "breach", "personal data were seen", DPO, LATER)
    assert breach.is_breach
    assert breach.decision is not None
    assert breach.decision.reason == "personal data were seen"
    assert require_notifiable(breach) == ASSESSMENT


@pytest.mark.parametrize("reason", ["", " ", "\n"])
def test_a_decision_needs_a_reason(reason: str) -> None:
    with pytest.raises(InvalidInputError, match="breach-reason-missing"):
        decide(assessed(), "breach", reason, DPO, LATER)


def test_a_new_assessment_asks_for_a_new_decision_where_there_was_no_breach() -> None:
    breach = assess(
        decide(assessed(), "no-breach", "test data", DPO, NOW), ASSESSMENT, OFFICER, LATER
    )
    assert (breach.status, breach.decision, len(breach.decisions)) == ("assessed", None, 1)
    with pytest.raises(ConflictError, match="breach-not-decided"):
        require_notifiable(breach)


def test_a_breach_stays_a_breach_under_a_new_assessment() -> None:
    breach = assess(decide(assessed(), "breach", "seen", DPO, NOW), ASSESSMENT, OFFICER, LATER)
    assert (breach.is_breach, breach.assessments) == (True, 2)


def test_told_tenants_make_a_breach_final() -> None:
    breach = decide(assessed(), "breach", "seen", DPO, NOW)
    told = msgspec.structs.replace(breach, notice_round=1)
    with pytest.raises(ConflictError, match="breach-notices-sent"):
        decide(told, "no-breach", "a mistake", DPO, LATER)


@pytest.mark.parametrize(
    ("factors", "kinds"),
    [
        ({}, ()),
        ({"confidentiality": "no-evidence"}, ("confidentiality",)),
        ({"integrity": "unused", "availability": "full"}, ("integrity", "availability")),
    ],
)
def test_the_kinds_follow_the_losses(factors: dict[str, str], kinds: tuple[str, ...]) -> None:
    chosen = msgspec.convert(
        {"dataKind": "simple", "identification": "limited", **factors}, SeverityFactors
    )
    assert kinds_of(chosen) == kinds


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            {"factors": SeverityFactors(data_kind="simple", identification="limited")},
            "kind-missing",
        ),
        ({"began_at": LATER, "ended_at": NOW}, "time-invalid"),
        ({"began_at": NOW + timedelta(hours=2)}, "time-invalid"),
        ({"significant_at": NOW + timedelta(days=2)}, "time-invalid"),
    ],
)
def test_an_assessment_that_contradicts_itself_is_refused(
    change: dict[str, object], code: str
) -> None:
    changed = msgspec.structs.replace(ASSESSMENT, **change)
    with pytest.raises(InvalidInputError, match=code):
        assess(opened(), changed, OFFICER, NOW)


def _states(breach: Breach, now: datetime, told_at: datetime | None = None) -> dict[str, str]:
    return {one.deadline.name: one.state for one in vendor_clocks(breach, told_at, now)}


def test_the_vendors_clocks() -> None:
    states = _states(opened(), NOW)
    assert states["gdpr-processor-notice"] == "running"
    assert states["house-decision"] == "running"
    assert states["nis2-early-warning"] == "not-started"
    assert _states(opened(), NOW + timedelta(hours=12))["house-decision"] == "overdue"
    breach = decide(assessed(), "breach", "seen", DPO, LATER)
    assert _states(breach, LATER)["house-decision"] == "met"
    assert _states(breach, NOW + timedelta(hours=23))["gdpr-processor-notice"] == "overdue"
    assert _states(breach, NOW + timedelta(days=9), LATER)["gdpr-processor-notice"] == "met"


def test_no_breach_has_no_notice_to_wait_for() -> None:
    breach = decide(assessed(), "no-breach", "test data", DPO, LATER)
    assert _states(breach, NOW + timedelta(days=9))["gdpr-processor-notice"] == "not-started"


def test_the_reports_of_nis2_start_and_stop_their_clocks() -> None:
    significant = msgspec.structs.replace(ASSESSMENT, significant_at=NOW)
    breach = assess(opened(), significant, OFFICER, NOW)
    assert _states(breach, LATER)["nis2-notification"] == "running"
    assert _states(breach, LATER)["nis2-final-report"] == "not-started"
    breach = report_done(breach, "nis2-notification", LATER, LATER)
    assert _states(breach, LATER)["nis2-notification"] == "met"
    assert _states(breach, LATER + timedelta(days=29))["nis2-final-report"] == "running"
    assert _states(breach, LATER + timedelta(days=31))["nis2-final-report"] == "overdue"


@pytest.mark.parametrize("name", ["", "gdpr-authority", "house-decision", "gdpr-processor-notice"])
def test_people_record_no_duty_that_the_app_records(name: str) -> None:
    with pytest.raises(NotFoundError, match="deadline-not-found"):
        report_done(opened(), name, NOW, NOW)


def test_a_report_is_not_of_the_future() -> None:
    with pytest.raises(InvalidInputError, match="breach-time-invalid"):
        report_done(opened(), "nis2-early-warning", LATER, NOW)


def test_the_decisions_fit_their_column() -> None:
    breach = assessed()
    for _ in range(12):
        breach = decide(breach, "breach", "\N{GRINNING FACE}" * 1000, DPO, NOW)
    kept = to_values(breach)["decisions"]
    assert isinstance(kept, str)
    assert len(kept.encode("utf-16-le")) <= 65536
    with pytest.raises(ConflictError, match="breach-decisions-full"):
        decide(breach, "breach", "again", DPO, NOW)
