"""The one way in for queues: reading, typing and parking of every message."""

import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import azure.functions as func

from shared.composition import App, app
from shared.errors import (
    InvalidInputError,
    MalformedInputError,
    RefusalError,
    RowConflictError,
    UnavailableError,
    kind_and_place,
)
from shared.messages import Event, Received, decode, parked
from shared.messages.contracts import Contract

logger = logging.getLogger("vouchsafe.messages")


class DeliveryFailedError(Exception):
    """A delivery failed for a reason that was not foreseen; its text is the class of the error."""


@dataclass(frozen=True, slots=True)
class Delivery[T: Contract]:
    """One delivery of a message whose data is a `T`."""

    app: App
    event: Event
    data: T
    received: Received

    def require_session(self, tenant: str) -> None:
        """Hold a message of a session queue to the session of its tenant, which keeps its order.

        Raises InvalidInputError for another session.
        """
        if self.received.session != tenant:
            raise InvalidInputError(
                "session-differs",
                "The session of the message is not the tenant that its data names.",
                "Send it again, with a new id, in the session of its tenant.",
            )


type Consumer = Callable[[func.ServiceBusMessage], Awaitable[None]]


def consumer[T: Contract](
    queue: str, *contracts: type[Contract]
) -> Callable[[Callable[[Delivery[T]], Awaitable[None]]], Consumer]:
    """Make a queue function of a handler that takes the data of `contracts`.

    A message that names a tenant gets to the handler only if this stamp has that tenant and may
    keep its data.

    A message that can never succeed is copied to `parked-messages` with the reason and completed;
    any other failure is raised, so that Service Bus delivers the message again and, after the
    queue's limit, dead-letters it.
    """

    def decorate(handler: Callable[[Delivery[T]], Awaitable[None]]) -> Consumer:
        async def run(message: func.ServiceBusMessage) -> None:
            current = app()
            received = _received(queue, message)
            try:
                event = decode(received.body)
                if not isinstance(event.data, contracts):
                    raise _misdirected(queue, event.type)
                tenant = getattr(event.data, "tenant", None)
                if tenant is not None:
                    await current.tenants.require(tenant)
                await handler(Delivery(current, event, cast("T", event.data), received))
            except RefusalError as reason:
                await current.bus.send([parked(received, reason, current.clock())])
                logger.warning(
                    "parked message %s of %s: %s", received.id, received.queue, reason.code
                )
            except (UnavailableError, RowConflictError):
                raise
            except Exception as error:  # noqa: BLE001 - the last resort, so that nothing leaks
                # The host logs the text of what is raised here.
                logger.error("unforeseen %s", kind_and_place(error))  # noqa: TRY400 - see there
                raise DeliveryFailedError(type(error).__name__) from None

        run.__name__ = handler.__name__
        run.__doc__ = handler.__doc__
        return run

    return decorate


def _received(queue: str, message: func.ServiceBusMessage) -> Received:
    properties = message.application_properties or message.user_properties or {}
    return Received(
        queue=queue,
        sequence_number=message.sequence_number or 0,
        id=message.message_id or "",
        body=message.get_body(),
        session=message.session_id,
        content_type=message.content_type,
        delivery_count=message.delivery_count or 0,
        properties={
            name: value if isinstance(value, str | int | float | bool) else json.dumps(value)
            for name, value in properties.items()
        },
    )


def _misdirected(queue: str, kind: str) -> MalformedInputError:
    return MalformedInputError(
        "message-type-misdirected",
        f"Messages of type {kind} do not belong on the queue {queue}.",
        "Send it to the queue that its contract names.",
    )
