"""Messages for the app `queues`, and the messages' fate."""

import asyncio
import itertools
from typing import Any

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from tests.local.host.harness import PATIENCE_SECONDS, Host

_ids = itertools.count()


async def send(bus: ServiceBusClient, queue: str, *messages: ServiceBusMessage) -> None:
    """Send the messages in this order."""
    async with bus.get_queue_sender(queue) as sender:
        for one in messages:
            await sender.send_messages(one)


def message(body: str = "body", order: str | None = None, **values: Any) -> ServiceBusMessage:
    """Return a message with an id of its own; the app obeys the order."""
    properties: dict[str | bytes, Any] = {} if order is None else {"order": order}
    values.setdefault("message_id", f"message-{next(_ids)}")
    return ServiceBusMessage(body, application_properties=properties, **values)


def named(host: Host, name: str, **values: object) -> list[dict[str, object]]:
    """Return the records of this name with these values."""
    wanted = {"name": name, **values}
    return [record for record in host.records if wanted.items() <= record.items()]


async def left(bus: ServiceBusClient, queue: str) -> list[str]:
    """Return the ids of the messages still in a queue, the locked messages included."""
    async with bus.get_queue_receiver(queue) as receiver:
        return [str(one.message_id) for one in await receiver.peek_messages(100)]


async def emptied(bus: ServiceBusClient, queue: str) -> None:
    """Return once a queue is empty.

    Without a number, the SDK would peek on from the last message.
    """
    async with asyncio.timeout(PATIENCE_SECONDS), bus.get_queue_receiver(queue) as receiver:
        while True:
            if not await receiver.peek_messages(1, sequence_number=1):
                return
            await asyncio.sleep(0.02)
