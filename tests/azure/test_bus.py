"""The adapter of Service Bus where the service does not behave."""

import asyncio

import pytest

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
