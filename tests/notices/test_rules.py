"""Who gets a notice, when, and how a delivery ends."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from shared.errors import ConflictError
from shared.messages.contracts import (
    BreachNotified,
    BreakGlassUsed,
    IncidentEscalated,
    NoticeUndelivered,
    UploadInfected,
)
from shared.notices.contact_rules import Contact
from shared.notices.rules import (
    KINDS,
    MOST_AT_ONCE,
    PAUSES,
    DeliveryOutcome,
    NoticeDelivery,
    after_attempt,
    asked_again,
    notice_id,
    planned,
    slot_of,
    without_kind,
)
from tests.notices.test_texts import example

NOW = datetime(2026, 3, 1, 12, 3, tzinfo=UTC)
INFECTED = UploadInfected(tenant="acme", asset_id="a", found_at=NOW)


def contact(identifier="c", **given):
    values = {
        "channel": "mail",
        "address": "a@example.com",
        "language": "en",
        "time_zone": "Europe/Oslo",
        "timing": "at-once",
        "created_at": NOW,
        "token": "t",
    }
    return Contact(id=identifier, **values | given)


@pytest.mark.parametrize(
    ("given", "recent", "state"),
    [
        ({}, 0, "waiting"),
        ({}, MOST_AT_ONCE - 1, "waiting"),
        ({}, MOST_AT_ONCE, "gathered"),
        ({"timing": "daily"}, 0, "gathered"),
        ({"kinds": ("upload-infected",)}, 0, "waiting"),
        ({"kinds": ("maintenance",)}, 0, None),
        ({"kinds": ()}, 0, None),
        ({"disabled": "http-410"}, 0, None),
        ({"channel": "webhook"}, 10_000, "waiting"),
    ],
)
def test_a_plan_for_a_contact(given, recent, state):
    plans = planned(INFECTED, [contact(**given)], recent, NOW)
    assert [plan.state for plan in plans] == ([] if state is None else [state])


@pytest.mark.parametrize("contract", [BreachNotified, BreakGlassUsed])
def test_breach_and_break_glass_cannot_be_turned_off(contract):
    notice = example(contract)
    given = contact(kinds=(), timing="daily")
    assert [plan.state for plan in planned(notice, [given], 10_000, NOW)] == ["waiting"]


@pytest.mark.parametrize("contract", [BreachNotified, IncidentEscalated])
def test_a_drill_reaches_nobody(contract):
    notice = example(contract, is_drill=True, roles=("vendor.dpo",))
    plans = planned(notice, [contact(roles=("vendor.dpo",))], 0, NOW)
    assert [plan.state for plan in plans] == ["drill"]


def test_an_incident_goes_to_the_roles_alone():
    notice = example(IncidentEscalated, is_drill=False, roles=("vendor.dpo", "vendor.officer"))
    contacts = [contact("a", roles=("vendor.dpo",)), contact("b", roles=("vendor.support",))]
    assert [plan.contact.id for plan in planned(notice, contacts, 0, NOW)] == ["a"]


def test_the_contact_that_is_not_reached_is_not_told_so():
    notice = example(NoticeUndelivered, contact_id="a")
    plans = planned(notice, [contact("a"), contact("b")], 0, NOW)
    assert [plan.contact.id for plan in plans] == ["b"]


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 3, 1, 5, 57, 59, tzinfo=UTC),
        datetime(2026, 3, 1, 5, 58, 30, tzinfo=UTC),
        datetime(2026, 3, 1, 6, 0, tzinfo=UTC),
        # The nights in which summer time begins and ends.
        datetime(2026, 3, 28, 22, tzinfo=UTC),
        datetime(2026, 10, 24, 22, tzinfo=UTC),
    ],
)
def test_a_daily_digest_is_due_at_seven(now):
    [plan] = planned(INFECTED, [contact(timing="daily")], 0, now)
    local = plan.due.astimezone(ZoneInfo("Europe/Oslo"))
    assert (local.hour, local.minute) == (7, 0)
    assert timedelta(minutes=2) <= plan.due - now <= timedelta(hours=26)


def test_a_slot_ends_after_its_last_commit():
    [plan] = planned(INFECTED, [contact()], MOST_AT_ONCE, NOW)
    assert slot_of(NOW) == NOW.replace(minute=0)
    assert plan.due == NOW.replace(minute=12)


def delivery(**given):
    values = {"channel": "mail", "state": "waiting", "created_at": NOW}
    return NoticeDelivery(notice="n", contact="c", asked=0, **values | given)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("delivered", "delivered"),
        ("retry", "waiting"),
        ("refused", "refused"),
        ("gone", "refused"),
        ("in-doubt", "in-doubt"),
    ],
)
def test_the_state_after_an_attempt(kind, state):
    after = after_attempt(delivery(state="handing-over"), DeliveryOutcome(kind, "x"), NOW)
    assert after.state == state
    assert (after.ended_at is None) == (state == "waiting")
    assert after.handed_at is None


def test_the_pauses_grow_to_three_days():
    one, now = delivery(), NOW
    for pause in PAUSES:
        one = after_attempt(one, DeliveryOutcome("retry", "smtp-451"), now)
        assert one.due_at - now == pause
        now = one.due_at
    assert after_attempt(one, DeliveryOutcome("retry", "smtp-451"), now).state == "refused"
    assert list(PAUSES) == sorted(PAUSES)


@pytest.mark.parametrize("state", ["waiting", "handing-over", "gathered", "drill"])
def test_an_open_delivery_is_not_asked_for_again(state):
    with pytest.raises(ConflictError):
        asked_again(delivery(state=state), NOW)


@pytest.mark.parametrize("state", ["delivered", "in-doubt", "refused", "dropped"])
def test_an_ended_delivery_is_asked_for_again(state):
    again = asked_again(delivery(state=state), NOW)
    assert (again.asked, again.state, again.attempts) == (1, "waiting", ())


def test_a_kind_is_turned_off():
    assert without_kind(None, "maintenance") == tuple(k for k in KINDS if k != "maintenance")
    assert without_kind(("breach", "maintenance"), "maintenance") == ("breach",)
    assert without_kind(None, "digest") == ()


def test_the_id_of_a_notice_is_the_events():
    assert notice_id(NOW, "/a", "1") == notice_id(NOW, "/a", "1")
    assert len({notice_id(NOW, s, i) for s in ("/a", "/b") for i in ("1", "2")}) == 4
    assert notice_id(datetime(1970, 1, 1, tzinfo=UTC), "/a", "1")
    assert msgspec.convert(notice_id(datetime.max.replace(tzinfo=UTC), "/a", "1"), str)
