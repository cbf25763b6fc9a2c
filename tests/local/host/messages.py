"""Messages for the app `queues`, and what has become of them."""

import asyncio
import itertools

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from tests.local.host.harness import PATIENCE_SECONDS, Host

_ids = itertools.count()


async def send(bus: ServiceBusClient, queue: str, *messages: ServiceBusMessage) -> None:
    """Send the messages in this order."""
    async with bus.get_queue_sender(queue) as sender:
        for one in messages:
            await sender.send_messages(one)


def message(body: str = "body", order: str | None = None, **values: object) -> ServiceBusMessage:
    """A message with an id of its own; the app obeys the order."""
    properties = {} if order is None else {"order": order}
    values.setdefault("message_id", f"message-{next(_ids)}")
    return ServiceBusMessage(body, application_properties=properties, **values)


def named(host: Host, name: str, **values: object) -> list[dict[str, object]]:
    """The records of this name that hold these values."""
    wanted = {"name": name, **values}
    return [record for record in host.records if wanted.items() <= record.items()]


async def left(bus: ServiceBusClient, queue: str) -> list[str]:
    """The ids of the messages still in a queue, the locked ones included."""
    async with bus.get_queue_receiver(queue) as receiver:
        return [str(one.message_id) for one in await receiver.peek_messages(100)]


async def emptied(bus: ServiceBusClient, queue: str) -> None:
    """Return once nothing is left in a queue: without a number, the SDK peeks on from the last."""
    async with asyncio.timeout(PATIENCE_SECONDS), bus.get_queue_receiver(queue) as receiver:
        while True:
            if not await receiver.peek_messages(1, sequence_number=1):
                return
            await asyncio.sleep(0.02)
