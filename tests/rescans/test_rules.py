"""The rules of rescans: the choice, the progress, and what follows from a scan."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.accesslog.reading.views import Listed
from shared.assets import runs
from shared.assets.rules import Asset, EngineVerdict
from shared.assets.scan_index import index_key, indexing
from shared.errors import ConflictError
from shared.messages.contracts import Actor
from shared.ports import Delete, Insert, Row
from shared.rescans import rules
from shared.rescans.recipients import receipt
from shared.rescans.rules import SYSTEM, Choice

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=3)
MIA = Actor(id="mia", role="tenant.admin", organisation="A tenant")


def verdict(engine="yara-x", signatures="7", matches=(), refusal=None, at=NOW):
    return EngineVerdict(
        engine=engine,
        engine_version="1",
        signature_version=signatures,
        scanned_at=at,
        matches=matches,
        refusal=refusal,
    )


def asset(*scans, **more):
    given = {
        "id": "A1",
        "tenant": "acme",
        "path": "a.jpg",
        "container": "tenant-acme",
        "blob": "a.jpg",
        "verdict": "clean",
        "size": 9,
        "uploaded_at": NOW,
        "filed_at": NOW,
        "sha256": "00",
        "scans": scans,
        "scanned_at": NOW,
    }
    return Asset(**given | more)


def rescan(actor=MIA, **choice):
    return rules.open_rescan("acme", "R1", Choice(**choice), actor, NOW)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, NOW),
        (NOW - timedelta(days=1), NOW - timedelta(days=1)),
        (NOW + timedelta(days=1), NOW),
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_rescan_never_reaches_into_the_future(before, expected):
    state = rescan(before=before)
    assert (state.before, state.status, state.batch) == (expected, "counting", 0)


@pytest.mark.parametrize(
    ("choice", "chosen"),
    [
        ({}, True),
        ({"engine": "yara-x"}, True),
        ({"engine": "clamd"}, True),
        ({"engine": "defender"}, False),
        ({"engine_version": "1"}, True),
        ({"engine_version": "2"}, False),
        ({"signature_version": "7"}, True),
        ({"signature_version": "8"}, True),
        ({"signature_version": "9"}, False),
        ({"engine": "yara-x", "signature_version": "8"}, False),
        ({"engine": "clamd", "signature_version": "8", "engine_version": "1"}, True),
    ],
)
def test_the_choice_is_by_one_verdict(choice, chosen):
    kept = asset(verdict(), verdict("clamd", "8"))
    assert rules.chooses(rescan(**choice), kept) is chosen


@pytest.mark.parametrize(
    ("outcome", "scanned", "failed", "read", "found"),
    [
        ("clean", 1, 0, 9, 0),
        ("refused", 1, 0, 9, 0),
        ("infected", 1, 0, 9, 1),
        ("changed", 0, 1, 9, 0),
        ("failed", 0, 1, 9, 0),
        ("missing", 0, 1, 0, 0),
    ],
)
def test_the_progress(outcome, scanned, failed, read, found):
    state = rules.counted(rescan(), 3, 27, "", NOW)
    assert (state.status, state.counted, state.counted_bytes, state.batch) == ("running", 3, 27, 1)
    state = rules.passed_over(state, "row 1")
    state = rules.looked_at(state, outcome, 9, "row 2", LATER)
    assert (state.scanned, state.failed, state.bytes) == (scanned, failed, read)
    assert (state.found, state.passed, state.remaining) == (found, 1, 1)
    assert (state.cursor, state.advanced_at) == ("row 2", LATER)
    assert runs.completed(state, LATER).remaining == 0


def test_assets_that_came_after_the_count_leave_nothing_remaining():
    state = rules.counted(rescan(), 1, 9, "", NOW)
    for row in ("row 1", "row 2"):
        state = rules.passed_over(state, row)
    assert state.remaining == 0


def test_a_message_ends_with_25_assets_or_a_gibibyte_and_counts_20000():
    assert (runs.BATCH_SIZE, runs.BATCH_BYTES, runs.COUNT_SIZE) == (25, 1 << 30, 20_000)


def test_a_deployment_settles_and_a_rescan_stalls_within_an_hour():
    assert timedelta(minutes=60) == rules.SETTLING == runs.STALLED


def test_a_count_goes_on_until_its_end():
    state = rules.counted(rescan(), 3, 27, "row 3", LATER)
    assert (state.status, state.cursor, state.batch, state.advanced_at) == (
        "counting",
        "row 3",
        1,
        LATER,
    )
    assert rules.counted(state, 2, 3, "", LATER).counted == 5


@pytest.mark.parametrize(
    ("status", "batch", "awaits"),
    [
        ("counting", 2, True),
        ("running", 2, True),
        ("running", 1, False),
        ("running", 3, False),
        ("paused", 2, False),
        ("completed", 2, False),
    ],
)
def test_which_message_has_work(status, batch, awaits):
    state = runs.next_batch(rules.counted(rescan(), 1, 1, "", NOW), NOW)
    by_status = {
        "counting": rules.counted(rules.counted(rescan(), 1, 1, "a", NOW), 1, 1, "b", NOW),
        "running": state,
        "paused": rules.paused(state, NOW),
        "completed": runs.completed(state, NOW),
    }
    assert by_status[status].awaits(batch) is awaits


@pytest.mark.parametrize(
    ("status", "age", "room", "resumed"),
    [
        ("paused", timedelta(0), True, "running"),
        ("paused", timedelta(days=9), False, None),
        ("running", runs.STALLED, True, None),
        ("running", runs.STALLED + timedelta(seconds=1), False, "running"),
        ("counting", runs.STALLED + timedelta(seconds=1), False, "counting"),
        ("completed", timedelta(days=9), True, None),
    ],
)
def test_when_the_timer_goes_on(status, age, room, resumed):
    state = rescan()
    if status != "counting":
        state = rules.counted(state, 1, 1, "", NOW)
    if status == "paused":
        state = rules.paused(state, NOW)
    if status == "completed":
        state = runs.completed(state, NOW)
    after = rules.resumed(state, NOW + age, has_room=room)
    assert (after.status if after else None) == resumed
    if after:
        assert (after.advanced_at, after.batch) == (NOW + age, state.batch)


@pytest.mark.parametrize(
    ("spent", "limit", "room"),
    [(0, 0, False), (0, 1, True), (1, 1, False), (9, 10, True), (11, 10, False)],
)
def test_the_room_in_a_budget(spent, limit, room):
    assert rules.has_room(spent, limit) is room


@pytest.mark.parametrize(
    ("sha256", "verdicts", "outcome"),
    [
        ("00", [verdict()], "clean"),
        ("00", [verdict(), verdict("clamd", refusal="x")], "refused"),
        ("00", [verdict(refusal="x"), verdict("clamd", matches=("m",))], "infected"),
        ("11", [verdict()], "changed"),
        ("11", [verdict(refusal="x")], "changed"),
        ("11", [verdict(matches=("m",))], "infected"),
    ],
)
def test_the_outcome_of_a_scan(sha256, verdicts, outcome):
    assert rules.outcome_of(asset(verdict()), sha256, verdicts) == outcome


def test_a_verdict_replaces_the_one_of_the_same_engine_alone():
    before = asset(verdict("defender", None), verdict(), scan_failed_at=NOW)
    new = verdict(signatures="8", at=LATER)
    after = rules.after_scan(before, "clean", [new], LATER)
    assert after.scans == (before.scans[0], new)
    assert (after.scanned_at, after.scan_failed_at, after.verdict) == (LATER, None, "clean")


def test_an_infected_asset_points_to_quarantine():
    new = verdict(matches=("m",), at=LATER)
    after = rules.after_scan(asset(verdict()), "infected", [new], LATER)
    assert (after.verdict, after.reason) == ("infected", "malware-found")
    assert (after.container, after.blob) == ("quarantine", "acme/A1")
    assert rules.quarantined(after).reason == "malware-found"


@pytest.mark.parametrize("outcome", ["missing", "changed", "failed"])
def test_a_failed_scan_changes_no_verdict(outcome):
    before = asset(verdict())
    after = rules.after_scan(before, outcome, [verdict(at=LATER)], LATER)
    assert (after.scans, after.scanned_at) == (before.scans, NOW)
    assert after.scan_failed_at == LATER


@pytest.mark.parametrize(
    ("outcome", "kind", "severity"),
    [
        ("clean", None, None),
        ("infected", "asset.malware-found", "critical"),
        ("missing", "asset.bytes-missing", "critical"),
        ("changed", "asset.bytes-differ", "critical"),
        ("failed", "asset.scan-failure", "warning"),
    ],
)
def test_the_incident(outcome, kind, severity):
    incident = rules.incident_of(asset(), asset(), outcome)
    if kind is None:
        assert incident is None
    else:
        assert (incident.kind, incident.severity) == (kind, severity)
        assert (incident.resource, incident.tenant) == ("assets/A1", "acme")


@pytest.mark.parametrize(
    ("before", "after", "opens"),
    [
        ((None, None), ("a", None), True),
        (("a", None), ("a", None), False),
        (("a", None), ("b", None), True),
        (("a", None), ("a", "a"), True),
        (("a", "a"), (None, "a"), False),
    ],
)
def test_only_a_new_refusal_opens_an_incident(before, after, opens):
    def record(first, second):
        return asset(verdict(refusal=first), verdict("clamd", refusal=second))

    incident = rules.incident_of(record(*before), record(*after), "refused")
    assert (incident.kind if incident else None) == ("asset.not-scannable" if opens else None)


def test_a_request_is_entered_under_the_person_and_an_end_under_the_app():
    requested, ended = (
        rules.step_of(rescan(), f"rescan.{step}") for step in ("requested", "completed")
    )
    assert (requested.actor, ended.actor) == (MIA, SYSTEM)
    assert {requested.resource, ended.resource} == {"rescans/R1"}


def test_a_scheduled_rescan_stands_in_nobodys_way():
    rules.check_new([rescan(SYSTEM)])
    with pytest.raises(ConflictError):
        rules.check_new([rescan(SYSTEM), rescan()])


def test_the_tenants_are_divided_into_two_lanes():
    lanes = [runs.lane_of(f"tenant-{number}") for number in range(200)]
    assert {lane: lanes.count(lane) > 50 for lane in set(lanes)} == {
        "lane-0": True,
        "lane-1": True,
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (asset(), "scanned|2026-11-24T12:00:00.000Z|A1"),
        (asset(scan_failed_at=LATER), "scanned|2026-11-27T12:00:00.000Z|A1"),
        (asset(verdict="infected"), None),
        (asset(verdict="refused"), None),
        (asset(scanned_at=None), None),
    ],
)
def test_the_place_in_the_index(given, expected):
    assert index_key(given) == expected


def test_the_moves_in_the_index():
    old, new = asset(), asset(scanned_at=LATER)
    insert = Insert(Row("p", index_key(new), {"asset": "A1", "size": 9}))
    delete = Delete("p", index_key(old))
    assert indexing("p", None, new) == [insert]
    assert indexing("p", old, new) == [delete, insert]
    assert indexing("p", old, None) == [delete]
    assert indexing("p", old, asset(verdict="infected")) == [delete]
    assert indexing("p", old, old) == []


@pytest.mark.parametrize(
    ("action", "resource", "received"),
    [
        ("asset.read", "assets/A1", True),
        ("asset.downloaded", "assets/A1", True),
        ("asset.viewed", "assets/A1", False),
        ("asset.cleared", "assets/A1", False),
        ("asset.quarantined", "assets/A1", False),
        ("asset.erased", "assets/A1", False),
        ("asset.read", "assets/A12", False),
        (None, "assets/A1", False),
    ],
)
def test_which_entries_are_receipts(action, resource, received):
    entry = Listed(index=1, time=NOW, actor=MIA, action=action, resource=resource)
    found = receipt(entry, "A1")
    assert (found is not None) is received
    if found:
        assert (found.id, found.role, found.received_at) == ("mia", "tenant.admin", NOW)


def test_a_redacted_entry_is_no_receipt():
    assert receipt(Listed(index=1), "A1") is None
