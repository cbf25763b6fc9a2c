"""What a tenant is told of a window, and when."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from shared.maintenance.announcements import STATE, announcement_id, due, round_name
from shared.maintenance.rules import MaintenanceWindow
from shared.messages.contracts import Actor
from shared.tenancy.rules import Tenant

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = NOW + 6 * DAY
LEADS = (24 * HOUR, HOUR)
WINDOW = MaintenanceWindow(
    id="W1",
    zones=("eu",),
    starts_at=START,
    ends_at=START + 2 * HOUR,
    work="w",
    status="planned",
    version=1,
    planned_by=Actor(id="ito", role="r", organisation="o"),
    planned_at=NOW,
    changed_at=NOW,
)
SECOND = replace(WINDOW, version=2)
OFF = replace(WINDOW, version=2, status="called-off")
ELSEWHERE = replace(WINDOW, version=2, zones=("de",))
ACME = Tenant(id="acme", display_name="A", residency_zone="eu", status="active", created=NOW - DAY)
TOLD = {(1, STATE): NOW}
DAY_BEFORE, HOUR_BEFORE = "reminder-86400", "reminder-3600"


def said(window, told, now=NOW, tenant=ACME):
    return due(window, tenant, told, LEADS, now)


@pytest.mark.parametrize(
    ("window", "told", "expected"),
    [
        (WINDOW, {}, (STATE, "announced")),
        (WINDOW, TOLD, None),
        (SECOND, TOLD, (STATE, "changed")),
        # A tenant that joined between two versions hears of the second as of the first.
        (SECOND, {}, (STATE, "announced")),
        (SECOND, {(2, STATE): NOW}, None),
        (OFF, TOLD, (STATE, "called-off")),
        (OFF, {**TOLD, (2, STATE): NOW}, None),
        # Who was told nothing is not told that nothing takes place.
        (OFF, {}, None),
        (ELSEWHERE, TOLD, ("lost", "called-off")),
        (ELSEWHERE, {}, None),
        (ELSEWHERE, {**TOLD, (2, "lost"): NOW}, None),
        (replace(ELSEWHERE, version=3), {**TOLD, (2, "lost"): NOW}, None),
        # The zone comes back.
        (replace(WINDOW, version=3), {**TOLD, (2, "lost"): NOW}, (STATE, "announced")),
        (replace(OFF, version=3), {**TOLD, (2, "lost"): NOW}, None),
    ],
)
def test_each_version_is_told_once(window, told, expected):
    assert said(window, told) == expected


@pytest.mark.parametrize(
    ("now", "told", "expected"),
    [
        (START - 24 * HOUR - timedelta(seconds=1), TOLD, None),
        (START - 24 * HOUR, TOLD, DAY_BEFORE),
        (START - 2 * HOUR, {**TOLD, (1, DAY_BEFORE): NOW}, None),
        (START - HOUR, {**TOLD, (1, DAY_BEFORE): NOW}, HOUR_BEFORE),
        # The app was down: the latest reminder alone.
        (START - HOUR, TOLD, HOUR_BEFORE),
        (START - HOUR, {**TOLD, (1, HOUR_BEFORE): NOW}, None),
        # Told within the day: the hour's reminder alone.
        (START - 20 * HOUR, {(1, STATE): START - 20 * HOUR}, None),
        (START - HOUR, {(1, STATE): START - 20 * HOUR}, HOUR_BEFORE),
        (START - HOUR / 2, {(1, STATE): START - HOUR / 2}, None),
        (START, TOLD, None),
        # A clock that went back behind a reminder.
        (START - 25 * HOUR, {**TOLD, (1, DAY_BEFORE): START - 24 * HOUR}, None),
    ],
)
def test_reminders_come_before_the_start(now, told, expected):
    assert said(WINDOW, told, now) == (None if expected is None else (expected, "reminder"))
    assert said(OFF, {**told, (2, STATE): NOW}, now) is None


def test_a_new_version_is_reminded_of_anew():
    told = {**TOLD, (1, DAY_BEFORE): NOW, (2, STATE): START - 25 * HOUR}
    assert said(SECOND, told, START - 24 * HOUR) == (DAY_BEFORE, "reminder")


@pytest.mark.parametrize(
    ("joined", "now", "expected"),
    [
        (START - HOUR, START - HOUR / 2, (STATE, "announced")),
        (START + HOUR / 2, START + HOUR, None),
        (START - HOUR / 2, START + HOUR / 2, None),
        # Of an emergency that has begun, every tenant of its time is told.
        (NOW - DAY, START + HOUR, (STATE, "announced")),
        (NOW - DAY, START + 2 * HOUR, None),
    ],
)
def test_a_tenant_that_joins_before_the_start_is_told(joined, now, expected):
    assert said(WINDOW, {}, now, replace(ACME, created=joined)) == expected


@pytest.mark.parametrize(
    ("status", "zone", "expected"),
    [
        ("active", "eu", (STATE, "announced")),
        ("leaving", "eu", (STATE, "announced")),
        ("erased", "eu", None),
        ("active", "de", None),
    ],
)
def test_tenants_of_the_zone_are_told_until_their_erasure(status, zone, expected):
    tenant = replace(ACME, status=status, residency_zone=zone)
    assert said(WINDOW, {}, NOW, tenant) == expected
    if status == "erased":
        assert said(SECOND, TOLD, NOW, tenant) is None


def test_a_round_has_another_name_once_an_announcement_is_due():
    names = [
        round_name(WINDOW, LEADS, at)
        for at in (NOW, START - 24 * HOUR, START - 2 * HOUR, START - HOUR, START)
    ]
    day, hour = f"1|{DAY_BEFORE}", f"1|{HOUR_BEFORE}"
    assert names == ["1|state", day, day, hour, "1|state"]
    assert round_name(OFF, LEADS, START - HOUR) == "2|state"


def test_an_announcement_has_one_id():
    ids = {
        announcement_id(window, tenant, name)
        for window in (WINDOW, SECOND, replace(WINDOW, id="W2"))
        for tenant in ("acme", "globex")
        for name in (STATE, HOUR_BEFORE)
    }
    assert len(ids) == 12
    assert announcement_id(WINDOW, "acme", STATE) in ids
