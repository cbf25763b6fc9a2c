"""Refusals of the broker, as the unmodified asynchronous SDK reports each refusal."""

import httpx
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus._common.mgmt_handlers import default
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)

from tests.local.servicebus.sdk import send
from tests.local.servicebus.test_sdk_drops import port_of


async def test_an_unknown_queue_is_not_found(client):
    """ "Service Bus messaging exceptions": MessagingEntityNotFound."""
    with pytest.raises(MessagingEntityNotFoundError, match="nowhere"):
        async with client.get_queue_receiver("nowhere"):
            pass
    with pytest.raises(MessagingEntityNotFoundError, match="nowhere"):
        await send(client, "nowhere", ServiceBusMessage("x"))


@pytest.mark.parametrize(
    "change", [("SAS_KEY_VALUE", "another"), ("RootManage", "Branch"), ("SAS_KEY_VALUE", "")]
)
async def test_a_wrong_key_is_unauthorized(broker, new_queue, change):
    """ "Service Bus access control with Shared Access Signatures"."""
    wrong = broker.replace(*change) if change[1] else broker.replace("SAS_KEY_VALUE", "SAS_KEY")
    async with ServiceBusClient.from_connection_string(wrong, retry_total=0) as client:
        with pytest.raises(ServiceBusAuthenticationError):
            await send(client, new_queue("plain"), ServiceBusMessage("x"))


async def test_what_the_broker_cannot_do_is_refused_by_name(client, new_queue):
    async with client.get_queue_receiver(new_queue("plain")) as receiver:
        with pytest.raises(ServiceBusError, match="batch-delete-messages"):
            await receiver._mgmt_request_response_with_retry(
                b"com.microsoft:batch-delete-messages", {"message-count": 1}, default
            )


async def test_http_and_websockets_are_refused_by_name(broker):
    """RFC 6455, section 4.1: the opening handshake of AMQP over WebSockets."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Protocol": "amqp"}
    url = f"http://127.0.0.1:{port_of(broker)}/$servicebus/websocket"
    async with httpx.AsyncClient(trust_env=False) as plain:
        answer = await plain.get(url, headers=upgrade)
    assert answer.status_code == 501
    assert "WebSockets" in answer.reason_phrase


async def test_a_session_receiver_on_a_queue_without_sessions(client, new_queue):
    """ "Message sessions": sessions are a property of the queue."""
    with pytest.raises(ServiceBusError, match="sessionful"):
        async with client.get_queue_receiver(new_queue("plain"), session_id="s"):
            pass
