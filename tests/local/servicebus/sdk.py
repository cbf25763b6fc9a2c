"""What the tests through the SDK share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

# Seconds; WAIT ends only a broken test, SHORT is how long a test looks for what must not come.
WAIT = 20
SHORT = 0.5

# The SDK takes up to a second to close a link, so that the client's fixture closes all at once.
open_links: list[ServiceBusSender | ServiceBusReceiver] = []


async def send(
    client: ServiceBusClient, queue: str, *messages: ServiceBusMessage | list[ServiceBusMessage]
) -> None:
    """Send messages, and lists of them as batches, in this order over a connection of its own."""
    sender = client.get_queue_sender(queue)
    open_links.append(sender)
    for message in messages:
        await sender.send_messages(message)


@asynccontextmanager
async def receiving(
    client: ServiceBusClient, queue: str, **options: Any
) -> AsyncIterator[ServiceBusReceiver]:
    """A receiver that stays open, for when its closing is not what the test is about."""
    receiver = client.get_queue_receiver(queue, **options)
    open_links.append(receiver)
    await receiver.__aenter__()
    yield receiver


async def receive_one(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    """The next message."""
    (message,) = await receiver.receive_messages(1, max_wait_time=WAIT)
    return message


async def dead_letters(
    client: ServiceBusClient, queue: str, count: int
) -> list[ServiceBusReceivedMessage]:
    """Take so many messages from the dead-letter queue, which then must be empty."""
    found: list[ServiceBusReceivedMessage] = []
    async with receiving(client, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        while len(found) < count:
            for message in await dead.receive_messages(count, max_wait_time=WAIT):
                await dead.complete_message(message)
                found.append(message)
        assert await dead.peek_messages(1, sequence_number=1) == []
    return found
