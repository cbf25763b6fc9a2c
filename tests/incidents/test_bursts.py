"""Many messages at once, by several instances at once, on real tables."""

import asyncio
import random
import uuid
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.stack import Stack
from shared.incidents.records.matters import MatterMessage
from shared.messages.contracts import Actor, IncidentOpened
from tests.compositions import OneSecret, composed


class Time:
    """A clock that a test moves."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        now = datetime.now(UTC) + self.ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    processes = ["azurite", "servicebus"]
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, processes=processes) as started:
        yield started


@pytest.fixture
def time():
    return Time()


@pytest.fixture
async def apps(services, time):
    """Three instances of the app."""
    async with AsyncExitStack() as stack:
        made = [composed(services.settings, OneSecret(), time) for _ in range(3)]
        yield [await stack.enter_async_context(one) for one in made]


@pytest.fixture
def kind():
    return f"k-{uuid.uuid4().hex}"


def message(kind, number, resource="r", at=None):
    data = IncidentOpened(kind=kind, severity="critical", summary="s", resource=resource)
    return MatterMessage(f"{kind}-{number}", at or datetime.now(UTC), data)


async def records(app, kind):
    rows = app.tables.scan("incidents", "_records", prefix="incident|")
    return [row.values async for row in rows if row.values["kind"] == kind]


async def test_instances_that_take_one_burst_count_each_message_once(apps, kind):
    messages = [message(kind, number) for number in range(600)]
    # Each message is delivered to two instances, in batches of any order.
    deliveries = []
    for app in apps[:2]:
        shuffled = random.sample(messages, len(messages))
        deliveries += [(app, shuffled[start : start + 256]) for start in range(0, 600, 256)]
    await asyncio.gather(*(app.incident_intake.take(batch) for app, batch in deliveries))
    [record] = await records(apps[0], kind)
    assert record["occurrences"] == 600


async def test_instances_that_take_one_storm_make_one_incident(apps, kind):
    messages = [message(kind, number, f"r{number}") for number in range(300)]
    batches = [messages[start::6] for start in range(6)]
    takers = zip(apps * 2, batches, strict=True)
    await asyncio.gather(*(app.incident_intake.take(batch) for app, batch in takers))
    found = await records(apps[0], kind)
    [storm] = [one for one in found if "mergedInto" not in one]
    assert (storm["occurrences"], storm["resourceCount"]) == (300, 300)
    assert {one["mergedInto"] for one in found if one is not storm} <= {storm["id"]}


async def test_a_batch_of_many_old_incidents_fits_no_transaction_and_is_divided(apps, kind, time):
    app = apps[0]
    for number in range(12):
        await app.incident_intake.take([message(kind, number, f"r{number}", time())])
        time.ahead += timedelta(hours=1)
    assert len(await records(app, kind)) == 12
    again = [message(kind, f"again-{number}", f"r{number % 12}", time()) for number in range(90)]
    await app.incident_intake.take(again)
    assert sum(one["occurrences"] for one in await records(app, kind)) == 102


async def test_the_timer_tells_who_is_due_once_whatever_the_clocks_say(apps, kind, time):
    await apps[0].incident_intake.take([message(kind, 1)])

    async def told():
        [record] = await records(apps[0], kind)
        return record["told"]

    assert await told() == '["critical-0"]'
    time.ahead = timedelta(minutes=16)
    await asyncio.gather(*(app.escalation.run() for app in apps))
    assert await told() == '["critical-0","critical-15m"]'
    time.ahead = timedelta(days=-1)
    await apps[0].escalation.run()
    time.ahead = timedelta(hours=2)
    await asyncio.gather(*(app.escalation.run() for app in apps))
    assert await told() == '["critical-0","critical-15m","critical-1h"]'
    time.ahead = timedelta(hours=13)
    await asyncio.gather(*(app.escalation.run() for app in apps))
    assert await told() == '["critical-0","critical-15m","critical-1h","critical-undecided"]'
    [record] = await records(apps[0], kind)
    assert "dueAt" not in record
    rows = apps[0].tables.scan("incidents", "_records", prefix="due|")
    assert record["id"] not in {row.values["incident"] async for row in rows}


async def test_rows_that_a_record_has_left_behind_tell_nobody_and_go(apps, kind, time):
    app = apps[0]
    await app.incident_intake.take([message(kind, 1)])
    [record] = await records(app, kind)
    incident = record["id"]
    seen = await app.desk.find(incident)
    actor = Actor(id="ida", role="vendor.officer", organisation="vendor")

    def require(version):
        assert version == seen.version

    await app.desk.move(incident, require, "acknowledge", actor, None)
    for decision in ("breach", "undecided", "no-breach", "undecided"):
        await app.desk.assess(incident, decision, "A reason.", actor)
    time.ahead = timedelta(hours=13)
    await asyncio.gather(*(one.escalation.run() for one in apps))
    [record] = await records(app, kind)
    assert record["told"] == '["critical-0","critical-undecided"]'
    rows = app.tables.scan("incidents", "_records", prefix="due|")
    assert incident not in {row.values["incident"] async for row in rows}
