"""Planning, changing and calling off of windows, and access to the infrastructure."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.errors import ConflictError, InvalidInputError
from shared.maintenance.rules import (
    WindowChange,
    WindowPlan,
    access_basis,
    called_off,
    changed,
    planned,
)
from shared.messages.contracts import Actor

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NOTICE = 5 * DAY
ITO = Actor(id="ito", role="vendor.it_supervisor", organisation="vendor")


def plan(start=6 * DAY, end=6 * DAY + 2 * HOUR, *, region="westeurope", others=(), **more):
    wish = WindowPlan(starts_at=NOW + start, ends_at=NOW + end, work="New disks", **more)
    return planned(wish, "W1", ITO, region=region, notice=NOTICE, others=others, now=NOW)


def change(window, now=NOW, *, others=(), **more):
    wish = WindowChange(reason="A part is late", **more)
    return changed(window, wish, region="westeurope", notice=NOTICE, others=others, now=now)


def test_a_window_is_for_every_zone_of_the_stamp_unless_it_names_some():
    assert plan().zones == ("eu",)
    assert plan(region="germanywestcentral").zones == ("de", "eu")
    assert plan(region="germanywestcentral", zones=("de", "de")).zones == ("de",)


@pytest.mark.parametrize("zones", [(), ("us",), ("eu", "us"), ("nowhere",), ("",)])
def test_a_zone_of_another_stamp_is_refused(zones):
    with pytest.raises(InvalidInputError) as refused:
        plan(zones=zones)
    assert refused.value.code == "maintenance-window-invalid"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (6 * DAY, 6 * DAY),
        (6 * DAY + HOUR, 6 * DAY),
        (6 * DAY, 6 * DAY + MINUTE - timedelta(microseconds=1)),
        (6 * DAY, 13 * DAY + timedelta(microseconds=1)),
        (-HOUR, HOUR),
        (-2 * HOUR, -HOUR),
        (-5 * MINUTE - timedelta(microseconds=1), HOUR),
        (401 * DAY, 401 * DAY + HOUR),
        (7000 * 365 * DAY, 7000 * 365 * DAY + HOUR),
        (-2000 * 365 * DAY, HOUR),
    ],
)
@pytest.mark.parametrize("emergency", [None, "A disk fails"])
def test_impossible_times_are_refused(start, end, emergency):
    with pytest.raises(InvalidInputError) as refused:
        plan(start, end, emergency=emergency)
    assert refused.value.code == "maintenance-window-invalid"


def test_times_at_the_ends_of_the_calendar_have_an_answer():
    for zone in (timezone(-14 * HOUR), timezone(14 * HOUR)):
        for end in (datetime.max.replace(tzinfo=zone), datetime.min.replace(tzinfo=zone)):
            wish = WindowPlan(starts_at=end, ends_at=end, work="w", emergency="e")
            with pytest.raises(InvalidInputError):
                planned(wish, "W", ITO, region="eastus", notice=NOTICE, others=(), now=NOW)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (5 * DAY, 5 * DAY + MINUTE),
        (5 * DAY, 12 * DAY),
        (400 * DAY, 400 * DAY + HOUR),
    ],
)
def test_a_window_after_the_notice_period_is_planned(start, end):
    window = plan(start, end)
    assert (window.version, window.status, window.emergency) == (1, "planned", None)


def test_a_window_within_the_notice_period_needs_an_emergency():
    for start in (timedelta(0), HOUR, 5 * DAY - timedelta(microseconds=1)):
        with pytest.raises(InvalidInputError) as refused:
            plan(start, start + HOUR)
        assert refused.value.code == "maintenance-notice-too-short"
        assert plan(start, start + HOUR, emergency="A disk fails").emergency == "A disk fails"
    assert plan(-5 * MINUTE, HOUR, emergency="now").starts_at == NOW - 5 * MINUTE


def test_times_are_kept_in_utc_whatever_the_clock_of_the_planner_shows():
    """The night of 2027-03-28, in which Berlin's clocks go forward from 2 to 3."""
    from zoneinfo import ZoneInfo

    berlin = ZoneInfo("Europe/Berlin")
    wish = WindowPlan(
        starts_at=datetime(2027, 3, 28, 1, 30, tzinfo=berlin),
        ends_at=datetime(2027, 3, 28, 3, 30, tzinfo=berlin),
        work="w",
    )
    window = planned(wish, "W", ITO, region="westeurope", notice=NOTICE, others=(), now=NOW)
    assert window.starts_at == datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
    # One hour has passed, and not two.
    assert window.ends_at - window.starts_at == HOUR
    assert window.starts_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("start", "end", "overlaps"),
    [
        (6 * DAY - HOUR, 6 * DAY, False),
        (6 * DAY + 2 * HOUR, 6 * DAY + 3 * HOUR, False),
        (6 * DAY - HOUR, 6 * DAY + MINUTE, True),
        (6 * DAY + HOUR, 7 * DAY, True),
        (6 * DAY - HOUR, 7 * DAY, True),
        (6 * DAY + MINUTE, 6 * DAY + 2 * MINUTE, True),
    ],
)
def test_windows_of_a_zone_do_not_overlap(start, end, overlaps):
    from msgspec.structs import replace

    other = replace(plan(), id="W0")
    off = replace(other, status="called-off")
    assert plan(start, end, others=[off]).version == 1
    elsewhere = replace(other, zones=("de",))
    assert plan(start, end, others=[elsewhere]).version == 1
    if not overlaps:
        assert plan(start, end, others=[other]).version == 1
        return
    with pytest.raises(ConflictError) as refused:
        plan(start, end, others=[other])
    assert refused.value.code == "maintenance-overlaps"
    assert "W0" in refused.value.detail
    # An emergency cannot wait; a window does not overlap itself.
    assert plan(start, end, others=[other], emergency="e").version == 1
    assert change(plan(), others=[plan()], work="x").version == 2


