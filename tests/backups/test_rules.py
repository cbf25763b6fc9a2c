"""Which backups count as run, and when an incident is opened."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.backups.expectations import Expectation
from shared.backups.rules import (
    ItemDay,
    ItemFinding,
    Report,
    judge,
    record,
    summary,
    unreadable,
)
from shared.ports import BackupJob

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
DAILY = Expectation(item="films", vault="v", every_hours=24, tolerance_hours=2)


def job(status, started, ended=None, item="films"):
    """A job that started and ended so many hours before NOW."""
    end = None if ended is None else NOW - timedelta(hours=ended)
    return BackupJob(item, status, NOW - timedelta(hours=started), end)


@pytest.mark.parametrize(
    ("jobs", "verdict"),
    [
        ([job("Completed", 5, 4)], "completed"),
        ([job("CompletedWithWarnings", 5, 4)], "completed"),
        ([job("Completed", 27, 26)], "completed"),
        ([job("Completed", 1, 0)], "completed"),
        ([job("Completed", 1, -0.01)], "missed"),
        ([job("Completed", 0, 0)], "completed"),
        ([job("Completed", -0.01, 0)], "missed"),
        ([job("Completed", 27, 26.01)], "missed"),
        ([], "missed"),
        ([job("Completed", 5, 4, item="photos")], "missed"),
        ([job("InProgress", 5)], "missed"),
        ([job("Cancelled", 5, 4)], "missed"),
        ([job("Failed", 5, 4)], "failed"),
        ([job("Completed", 30, 29), job("Failed", 5, 4)], "failed"),
        ([job("Failed", 30, 29), job("InProgress", 1)], "missed"),
        ([job("Failed", 3, 2), job("Completed", 20, 19)], "completed"),
        ([job("Completed", -2, -1)], "missed"),
        (None, "unknown"),
    ],
)
def test_a_verdict_follows_from_the_jobs(jobs, verdict):
    assert judge(DAILY, jobs, NOW).verdict == verdict


def test_a_finding_names_the_newest_recovery_point_and_when_the_next_is_due():
    found = judge(
        DAILY, [job("Completed", 40, 39), job("Completed", 20, 19), job("Failed", 2, 1)], NOW
    )
    assert found.completed_at == NOW - timedelta(hours=19)
    assert found.due_by == NOW + timedelta(hours=7)
    assert found.newest_job == "Failed"


def report(*findings, at=NOW, audit="A1"):
    return Report(audit, "2026-11-23", at, "westeurope", "00", findings)


def finding(verdict):
    return ItemFinding("films", "v", verdict)


def test_a_completed_backup_opens_no_incident():
    decision = record(None, None, finding("completed"), report())
    assert decision.incident is None
    assert decision.state is not None
    assert decision.state.verdict == "completed"


@pytest.mark.parametrize("verdict", ["missed", "failed", "unknown"])
def test_every_other_verdict_opens_one_incident_a_day(verdict):
    first = record(None, None, finding(verdict), report())
    assert first.incident is not None
    assert first.incident.kind == f"backup.{verdict}"
    assert first.incident.resource == "backups/v/films"
    assert first.state is not None
    later = report(at=NOW + timedelta(hours=1), audit="A2")
    again = record(first.state, None, finding("missed"), later)
    assert again.incident is None
    assert again.state is not None
    assert again.state.audit == "A2"


def test_a_backup_that_turns_out_missed_later_in_the_day_opens_its_incident():
    fine = record(None, None, finding("completed"), report()).state
    later = report(at=NOW + timedelta(hours=1), audit="A2")
    assert record(fine, None, finding("missed"), later).incident is not None


def test_an_older_audit_does_not_overwrite_a_newer_one():
    newer = ItemDay(
        item="films",
        vault="v",
        day="2026-11-23",
        verdict="completed",
        audit="A2",
        audited_at=NOW + timedelta(hours=1),
    )
    decision = record(newer, None, finding("missed"), report())
    assert (decision.state, decision.incident) == (None, None)


def test_the_same_audit_again_keeps_the_day_and_opens_no_second_incident():
    first = record(None, None, finding("missed"), report())
    again = record(first.state, None, finding("missed"), report())
    assert (again.state, again.incident) == (first.state, None)


def test_an_audit_that_a_newer_one_overtook_changes_nothing():
    newer = record(
        None, None, finding("completed"), report(at=NOW + timedelta(seconds=1), audit="A2")
    )
    late = record(newer.state, None, finding("missed"), report(at=NOW, audit="A1"))
    assert (late.state, late.incident) == (None, None)


def test_an_incident_is_no_longer_than_its_message_may_be():
    item = ItemFinding("films/" * 400, "v", "missed")
    incident = record(None, None, item, report(item)).incident
    assert incident is not None
    assert incident.resource == f"backups/v/{item.item}"[:1100]
    assert unreadable("at the end " * 100).summary == ("at the end " * 100)[:512]


def test_a_summary_counts_what_did_not_complete():
    row = summary(report(finding("completed"), finding("missed"), finding("unknown")), "x.json")
    assert (row.items, row.not_completed, row.evidence) == (3, 2, "x.json")


def test_items_of_one_name_in_two_vaults_open_two_incidents():
    ours, theirs = (
        record(None, None, ItemFinding("sqldb", vault, "missed"), report())
        for vault in ("vault-a", "vault-b")
    )
    assert ours.once != theirs.once
    assert ours.incident != theirs.incident


def test_a_backup_that_ran_after_all_clears_every_incident_of_the_item():
    missed = record(None, None, finding("missed"), report())
    later = msgspec.structs.replace(report(audit="A2"), day="2026-11-24")
    failed = record(None, missed.state, finding("failed"), later)
    assert failed.state.open_kinds == ("backup.missed", "backup.failed")
    fine = record(None, failed.state, finding("completed"), report(audit="A3"))
    assert [(one.kind, one.resource) for one in fine.cleared] == [
        ("backup.missed", "backups/v/films"),
        ("backup.failed", "backups/v/films"),
    ]
    assert fine.state.open_kinds == ()
    assert record(fine.state, None, finding("completed"), report(audit="A3")).cleared == ()


def test_a_backup_that_is_missed_again_on_the_day_of_its_return_opens_a_new_incident():
    first = record(None, None, finding("missed"), report())
    back = record(first.state, None, finding("completed"), report(audit="A2"))
    again = record(back.state, None, finding("missed"), report(audit="A3"))
    assert again.incident is not None
    assert again.once != first.once
