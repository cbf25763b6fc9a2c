"""Looking into a queue that others use too: peeking takes nothing out and locks nothing."""

import json
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient

_PAGE = 250


async def peeked(bus: ServiceBusClient, queue: str) -> list[ServiceBusReceivedMessage]:
    """Every message that stands on a queue, in order."""
    found: list[ServiceBusReceivedMessage] = []
    async with bus.get_queue_receiver(queue) as receiver:
        while True:
            after = (found[-1].sequence_number or 0) + 1 if found else 1
            page = await receiver.peek_messages(_PAGE, sequence_number=after)
            if not page:
                return found
            found += page


def data_of(message: ServiceBusReceivedMessage) -> dict[str, Any]:
    """The data of the CloudEvent that a message carries."""
    return dict(json.loads(bytes(b"".join(message.body)))["data"])