def test_a_change_is_a_new_version_and_no_change_is_none():
    window = plan()
    assert change(window) == window
    assert change(window, work="New disks", starts_at=window.starts_at) == window
    after = change(window, work="New racks")
    assert (after.version, after.work, after.reason) == (2, "New racks", "A part is late")


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"work": "x"}, True),
        ({"ends_at": NOW + 6 * DAY + HOUR}, True),
        ({"starts_at": NOW + 6 * DAY + MINUTE}, True),
        ({"ends_at": NOW + 6 * DAY + 3 * HOUR}, False),
        ({"starts_at": NOW + 5 * DAY}, False),
        ({"ends_at": NOW + 6 * DAY + 3 * HOUR, "emergency": "e"}, True),
    ],
)
def test_the_notice_period_counts_anew_for_new_time_alone(fields, allowed):
    now = NOW + 2 * DAY
    if allowed:
        assert change(plan(), now, **fields).version == 2
        return
    with pytest.raises(InvalidInputError) as refused:
        change(plan(), now, **fields)
    assert refused.value.code == "maintenance-notice-too-short"


def test_a_window_that_has_begun_is_shortened_and_is_not_moved():
    now = NOW + 6 * DAY + HOUR
    assert change(plan(), now, ends_at=now + MINUTE).version == 2
    for wrong in ({"starts_at": now - 2 * HOUR}, {"ends_at": now}):
        with pytest.raises(InvalidInputError):
            change(plan(), now, **wrong)


def test_what_is_over_or_called_off_stays():
    window, over = plan(), NOW + 6 * DAY + 2 * HOUR
    off = called_off(window, "no disks", NOW)
    assert (off.status, off.version, off.reason) == ("called-off", 2, "no disks")
    assert called_off(window, "done early", over - MINUTE).version == 2
    for attempt in (
        lambda: called_off(off, "again", NOW),
        lambda: change(off, work="x"),
        lambda: called_off(window, "late", over),
        lambda: change(window, over, work="x"),
    ):
        with pytest.raises(ConflictError) as refused:
            attempt()
        assert refused.value.code == "maintenance-over"


@pytest.mark.parametrize(
    ("at", "zone", "incidents", "basis"),
    [
        (6 * DAY, "eu", (), "maintenance-windows/W1"),
        (6 * DAY + 2 * HOUR - MINUTE, "eu", (), "maintenance-windows/W1"),
        (6 * DAY - timedelta(microseconds=1), "eu", (), None),
        (6 * DAY + 2 * HOUR, "eu", (), None),
        (6 * DAY, "de", (), None),
        (6 * DAY, "de", ("I2", "I1"), "incidents/I1"),
        (6 * DAY, "eu", ("I1",), "maintenance-windows/W1"),
        (timedelta(0), "eu", ("I1",), "incidents/I1"),
    ],
)
def test_staff_reaches_the_infrastructure_in_a_window_or_under_an_incident(
    at, zone, incidents, basis
):
    assert access_basis([plan()], incidents, zone, NOW + at) == basis
    assert access_basis([], (), zone, NOW + at) is None
    off = called_off(plan(), "r", NOW)
    assert access_basis([off], (), zone, NOW + at) is None
