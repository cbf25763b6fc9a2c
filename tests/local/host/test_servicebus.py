"""Service Bus queue functions: a real host process, the real SDK, the local broker."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient

from tests.local.host.conftest import Broker
from tests.local.host.harness import Host, eventually

ids = itertools.count()


@pytest.fixture
async def host(new_host: Callable[..., Host], broker: Broker) -> AsyncIterator[Host]:
    made = new_host("queues", BUS=broker.connection, SESSIONS_QUEUE="sessions")
    await made.start()
    yield made
    assert await made.stop() == 0


@pytest.fixture
async def bus(broker: Broker) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection) as client:
        yield client


async def send(bus: ServiceBusClient, queue: str, *messages: ServiceBusMessage) -> None:
    async with bus.get_queue_sender(queue) as sender:
        for message in messages:
            await sender.send_messages(message)


def message(body: str = "body", order: str | None = None, **values: object) -> ServiceBusMessage:
    properties = {} if order is None else {"order": order}
    values.setdefault("message_id", f"message-{next(ids)}")
    return ServiceBusMessage(body, application_properties=properties, **values)


def named(host: Host, name: str, **values: object) -> list[dict[str, object]]:
    wanted = {"name": name, **values}
    return [record for record in host.records if wanted.items() <= record.items()]


async def left(
    bus: ServiceBusClient, queue: str, sub_queue: ServiceBusSubQueue | None
) -> list[str]:
    """The ids of the messages still in a queue."""
    async with bus.get_queue_receiver(queue, sub_queue=sub_queue) as receiver:
        return [str(one.message_id) for one in await receiver.peek_messages(100)]


async def test_a_message_arrives_with_its_metadata(host: Host, bus: ServiceBusClient) -> None:
    sent = ServiceBusMessage(
        "häuser".encode(),
        message_id="whole",
        content_type="application/cloudevents+json",
        correlation_id="correlation",
        subject="subject",
        application_properties={"text": "x", "number": 7},
    )
    await send(bus, "plain", sent)
    await eventually(lambda: named(host, "plain done", message_id="whole"))
    (seen,) = named(host, "plain", message_id="whole")
    assert seen["body"] == "häuser"
    assert seen["content_type"] == "application/cloudevents+json"
    assert seen["correlation_id"] == "correlation"
    assert seen["subject"] == "subject"
    assert seen["properties"] == seen["user_properties"] == {"text": "x", "number": 7}
    assert seen["delivery_count"] == 1
    assert seen["enqueued"]
    assert seen["sequence_number"]
    assert seen["lock_token"]
    assert "häuser" not in host.log


async def test_a_text_parameter_gets_the_text(host: Host, bus: ServiceBusClient) -> None:
    await send(bus, "texts", message("grüße"))
    await eventually(lambda: named(host, "text", body="grüße"))


async def test_many_messages_are_each_processed_once_and_completed(
    host: Host, bus: ServiceBusClient
) -> None:
    many = [message(str(number)) for number in range(200)]
    async with bus.get_queue_sender("plain") as sender:
        await sender.send_messages(many)
    await eventually(lambda: len(named(host, "plain done")) == len(many))
    assert sorted(int(str(one["body"])) for one in named(host, "plain")) == list(range(200))
    assert await host.stop() == 0
    assert await left(bus, "plain", None) == []


async def test_calls_run_side_by_side_up_to_the_limit(host: Host, bus: ServiceBusClient) -> None:
    await send(bus, "plain", *(message(order="wait") for _ in range(6)))
    await eventually(lambda: len(named(host, "plain")) == 4)
    # maxConcurrentCalls is 4: with all four waiting, the queue still holds the other two.
    assert len(await left(bus, "plain", None)) == 6
    assert len(named(host, "plain")) == 4
    host.gate.touch()
    await eventually(lambda: len(named(host, "plain done")) == 6)


async def test_a_failed_message_is_delivered_again(host: Host, bus: ServiceBusClient) -> None:
    await send(bus, "plain", message(order="fail once", message_id="once"))
    await eventually(lambda: named(host, "plain done", message_id="once"))
    assert [one["delivery_count"] for one in named(host, "plain", message_id="once")] == [1, 2]


async def test_a_message_that_keeps_failing_is_dead_lettered(
    host: Host, bus: ServiceBusClient
) -> None:
    await send(bus, "plain", message(order="fail", message_id="bad"))
    async with bus.get_queue_receiver("plain", sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        (found,) = await dead.receive_messages(max_wait_time=30)
        await dead.complete_message(found)
    assert found.message_id == "bad"
    assert [one["delivery_count"] for one in named(host, "plain", message_id="bad")] == [1, 2, 3]
    assert "told to fail" in host.log


async def test_sessions_keep_their_order_and_run_side_by_side(
    host: Host, bus: ServiceBusClient
) -> None:
    keys = ["a", "b", "c"]
    await send(
        bus,
        "sessions",
        *(message(str(number), session_id=key) for number in range(10) for key in keys),
    )
    await eventually(lambda: len(named(host, "ended")) == 30)
    for key in keys:
        seen = [(one["name"], one["body"]) for one in host.records if one["session"] == key]
        # In order, and the next never before the last has ended.
        assert seen == [(name, str(n)) for n in range(10) for name in ("started", "ended")]


async def test_two_sessions_at_a_time(host: Host, bus: ServiceBusClient) -> None:
    await send(
        bus, "sessions", *(message("first", "wait", session_id=key) for key in ("x", "y", "z"))
    )
    await eventually(lambda: len(named(host, "started")) == 2)
    host.gate.touch()
    await eventually(lambda: len(named(host, "ended")) == 3)


async def test_a_failed_message_is_tried_again_before_the_next_of_its_session(
    host: Host, bus: ServiceBusClient
) -> None:
    first = message("first", "fail once", session_id="retry")
    await send(bus, "sessions", first, message("second", session_id="retry"))
    await eventually(lambda: named(host, "ended", session="retry", body="second"))
    seen = [(one["name"], one["body"]) for one in host.records if one["session"] == "retry"]
    assert seen == [
        ("started", "first"),
        ("started", "first"),
        ("ended", "first"),
        ("started", "second"),
        ("ended", "second"),
    ]


async def test_the_lock_is_renewed_while_a_function_runs(host: Host, bus: ServiceBusClient) -> None:
    await send(bus, "plain", message(order="wait", message_id="long"))
    await send(bus, "sessions", message("long", "wait", session_id="long"))
    await eventually(lambda: named(host, "plain") and named(host, "started"))
    # Longer than the queues' lock duration, after which anyone else would be given the messages.
    await asyncio.sleep(7)
    host.gate.touch()
    await eventually(lambda: named(host, "plain done") and named(host, "ended"))
    assert await host.stop() == 0
    assert [one["delivery_count"] for one in named(host, "plain")] == [1]
    assert len(named(host, "started")) == 1
    assert await left(bus, "plain", None) == []


async def test_messages_flow_again_after_the_broker_restarts(host: Host, broker: Broker) -> None:
    broker.kill()
    broker.start()
    async with ServiceBusClient.from_connection_string(broker.connection) as bus:
        await send(bus, "plain", message(message_id="after"))
        await send(bus, "sessions", message("after", session_id="after"))
        await eventually(lambda: named(host, "plain done", message_id="after"))
        await eventually(lambda: named(host, "ended", session="after"))


async def test_the_host_waits_for_a_broker_that_starts_later(
    new_host: Callable[..., Host], broker: Broker
) -> None:
    broker.kill()
    late = new_host("queues", BUS=broker.connection, SESSIONS_QUEUE="sessions")
    late.spawn()
    await eventually(lambda: "Failed to initiate the connection" in late.log)
    assert "ready" not in late.output
    broker.start()
    await eventually(lambda: "ready" in late.output)
    assert await late.stop() == 0


async def test_a_message_in_flight_is_finished_on_sigterm(
    host: Host, bus: ServiceBusClient
) -> None:
    await send(bus, "plain", message(order="wait", message_id="in flight"))
    await send(bus, "sessions", message("in flight", "wait", session_id="flying"))
    await eventually(lambda: named(host, "plain") and named(host, "started"))
    stopping = asyncio.create_task(host.stop())
    await asyncio.sleep(0.2)
    assert host.exit_code is None
    await send(bus, "plain", message(message_id="too late"))
    host.gate.touch()
    assert await stopping == 0
    assert named(host, "plain done", message_id="in flight")
    assert named(host, "ended", session="flying")
    assert await left(bus, "plain", None) == ["too late"]


async def test_a_killed_hosts_message_is_delivered_to_the_next(
    host: Host, bus: ServiceBusClient
) -> None:
    await send(bus, "plain", message(order="wait", message_id="survivor"))
    await eventually(lambda: named(host, "plain", message_id="survivor"))
    await host.kill()
    host.gate.touch()
    await host.start()
    await eventually(lambda: named(host, "plain done", message_id="survivor"))
