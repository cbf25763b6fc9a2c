"""Parking: the copy of a message that can never succeed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.catalogue import PARKED_MESSAGES_QUEUE
from shared.errors import RefusalError
from shared.ids import rfc3339
from shared.ports import OutgoingMessage, Value


@dataclass(frozen=True, slots=True)
class Received:
    """A message from a queue, with the properties.

    `sequence_number` is the queue's own number; `id` is the sender's, and may be missing or
    repeated.
    """

    queue: str
    sequence_number: int
    id: str
    body: bytes
    session: str | None
    content_type: str | None
    delivery_count: int
    properties: Mapping[str, Value]


def parked(message: Received, reason: RefusalError, now: datetime) -> OutgoingMessage:
    """Make the copy of `message` for `parked-messages`: body, properties, and the reason.

    The reason travels as application properties `parked-…`, so that the body stays unchanged and
    can be replayed. The second copy of a message that was delivered and parked twice is a
    duplicate.
    """
    return OutgoingMessage(
        PARKED_MESSAGES_QUEUE.name,
        f"{message.queue}|{message.sequence_number}",
        message.body,
        content_type=message.content_type or "application/octet-stream",
        properties={
            **message.properties,
            "parked-reason": reason.code,
            "parked-detail": reason.detail,
            "parked-remedy": reason.remedy,
            "parked-queue": message.queue,
            "parked-message-id": message.id,
            "parked-session-id": message.session or "",
            "parked-delivery-count": message.delivery_count,
            "parked-at": rfc3339(now),
        },
    )


def parked_entry(event: OutgoingMessage, reason: RefusalError, now: datetime) -> OutgoingMessage:
    """Make the copy for `parked-messages` of the app's own log entry, given as an event.

    The entry never was on the queue `access-events`, and so has no sequence number: the event's id
    takes the number's place.
    """
    received = Received(
        queue=event.queue,
        sequence_number=0,
        id=event.id,
        body=event.body,
        session=None,
        content_type=event.content_type,
        delivery_count=0,
        properties={},
    )
    return replace(parked(received, reason, now), id=f"{event.queue}|{event.id}")
