"""Shared helpers of the tests through the SDK."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

# Seconds. WAIT ends only a broken test; SHORT is the wait for a message that must not come.
WAIT = 20
SHORT = 0.5

# The SDK takes up to a second to close a link: the client's fixture closes every link at once.
open_links: list[ServiceBusSender | ServiceBusReceiver] = []


async def send(
    client: ServiceBusClient, queue: str, *messages: ServiceBusMessage | list[ServiceBusMessage]
) -> None:
    """Send messages, and lists of messages as batches, in this order over a new connection."""
    sender = client.get_queue_sender(queue)
    open_links.append(sender)
    for message in messages:
        await sender.send_messages(message)


@asynccontextmanager
async def receiving(
    client: ServiceBusClient, queue: str, **options: Any
) -> AsyncIterator[ServiceBusReceiver]:
    """Open a receiver that stays open, for a test that does not test closing."""
    receiver = client.get_queue_receiver(queue, **options)
    open_links.append(receiver)
    await receiver.__aenter__()
    yield receiver


async def receive_one(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    """Receive the next message."""
    (message,) = await receiver.receive_messages(1, max_wait_time=WAIT)
    return message


async def dead_letters(
    client: ServiceBusClient, queue: str, count: int
) -> list[ServiceBusReceivedMessage]:
    """Receive `count` messages from the dead-letter queue, and check that no message is left."""
    found: list[ServiceBusReceivedMessage] = []
    async with receiving(client, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        while len(found) < count:
            for message in await dead.receive_messages(count, max_wait_time=WAIT):
                await dead.complete_message(message)
                found.append(message)
        assert await dead.peek_messages(1, sequence_number=1) == []
    return found
