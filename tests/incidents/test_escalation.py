"""Who is told of an incident, and when: the table and its rules."""

import json
from datetime import UTC, datetime, time, timedelta

import msgspec
import pytest

from shared.identity import ROLES
from shared.incidents.records.escalation import ESCALATION, QuietHours, escalate, next_due
from shared.incidents.records.rules import Draft, Incident

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
NIGHT = datetime(2026, 11, 28, 23, tzinfo=UTC)
MORNING = datetime(2026, 11, 29, 6, tzinfo=UTC)


def incident(at=NOON, **changed):
    given = {
        "id": "i1",
        "kind": "k",
        "severity": "critical",
        "summary": "s",
        "resource": "r",
        "status": "open",
        **dict.fromkeys(("began_at", "aware_at", "opened_at", "last_occurred_at", "status_at"), at),
        "escalates_from": at,
    }
    return Incident(**(given | changed))


def told(record, now):
    """The names of the steps that are due, and the record behind the steps."""
    draft = Draft(record, record, "e")
    notices = [json.loads(one.body)["data"] for one in escalate(draft, now)]
    return [(ESCALATION[one["step"]].name, one["roles"]) for one in notices], draft.incident


def test_the_table_names_roles_of_the_app_and_each_step_once():
    assert {role for step in ESCALATION for role in step.roles} <= ROLES
    assert len({step.name for step in ESCALATION}) == len(ESCALATION)


def test_a_critical_incident_is_told_at_once_again_and_to_more():
    record = incident()
    steps = []
    for minutes in (0, 1, 14, 15, 59, 60, 61, 719, 720, 5000):
        names, record = told(record, NOON + timedelta(minutes=minutes))
        steps += [(minutes, name) for name, _ in names]
    assert steps == [
        (0, "critical-0"),
        (15, "critical-15m"),
        (60, "critical-1h"),
        (720, "critical-undecided"),
    ]
    assert record.due_at is None


def test_steps_that_were_slept_through_are_all_taken():
    names, record = told(incident(), NOON + timedelta(days=1))
    assert [name for name, _ in names] == [
        "critical-0",
        "critical-15m",
        "critical-1h",
        "critical-undecided",
    ]
    assert [name for name, _ in told(record, NOON + timedelta(days=2))[0]] == []


def test_a_clock_that_goes_back_tells_nothing_twice():
    _, record = told(incident(), NOON + timedelta(hours=1))
    for hours in (-48, 0, 1, 2):
        assert told(record, NOON + timedelta(hours=hours))[0] == []


@pytest.mark.parametrize("status", ["acknowledged", "contained", "resolved"])
def test_an_incident_that_was_taken_on_escalates_to_nobody_but_the_dpo(status):
    record = incident(status=status)
    assert told(record, NOON + timedelta(hours=11))[0] == []
    assert told(record, NOON + timedelta(hours=12))[0] == [("critical-undecided", ["vendor.dpo"])]
    decided = msgspec.structs.replace(record, assessment="no-breach")
    assert told(decided, NOON + timedelta(days=9))[0] == []


def test_the_twelve_hours_count_from_awareness_and_not_from_the_record():
    record = incident(status="acknowledged", aware_at=NOON - timedelta(hours=3))
    assert next_due(record) == NOON + timedelta(hours=9)


@pytest.mark.parametrize(
    ("at", "due"),
    [
        (NOON, NOON),
        (NIGHT, MORNING),
        # Between midnight and morning in Berlin.
        (datetime(2026, 11, 29, 3, tzinfo=UTC), MORNING),
        (MORNING, MORNING),
        # 20:00 in Berlin: an hour earlier by UTC in summer.
        (datetime(2026, 7, 1, 17, 59, tzinfo=UTC), datetime(2026, 7, 1, 17, 59, tzinfo=UTC)),
        (datetime(2026, 7, 1, 18, tzinfo=UTC), datetime(2026, 7, 2, 5, tzinfo=UTC)),
        # The night in which the clocks go back is an hour longer.
        (datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC)),
    ],
)
def test_a_warning_waits_for_the_end_of_the_quiet_hours(at, due):
    assert next_due(incident(at, severity="warning")) == due
    assert next_due(incident(at)) == at


def test_quiet_hours_within_a_day():
    siesta = QuietHours("Europe/Madrid", time(14), time(16))
    for hour, over in ((12, 12), (13, 15), (14, 15), (15, 15)):
        at = datetime(2026, 11, 28, hour, tzinfo=UTC)
        assert siesta.over(at) == at.replace(hour=over)
    end = datetime(2026, 11, 28, 15, tzinfo=UTC)
    assert siesta.over(end) == end


def test_a_drill_is_told_as_a_drill_and_the_notice_says_what_is_needed():
    [notice] = escalate(Draft(incident(is_drill=True, tenant="acme"), None, None), NOON)
    event = json.loads(notice.body)
    assert (notice.queue, notice.id) == ("notices", "i1-1-critical-0")
    assert event["type"] == "vouchsafe.incident.escalated.v1"
    assert (event["data"]["isDrill"], event["data"]["tenant"]) == (True, "acme")


def test_a_merged_incident_escalates_no_more():
    assert next_due(incident(status="resolved", merged_into="i2")) is None
