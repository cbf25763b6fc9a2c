"""Deliveries: messages from a queue, read and admitted."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

import azure.functions as func

from shared.catalogue import PARKED_CONTAINER
from shared.composition.edge import EdgeFlow
from shared.errors import (
    ConflictError,
    InvalidInputError,
    MalformedInputError,
    RefusalError,
    kind_and_place,
)
from shared.messages import CloudEvent, Received, decode, parked
from shared.messages.contracts import Contract
from shared.messages.parking import whole_of

MAX_FAILURES = 3
"""The deliveries of a message that fails for no foreseen reason, before the message is parked.

Such a failure is as a rule the input's, and comes again each time. Until then the message holds up
its session, and each message of its batch.
"""

logger = logging.getLogger("vouchsafe.messages")


@dataclass(frozen=True, slots=True)
class Delivery[F, T: Contract]:
    """One delivery of a message whose data is a `T`, to a function of the flow `F`.

    `batch` has the sequence numbers of the messages that came together, its own included.
    """

    flow: F
    event: CloudEvent
    data: T
    received: Received
    batch: Collection[int] = ()

    def require_session(self, tenant: str) -> None:
        """Hold a message of a session queue to the session of the message's tenant, which keeps the
        order.

        Raises InvalidInputError for another session.
        """
        if self.received.session != tenant:
            raise InvalidInputError(
                "session-differs",
                "The session of the message is not the tenant that its data names.",
                "Send it again, with a new id, in the session of its tenant.",
            )


def received_of(queue: str, message: func.ServiceBusMessage) -> Received:
    """Return the message that a trigger of `queue` has."""
    properties = message.application_properties or message.user_properties or {}
    return Received(
        queue=queue,
        sequence_number=message.sequence_number or 0,
        id=message.message_id or "",
        body=message.get_body(),
        session=message.session_id,
        content_type=message.content_type,
        delivery_count=message.delivery_count or 0,
        properties={str(name): value for name, value in properties.items()},
    )


def delivery_of[F, T: Contract](
    flow: F,
    received: Received,
    contracts: tuple[type[Contract], ...],
    batch: Collection[int] = (),
) -> Delivery[F, T]:
    """Read a message. Raises MalformedInputError for a message of none of `contracts`."""
    event = decode(received.body)
    if not isinstance(event.data, contracts):
        raise MalformedInputError(
            "message-type-misdirected",
            f"Messages of type {event.type} do not belong on the queue {received.queue}.",
            "Send it to the queue that its contract names.",
        )
    return Delivery(flow, event, cast("T", event.data), received, batch)


async def require_served(
    edge: EdgeFlow, data: Contract, served: dict[str, RefusalError | None]
) -> None:
    """Raise RefusalError for a tenant that is not this stamp's; `served` keeps the answers."""
    tenant = getattr(data, "tenant", None)
    if tenant is None:
        return
    if tenant not in served:
        try:
            await edge.tenants.require(tenant)
            served[tenant] = None
        except RefusalError as reason:
            served[tenant] = reason
    if (found := served[tenant]) is not None:
        raise found


def unforeseen(error: Exception) -> ConflictError:
    """Return the refusal of a message that failed again and again; log the place of `error`."""
    logger.error("parked after many failures: %s", kind_and_place(error))
    return ConflictError(
        "internal-error",
        f"The message failed each time for a reason that was not foreseen: {type(error).__name__}.",
        "Find the reason in the app's log, mend it, and replay the message.",
    )


async def park(edge: EdgeFlow, refused: Sequence[tuple[Received, RefusalError]]) -> None:
    """Copy messages to `parked-messages`, each with the reason of its refusal.

    A message that does not fit is in the container `parked` before its copy is on the queue.
    """
    if not refused:
        return
    now = edge.clock()
    for received, _ in refused:
        if (whole := whole_of(received)) is not None:
            await edge.blobs.write(
                PARKED_CONTAINER.name, whole.name, whole.content, "application/json"
            )
    await edge.bus.send([parked(received, reason, now) for received, reason in refused])
    for received, reason in refused:
        logger.warning("parked message %s of %s: %s", received.id, received.queue, reason.code)
