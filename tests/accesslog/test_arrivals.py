"""Several instances take from `access-events`: the events of a source keep the queue's order.

The instances are those of the app, in this process, on a queue from which no host takes; which
messages each of them has, and when it comes to the log, is for the test to say.
"""

import asyncio
import json
import random
import uuid
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage

from infra.local.stack import Stack
from shared.accesslog import Recorded
from shared.accesslog.arrivals import Arrival, end_of_others
from shared.catalogue import ACCESS_EVENTS_QUEUE
from shared.messages import decode
from tests.accesslog.logs import new_tenant
from tests.compositions import composed

QUEUE = ACCESS_EVENTS_QUEUE.name


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    """A stack without a host."""
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, in_memory=True, processes=["azurite", "servicebus"]) as started:
        yield started


@pytest.fixture
async def bus(own_stack):
    string = own_stack.info["connection_strings"]["service_bus"]
    # The SDK settles under the lock under which it reads, so each settlement may wait this long.
    async with ServiceBusClient.from_connection_string(string, socket_timeout=0.02) as client:
        yield client


@pytest.fixture(scope="module")
async def instances(own_stack):
    """Three instances of the app."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(composed(own_stack.settings)) for _ in range(3)]


@pytest.fixture
def tenant():
    return new_tenant()


def event(tenant, source, number, **changed):
    data = {
        "tenant": tenant,
        "actor": {"id": "dam", "role": "system", "organisation": "vendor"},
        "action": "asset.rendered",
        "resource": f"assets/{number}",
        "outcome": "allowed",
    }
    return {
        "specversion": "1.0",
        "id": f"{source.strip('/')}-{number}",
        "source": source,
        "type": "vouchsafe.access.recorded.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": data | changed,
    }


async def send(bus, *events):
    async with bus.get_queue_sender(QUEUE) as sender:
        await sender.send_messages(
            [ServiceBusMessage(json.dumps(one), message_id=str(uuid.uuid4())) for one in events]
        )


async def take(receiver, count):
    """Lock the next messages of the queue."""
    messages = []
    while len(messages) < count:
        messages += await receiver.receive_messages(count - len(messages), max_wait_time=10)
    return messages


async def record(app, messages, *, without=()):
    """Let an instance do what it does with a batch; the events `without` are not given to it."""
    arrivals = [
        Arrival(message.sequence_number, Recorded.of(decode(b"".join(message.body))))
        for message in messages
    ]
    given = [one for one in arrivals if one.event.id not in without]
    return await app.arrivals.record(given, {one.number for one in arrivals})


async def complete(receiver, messages):
    for message in messages:
        await receiver.complete_message(message)


async def logged(app, tenant, source=None):
    """The events of a tenant's log, in its order."""
    entries = [json.loads(payload) async for _, payload in app.log_store.read(tenant)]
    return [one["id"] for one in entries if source in (None, one["source"])]


def ids(source, count):
    return [f"{source.strip('/')}-{number}" for number in range(count)]


async def test_who_comes_first_logs_the_earlier_events_of_its_sources_too(bus, instances, tenant):
    one, other, _ = instances
    await send(
        bus,
        *(event(tenant, "/dam", number) for number in range(4)),
        event(tenant, "/portal", 0),
        *(event(tenant, "/dam", number) for number in range(4, 6)),
    )
    async with bus.get_queue_receiver(QUEUE) as first, bus.get_queue_receiver(QUEUE) as second:
        early, late = await take(first, 5), await take(second, 2)
        assert await record(other, late) == [None, None]
        # Nothing is known of the other source's events, and nothing need be.
        assert await logged(one, tenant) == ids("/dam", 6)
        assert await record(one, early) == [None] * 5
        assert await logged(one, tenant) == [*ids("/dam", 6), "portal-0"]
        await complete(first, early)
        await complete(second, late)


async def test_instances_that_take_turns_at_the_queue_keep_its_order(bus, instances, tenant):
    await send(bus, *(event(tenant, "/dam", number) for number in range(40)))
    async with bus.get_queue_receiver(QUEUE) as receiver:
        messages = await take(receiver, 40)
        batches = messages[0::2], messages[1::2]
        reasons = await asyncio.gather(
            *(record(app, batch) for app, batch in zip(instances, batches, strict=False))
        )
        assert reasons == [[None] * 20, [None] * 20]
        assert await logged(instances[0], tenant) == ids("/dam", 40)
        await complete(receiver, messages)


async def test_other_tenants_events_of_the_same_source_are_left_to_who_has_them(
    bus, instances, tenant
):
    elsewhere = new_tenant()
    await send(bus, event(elsewhere, "/dam", 0), event(tenant, "/dam", 1))
    async with bus.get_queue_receiver(QUEUE) as receiver:
        messages = await take(receiver, 2)
        await record(instances[1], messages[1:])
        assert await logged(instances[1], tenant) == ["dam-1"]
        assert await logged(instances[1], elsewhere) == []
        await complete(receiver, messages)


