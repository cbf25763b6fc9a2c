"""What tests of notices do: tell of an event, and look into the mailbox of the stack."""

import ssl
from datetime import datetime
from typing import Any

import httpx
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from infra.local.stack import Stack
from shared.catalogue import NOTICES_QUEUE
from shared.messages import encode
from shared.messages.contracts import Contract


async def told(bus: ServiceBusClient, notice: Contract, identifier: str, at: datetime) -> None:
    """Put a notice on the queue, as a flow's outbox does."""
    message = encode(NOTICES_QUEUE.name, notice, identifier=identifier, now=at)
    async with bus.get_queue_sender(NOTICES_QUEUE.name) as sender:
        await sender.send_messages(
            ServiceBusMessage(
                message.body, message_id=message.id, content_type=message.content_type
            )
        )


async def mails_to(stack: Stack, address: str) -> list[dict[str, Any]]:
    """The mails that arrived for an address, the oldest first."""
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(
            f"{stack.info['endpoints']['mailbox']}/mails", params={"to": address}
        )
    found: list[dict[str, Any]] = answer.json()
    return found


def hook_client(stack: Stack) -> httpx.AsyncClient:
    """A client of the stack's receiver of webhooks."""
    return httpx.AsyncClient(
        base_url=stack.info["endpoints"]["webhook_receiver"],
        verify=ssl.create_default_context(cafile=stack.authority),
        trust_env=False,
    )
