"""What the tests of failed messages share."""

import json
import uuid
from datetime import UTC, datetime

from azure.servicebus import ServiceBusMessage

from shared.catalogue import PARKED_CONTAINER, QUEUES
from shared.composition.failed_messages import FailedMessagesFlow
from shared.errors import MalformedInputError
from shared.failed_messages import MessageFilter
from shared.identity.rules import VENDOR_IT_SUPERVISOR, Caller
from shared.messages.parking import Received, parked, whole_of

ITO = Caller("ito", frozenset({VENDOR_IT_SUPERVISOR}), None, "vendor")
REASON = MalformedInputError("message-invalid", "It is broken.", "Mend it.")
SESSIONS = {queue.name for queue in QUEUES if queue.sessions}


def flow(app):
    """The failed messages of an app."""
    return app.flow(FailedMessagesFlow).failed_messages


def record(app):
    """The stamp's own record of an app."""
    return app.flow(FailedMessagesFlow).stamp_record


def event(tenant, **data):
    """A revocation of a tenant, as bytes."""
    actor = {"id": "mia", "role": "tenant.admin", "organisation": "Zoe Smith Ltd"}
    return json.dumps(
        {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/portal",
            "type": "vouchsafe.consent.revoked.v1",
            "time": "2026-11-28T12:00:00Z",
            "data": {"grantId": "g-1", "tenant": tenant, "revokedBy": actor} | data,
        }
    ).encode()


async def send(bus, queue, body, **more):
    """Put a message on a queue."""
    message = ServiceBusMessage(body, message_id=str(uuid.uuid4()), **more)
    async with bus.get_queue_sender(queue) as sender:
        await sender.send_messages(message)


async def dead_letter(bus, queue, body, session=None, **more):
    """Send a message and have it dead-lettered, as after too many deliveries."""
    session = session if queue in SESSIONS else None
    await send(bus, queue, body, session_id=session, **more)
    async with bus.get_queue_receiver(queue, session_id=session) as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=30)
        await receiver.dead_letter_message(message, reason="MaxDeliveryCountExceeded")


async def park(app, queue, number, body, session=None, **more):
    """Park a message as the edge does."""
    received = Received(
        queue=queue,
        sequence_number=number,
        id=str(uuid.uuid4()),
        body=body,
        session=session,
        content_type=more.pop("content_type", "application/cloudevents+json"),
        delivery_count=1,
        properties=more,
    )
    if (whole := whole_of(received)) is not None:
        await app.blobs.ensure_container(PARKED_CONTAINER.name)
        name = PARKED_CONTAINER.name
        await app.blobs.write(name, whole.name, whole.content, "application/json")
    await app.bus.send([parked(received, REASON, datetime.now(UTC))])


async def listed(app, size=1000, **wanted):
    """Every failed message that meets the conditions."""
    found, continuation = [], None
    while True:
        page, continuation = await flow(app).page(
            MessageFilter(**wanted), size=size, continuation=continuation
        )
        found += page
        if continuation is None:
            return found


async def taken_off(bus, queue, session=None):
    """Take everything off a queue: bodies in order."""
    found = []
    async with bus.get_queue_receiver(queue, session_id=session) as receiver:
        while messages := await receiver.receive_messages(100, max_wait_time=1):
            for message in messages:
                await receiver.complete_message(message)
                found.append(message)
    return found


def body_of(message):
    """The bytes of a message."""
    return b"".join(message.body)