async def test_what_will_be_parked_holds_up_nothing(bus, instances, tenant):
    named = event(tenant, "/dam", 1, resource="people/jane@acme.example")
    unknown = event(tenant, "/dam", 2) | {"type": "vouchsafe.access.recorded.v9"}
    broken = event(tenant, "/dam", 3, colour="red")
    await send(bus, event(tenant, "/dam", 0), named, unknown, broken)
    deep = b'{"data":' + 10_000 * b"[" + 10_000 * b"]" + b"}"
    async with bus.get_queue_sender(QUEUE) as sender:
        await sender.send_messages(ServiceBusMessage(deep, message_id=str(uuid.uuid4())))
        for body in ({"value_body": {"a": 1}}, {"value_body": None}, {"sequence_body": [1, 2]}):
            await sender.send_messages(AmqpAnnotatedMessage(**body))
    await send(bus, event(tenant, "/dam", 4))
    async with bus.get_queue_receiver(QUEUE) as receiver:
        messages = await take(receiver, 9)
        assert await record(instances[1], messages[8:]) == [None]
        assert await logged(instances[1], tenant) == ["dam-0", "dam-4"]
        await complete(receiver, messages)


async def test_nobody_speaks_as_the_app(bus, instances, tenant):
    await send(
        bus,
        event(tenant, "/dam", 0),
        event(tenant, "/vouchsafe", 0),
        event(tenant, "/dam", 1),
        event(tenant, "/vouchsafe", 1),
    )
    async with bus.get_queue_receiver(QUEUE) as receiver:
        messages = await take(receiver, 4)
        done, refused = await record(instances[1], messages[2:])
        assert (done, refused.code) == (None, "event-source-reserved")
        assert await logged(instances[1], tenant) == ids("/dam", 2)
        await complete(receiver, messages)


async def test_messages_of_the_own_batch_are_for_the_caller_to_deal_with(bus, instances, tenant):
    """So that one which fails each time does not take the others of its batch with it."""
    await send(bus, *(event(tenant, "/dam", number) for number in range(4)))
    async with bus.get_queue_receiver(QUEUE) as receiver:
        messages = await take(receiver, 4)
        assert await record(instances[0], messages[1:], without=["dam-2"]) == [None, None]
        assert await logged(instances[0], tenant) == ["dam-0", "dam-1", "dam-3"]
        await complete(receiver, messages)


async def test_messages_that_are_not_due_are_not_logged_early(bus, instances, tenant):
    async with bus.get_queue_sender(QUEUE) as sender:
        body = json.dumps(event(tenant, "/dam", 0))
        message = ServiceBusMessage(body, message_id=str(uuid.uuid4()))
        [scheduled] = await sender.schedule_messages([message], datetime(2999, 1, 1, tzinfo=UTC))
        await send(bus, event(tenant, "/dam", 1))
        async with bus.get_queue_receiver(QUEUE) as receiver:
            messages = await take(receiver, 1)
            await record(instances[0], messages)
            assert await logged(instances[0], tenant) == ["dam-1"]
            await complete(receiver, messages)
        await sender.cancel_scheduled_messages(scheduled)


@pytest.mark.parametrize("seed", range(5))
async def test_any_shares_in_any_order_and_crashes_keep_the_order(bus, instances, tenant, seed):
    """Three instances that take what they get, at once, and of which some fail after logging."""
    chosen = random.Random(seed)
    sources = ("/dam", "/portal", "/renditions")
    count = 30
    numbers = dict.fromkeys(sources, 0)
    sent = []
    while any(number < count for number in numbers.values()):
        source = chosen.choice([one for one in sources if numbers[one] < count])
        sent.append(event(tenant, source, numbers[source]))
        numbers[source] += 1
    await send(bus, *sent)
    left = len(sent)

    async def work(app, receiver):
        """Take a share, log it, and complete it; or let it go back after or before."""
        nonlocal left
        while left:
            messages = await receiver.receive_messages(chosen.randint(1, 12), max_wait_time=0.2)
            await asyncio.sleep(chosen.random() / 50)
            fate = chosen.choice(["done", "done", "done", "before", "after"])
            if messages and fate != "before":
                assert await record(app, messages) == [None] * len(messages)
            for message in messages:
                if fate == "done":
                    await receiver.complete_message(message)
                    left -= 1
                else:
                    await receiver.abandon_message(message)

    async with AsyncExitStack() as receivers, asyncio.TaskGroup() as tasks:
        for app in instances:
            receiver = await receivers.enter_async_context(bus.get_queue_receiver(QUEUE))
            tasks.create_task(work(app, receiver))
    assert {source: await logged(instances[0], tenant, source) for source in sources} == {
        source: ids(source, count) for source in sources
    }


@pytest.mark.parametrize(
    ("batch", "last", "end"),
    [
        ({7}, 7, 7),
        ({5, 6, 7}, 7, 5),
        ({5, 6, 7}, 6, 5),
        ({3, 5, 6}, 6, 5),
        ({3, 5, 7}, 7, 7),
        ({0}, 0, 0),
        ({1, 2}, 2, 1),
    ],
)
def test_others_may_have_what_lies_before_an_unbroken_run(batch, last, end):
    assert end_of_others(batch, last) == end
