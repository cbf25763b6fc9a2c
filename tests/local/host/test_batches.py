"""Service Bus queue functions that take batches (cardinality "many").

Sources: "Azure Service Bus trigger for Azure Functions" (the trigger's cardinality, PeekLock
behaviour) and "Azure Service Bus bindings for Azure Functions" (host.json settings), both on
learn.microsoft.com.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from azure.servicebus import ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient

from tests.local.host.conftest import Broker
from tests.local.host.harness import Host, eventually
from tests.local.host.messages import emptied, left, message, named, send


@pytest.fixture
def host(new_host: Callable[..., Host], broker: Broker) -> Host:
    return new_host("queues", BUS=broker.connection, SESSIONS_QUEUE="sessions")


@pytest.fixture
async def bus(broker: Broker) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection) as client:
        yield client


def bodies(host: Host, name: str) -> list[list[str]]:
    """Return the bodies in each batch of the function of this name."""
    return [list(record["bodies"]) for record in host.records if record["name"] == name]


async def test_what_waits_comes_in_batches_up_to_the_maximum(
    host: Host, bus: ServiceBusClient
) -> None:
    sent = [message(f"body {number}", f"order {number}") for number in range(25)]
    for number, one in enumerate(sent):
        one.content_type = f"text/{number}"
    await send(bus, "batches", *sent)
    await host.start()
    await emptied(bus, "batches")
    assert await host.stop() == 0
    given = named(host, "batch")
    sizes = [len(bodies) for bodies in bodies(host, "batch")]
    # maxMessageBatchSize is 10.
    assert sum(sizes) == 25
    assert 1 < max(sizes) <= 10
    # Each message has its own metadata.
    for field, expected in {
        "bodies": [f"body {number}" for number in range(25)],
        "ids": [one.message_id for one in sent],
        "content_types": [f"text/{number}" for number in range(25)],
        "properties": [{"order": f"order {number}"} for number in range(25)],
        "delivery_counts": [1] * 25,
    }.items():
        assert [item for record in given for item in record[field]] == expected, field
    assert all(moment for record in given for moment in record["enqueued"])


async def test_a_batch_that_fails_is_delivered_again_whole(
    host: Host, bus: ServiceBusClient
) -> None:
    await send(bus, "batches", message("good"), message("bad", "fail once"))
    await host.start()
    await emptied(bus, "batches")
    assert await host.stop() == 0
    # The host cannot tell the faulty message, so the whole batch comes back.
    counts = Counter(body for batch in bodies(host, "batch") for body in batch)
    with_the_bad_one = next(batch for batch in bodies(host, "batch") if "bad" in batch)
    assert counts["bad"] == 2
    assert counts["good"] == (2 if "good" in with_the_bad_one else 1)
    assert sorted(body for batch in bodies(host, "batch done") for body in batch) == ["bad", "good"]


async def test_a_batch_that_keeps_failing_is_dead_lettered(
    host: Host, bus: ServiceBusClient
) -> None:
    await send(bus, "batches", message("bad", "fail", message_id="bad in a batch"))
    await host.start()
    async with bus.get_queue_receiver("batches", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        (found,) = await dead.receive_messages(max_wait_time=30)
        await dead.complete_message(found)
    assert found.message_id == "bad in a batch"
    assert [record["delivery_counts"] for record in named(host, "batch")] == [[1], [2], [3]]
    assert await host.stop() == 0


async def test_a_batch_waits_for_its_minimum(host: Host, bus: ServiceBusClient) -> None:
    for name, value in {"minMessageBatchSize": "5", "maxBatchWaitTime": "00:01:00"}.items():
        host.settings[f"AzureFunctionsJobHost__extensions__serviceBus__{name}"] = value
    await host.start()
    await send(bus, "batches", *(message(str(number)) for number in range(3)))
    # The messages are received, and wait for more.
    await asyncio.sleep(1)
    assert bodies(host, "batch") == []
    await send(bus, "batches", *(message(str(number)) for number in range(3, 6)))
    await eventually(lambda: bodies(host, "batch"))
    first = bodies(host, "batch")[0]
    assert first == [str(number) for number in range(len(first))]
    assert len(first) >= 5
    assert await host.stop() == 0
    await drained(bus)


async def test_a_batch_waits_no_longer_than_it_may(host: Host, bus: ServiceBusClient) -> None:
    for name, value in {"minMessageBatchSize": "5", "maxBatchWaitTime": "00:00:01"}.items():
        host.settings[f"AzureFunctionsJobHost__extensions__serviceBus__{name}"] = value
    await host.start()
    await send(bus, "batches", message("a"), message("b"))
    await send(bus, "session-batches", message("c", session_id="few"))
    await eventually(lambda: bodies(host, "session batch"))
    await emptied(bus, "batches")
    assert [body for batch in bodies(host, "batch done") for body in batch] == ["a", "b"]
    assert bodies(host, "session batch") == [["c"]]
    assert await host.stop() == 0


async def drained(bus: ServiceBusClient) -> None:
    """Empty the queue for the next test."""
    async with bus.get_queue_receiver("batches") as receiver:
        while await left(bus, "batches"):
            for one in await receiver.receive_messages(10, max_wait_time=1):
                await receiver.complete_message(one)


async def test_a_batch_of_a_session_queue_is_of_one_session_and_in_order(
    host: Host, bus: ServiceBusClient
) -> None:
    keys = ["a", "b", "c"]
    await send(
        bus,
        "session-batches",
        *(message(f"{key}{number:02}", session_id=key) for number in range(12) for key in keys),
    )
    await host.start()
    await eventually(lambda: sum(map(len, bodies(host, "session batch"))) == 36)
    assert await host.stop() == 0
    assert all(len(set(record["sessions"])) == 1 for record in named(host, "session batch"))
    assert max(map(len, bodies(host, "session batch"))) <= 10
    for key in keys:
        seen = [
            body
            for batch in bodies(host, "session batch")
            for body in batch
            if body.startswith(key)
        ]
        assert seen == [f"{key}{number:02}" for number in range(12)]


async def test_the_locks_of_a_batch_are_not_renewed(host: Host, bus: ServiceBusClient) -> None:
    # maxAutoLockRenewalDuration: "only applies for functions that receive a single message".
    await host.start()
    await send(bus, "batches", message("slow", "wait"))
    await eventually(lambda: named(host, "batch"))
    # Longer than the queue's lock duration.
    await asyncio.sleep(4)
    host.gate.touch()
    await emptied(bus, "batches")
    assert await host.stop() == 0
    assert [record["delivery_counts"] for record in named(host, "batch")] == [[1], [2]]


async def test_a_batch_in_flight_is_finished_on_sigterm(host: Host, bus: ServiceBusClient) -> None:
    await host.start()
    await send(bus, "batches", message("in flight", "wait"))
    await eventually(lambda: named(host, "batch"))
    stopping = asyncio.create_task(host.stop())
    await eventually(lambda: "stopping" in host.log)
    late = message("too late", message_id="too late for a batch")
    await send(bus, "batches", late)
    assert host.exit_code is None
    host.gate.touch()
    assert await stopping == 0
    assert bodies(host, "batch done") == [["in flight"]]
    assert await left(bus, "batches") == ["too late for a batch"]
    async with bus.get_queue_receiver("batches") as receiver:
        (found,) = await receiver.receive_messages(max_wait_time=30)
        await receiver.complete_message(found)
