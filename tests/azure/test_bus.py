"""The adapter of Service Bus: looking into a queue, and a service that does not behave."""

import asyncio
import uuid
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from infra.local.stack import Stack
from shared.azure import bus
from shared.errors import UnavailableError
from shared.ports import OutgoingMessage

MESSAGE = OutgoingMessage("intake", "m1", b"{}")


@pytest.fixture
async def silent():
    """The connection string of a service that takes connections and never says a word."""
    ended = asyncio.Event()

    async def say_nothing(_reader, writer):
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield (
        f"Endpoint=sb://localhost:{port};SharedAccessKeyName=n;SharedAccessKey=k;"
        "UseDevelopmentEmulator=true;"
    )
    ended.set()
    server.close()


async def test_a_bus_that_says_nothing_is_unavailable(silent, monkeypatch):
    monkeypatch.setattr(bus, "_SEND_SECONDS", 0.5)
    monkeypatch.setattr(bus, "_CLOSE_SECONDS", 0.5)
    adapter = bus.AzureBus(silent, ping_queue="intake")
    sends = [adapter.send([MESSAGE]) for _ in range(3)]
    async with asyncio.timeout(20):
        answers = await asyncio.gather(*sends, return_exceptions=True)
    assert [type(answer) for answer in answers] == [UnavailableError] * 3


async def test_a_message_that_no_queue_takes_is_told_from_a_bus_that_is_down(stack):
    adapter = bus.AzureBus(
        stack.info["connection_strings"]["service_bus"], ping_queue="parked-messages"
    )
    large = OutgoingMessage("intake", "m2", bytes(2_000_000))
    with pytest.raises(bus.MessageSizeExceededError):
        await adapter.send([large])
    await adapter.close()


@pytest.fixture(scope="module")
def queues(tmp_path_factory):
    """The connection string of queues from which nobody takes."""
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, in_memory=True, processes=["servicebus"]) as stack:
        yield stack.info["connection_strings"]["service_bus"]


@pytest.fixture
async def adapter(queues):
    adapter = bus.AzureBus(queues, ping_queue="intake")
    yield adapter
    await adapter.close()


@pytest.fixture
async def client(queues):
    async with ServiceBusClient.from_connection_string(queues) as client:
        yield client


def messages(count):
    return [ServiceBusMessage(str(n), message_id=str(uuid.uuid4())) for n in range(count)]


async def seen(adapter, queue, end):
    return [int(queued.body) async for queued in adapter.before(queue, end)]


async def test_what_stands_before_a_message_is_seen_locked_or_not(adapter, client):
    async with (
        client.get_queue_sender("notices") as sender,
        client.get_queue_receiver("notices") as receiver,
    ):
        assert await seen(adapter, "notices", 1_000_000) == []
        await sender.send_messages(messages(600))
        first, second, third = await receiver.receive_messages(3, max_wait_time=10)
        await receiver.complete_message(first)
        await receiver.defer_message(second)
        assert await seen(adapter, "notices", third.sequence_number) == []
        assert await seen(adapter, "notices", third.sequence_number + 1) == [2]
        assert await seen(adapter, "notices", third.sequence_number + 597) == [*range(2, 599)]
        assert await seen(adapter, "notices", 1_000_000) == [*range(2, 600)]
        await sender.schedule_messages(messages(1), datetime(2999, 1, 1, tzinfo=UTC))
        assert await seen(adapter, "notices", 1_000_000) == [*range(2, 600)]


async def test_looking_into_a_queue_takes_nothing_of_it(adapter, client):
    # The link stays open, and must ask for nothing: nobody would hear of a message that it got.
    assert await seen(adapter, "incidents", 10) == []
    async with client.get_queue_sender("incidents") as sender:
        await sender.send_messages(messages(1))
    async with client.get_queue_receiver("incidents") as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=2)
        assert message.delivery_count == 0


async def test_a_queue_that_cannot_be_looked_into_is_unavailable(silent, monkeypatch):
    monkeypatch.setattr(bus, "_PEEK_SECONDS", 0.5)
    monkeypatch.setattr(bus, "_CLOSE_SECONDS", 0.5)
    adapter = bus.AzureBus(silent, ping_queue="intake")
    with pytest.raises(UnavailableError):
        await seen(adapter, "intake", 10)
    with pytest.raises(UnavailableError):
        await adapter.oldest("intake")
