"""Service Bus queue functions: the binding of a message, and the message's settlement.

Sources: "Azure Service Bus trigger for Azure Functions" (PeekLock behaviour, poison messages,
message metadata) and, for sessions, "Message sessions" (learn.microsoft.com).
"""

from collections.abc import AsyncIterator

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient

from tests.local.host.conftest import Broker
from tests.local.host.harness import APPS, Host, eventually
from tests.local.host.messages import emptied, message, named, send


@pytest.fixture(scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory, broker: Broker) -> AsyncIterator[Host]:
    settings = {"BUS": broker.connection, "SESSIONS_QUEUE": "sessions"}
    started = Host(APPS / "queues", tmp_path_factory.mktemp("queues"), settings)
    await started.start()
    yield started
    assert await started.stop() == 0


@pytest.fixture(scope="module")
async def bus(broker: Broker) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection) as client:
        yield client


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
    async with bus.get_queue_sender("plain") as sender:
        await sender.send_messages([message(str(number), subject="many") for number in range(200)])
    await emptied(bus, "plain")
    seen = [int(str(one["body"])) for one in named(host, "plain", subject="many")]
    assert sorted(seen) == list(range(200))


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


async def test_sessions_keep_their_order(host: Host, bus: ServiceBusClient) -> None:
    keys = ["a", "b", "c"]
    await send(
        bus,
        "sessions",
        *(message(str(number), session_id=key) for number in range(10) for key in keys),
    )
    await eventually(lambda: sum(len(named(host, "ended", session=key)) for key in keys) == 30)
    for key in keys:
        seen = [(one["name"], one["body"]) for one in host.records if one.get("session") == key]
        # In order: the next message never starts before the last has ended.
        assert seen == [(name, str(n)) for n in range(10) for name in ("started", "ended")]


async def test_a_failed_message_is_tried_again_before_the_next_of_its_session(
    host: Host, bus: ServiceBusClient
) -> None:
    first = message("first", "fail once", session_id="retry")
    await send(bus, "sessions", first, message("second", session_id="retry"))
    await eventually(lambda: named(host, "ended", session="retry", body="second"))
    seen = [(one["name"], one["body"]) for one in host.records if one.get("session") == "retry"]
    assert seen == [
        ("started", "first"),
        ("started", "first"),
        ("ended", "first"),
        ("started", "second"),
        ("ended", "second"),
    ]
