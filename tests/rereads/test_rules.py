"""Tables of the rules of rereads."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.assets import runs
from shared.assets.rules import Asset
from shared.errors import ConflictError
from shared.rereads import rules
from shared.rereads.rules import Sealing, Selection
from shared.subjects.notes import NOT_OPENED
from tests.rereads.steps import ADA

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
HOUR = timedelta(hours=1)
ASSET = Asset(id="a", tenant="t", path="p", verdict="clean", size=1, uploaded_at=NOW, filed_at=NOW)
NEW, OLD = Sealing("2", 5), Sealing("1", 4)
NEW_KEY, NEW_READER = Sealing("2", 4), Sealing("1", 5)


def reread(**given):
    return rules.open_reread("t", "r", Selection(**given), ADA, NOW)


def test_a_new_reread_counts_first():
    given = {
        "filed_from": NOW - HOUR,
        "filed_before": NOW,
        "reader_before": 3,
        "older_key": True,
        "dry_run": True,
    }
    state = reread(**given)
    assert {name: getattr(state, name) for name in given} == given
    assert (state.status, state.requested_by, state.requested_at) == ("counting", ADA, NOW)
    assert (state.advanced_at, state.remaining, state.done) == (NOW, 0, 0)
    assert rules.seconds_left(state, LATER) is None


@pytest.mark.parametrize(
    ("given", "sealing", "chosen"),
    [
        ({}, NEW, True),
        ({}, None, True),
        ({"reader_before": 5}, NEW, False),
        ({"reader_before": 5}, NEW_READER, False),
        ({"reader_before": 5}, NEW_KEY, True),
        ({"reader_before": 5}, None, True),
        ({"older_key": True}, NEW, False),
        ({"older_key": True}, NEW_KEY, False),
        ({"older_key": True}, NEW_READER, True),
        ({"older_key": True}, None, True),
        ({"older_key": True, "reader_before": 5}, NEW, False),
        ({"older_key": True, "reader_before": 5}, NEW_KEY, True),
        ({"older_key": True, "reader_before": 5}, NEW_READER, True),
        ({"filed_from": NOW}, NEW, True),
        ({"filed_from": NOW + HOUR}, NEW, False),
        ({"filed_before": NOW + HOUR}, NEW, True),
        ({"filed_before": NOW}, NEW, False),
        ({"filed_before": NOW, "older_key": True}, None, False),
    ],
)
def test_which_assets_are_chosen(given, sealing, chosen):
    assert rules.chooses(reread(**given), ASSET, sealing, "2") is chosen


@pytest.mark.parametrize(
    ("given", "sealing", "note", "reads"),
    [
        ({}, NEW, None, True),
        ({"older_key": True}, NEW_READER, None, False),
        ({"older_key": True}, NEW_READER, "metadata-cut", False),
        ({"older_key": True}, NEW_READER, NOT_OPENED, True),
        ({"older_key": True}, OLD, None, False),
        ({"older_key": True}, None, None, True),
        ({"older_key": True, "reader_before": 5}, NEW_READER, None, False),
        ({"older_key": True, "reader_before": 5}, OLD, None, True),
        ({"reader_before": 5}, OLD, None, True),
    ],
)
def test_when_the_file_is_read(given, sealing, note, reads):
    assert rules.reads_file(reread(**given), sealing, note) is reads


@pytest.mark.parametrize(
    ("given", "before"),
    [
        ({}, NOW + HOUR),
        ({"filed_before": NOW - HOUR}, NOW),
        ({"filed_before": NOW + HOUR}, NOW + HOUR),
    ],
)
def test_up_to_which_ids_assets_are_looked_at(given, before):
    assert rules.ids_before(reread(**given)) == before


def test_a_count_goes_on_and_ends():
    state = rules.counted(reread(), 3, "last", LATER)
    assert (state.status, state.counted, state.cursor, state.batch) == ("counting", 3, "last", 1)
    assert state.advanced_at == LATER
    state = rules.counted(state, 2, "", LATER)
    assert (state.status, state.counted, state.cursor, state.batch) == ("running", 5, "", 2)
    assert (state.running_since, state.remaining) == (LATER, 5)
    dry = rules.counted(reread(dry_run=True), 3, "", LATER)
    assert (dry.status, dry.completed_at, dry.remaining, dry.counted) == ("completed", LATER, 3, 3)


def test_progress_and_the_time_left():
    state = rules.counted(reread(), 10, "", NOW)
    assert rules.seconds_left(state, LATER) is None
    for outcome in ("read", "resealed", "unreadable", "read"):
        state = rules.looked_at(state, outcome, "a", LATER)
    assert (state.read, state.resealed, state.unreadable) == (2, 1, 1)
    assert (state.done, state.remaining, state.cursor, state.advanced_at) == (4, 6, "a", LATER)
    assert rules.seconds_left(state, LATER) == 900
    moved = rules.moved(state, "b", LATER)
    assert (moved.cursor, moved.batch, moved.done) == ("b", state.batch + 1, 4)
    ended = runs.completed(state, LATER)
    assert (ended.remaining, rules.seconds_left(ended, LATER)) == (0, 0)
    more = msgspec.structs.replace(state, counted=2)
    assert more.remaining == 0


def test_who_takes_the_steps():
    entry = rules.step_of(reread(), "reread.requested")
    assert (entry.actor, entry.resource, entry.outcome) == (ADA, "rereads/r", "allowed")
    assert rules.step_of(reread(), "reread.completed").actor == rules.SYSTEM


def test_only_a_stalled_reread_is_resumed():
    state = reread()
    assert rules.resumed(state, NOW + runs.STALLED) is None
    after = rules.resumed(state, NOW + runs.STALLED + timedelta(seconds=1))
    assert after is not None
    assert after.batch == state.batch
    assert rules.resumed(runs.completed(state, NOW), NOW + 2 * runs.STALLED) is None


def test_one_reread_at_a_time():
    rules.check_new([])
    with pytest.raises(ConflictError):
        rules.check_new([reread()])
    assert rules.reread_not_found().code == "reread-not-found"


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [("read", (1, 0, 0)), ("resealed", (0, 1, 0)), ("unreadable", (0, 0, 1))],
)
def test_each_outcome_is_counted_once(outcome, counts):
    state = rules.looked_at(reread(), outcome, "a", LATER)
    assert (state.read, state.resealed, state.unreadable) == counts


def test_the_limits_of_a_reread():
    assert (rules.CONCURRENT, rules.MOST_DELIVERIES, rules.NO_READER) == (4, 4, 0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        (datetime(1970, 1, 2, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)),
        (datetime(9999, 12, 31, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)),
        (datetime(9998, 12, 31, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)),
        (None, None),
    ],
)
def test_times_stay_within_the_calendar(given, kept):
    state = reread(filed_from=given, filed_before=given)
    assert (state.filed_from, state.filed_before) == (kept, kept)
