"""The one way in for queues: reading, typing and parking of every message.

`functions.edge.batches` has the functions that take several at once.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import cast

import azure.functions as func

from shared import context
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

# Seconds: less than the minute for which a batch stays locked, as the host renews no lock of one.
_LONGEST_PAUSE = 30.0

logger = logging.getLogger("vouchsafe.messages")


class DeliveryFailedError(Exception):
    """A delivery failed for a reason that was not foreseen; its text is the class of the error."""


@dataclass(frozen=True, slots=True)
class Delivery[T: Contract]:
    """One delivery of a message whose data is a `T`.

    `batch` has the sequence numbers of all messages that came together, its own among them.
    """

    app: App
    event: Event
    data: T
    received: Received
    batch: Collection[int] = ()

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
        async def read(current: App, received: Received) -> None:
            delivery: Delivery[T] = delivery_of(current, received, contracts)
            await require_served(current, delivery.data, {})
            with context.during(delivery.event.origin):
                await handler(delivery)

        read.__name__ = handler.__name__
        read.__doc__ = handler.__doc__
        return raw_consumer(queue)(read)

    return decorate


def raw_consumer(
    queue: str,
) -> Callable[[Callable[[App, Received], Awaitable[None]]], Consumer]:
    """Make a queue function of a handler that reads messages of another system for itself.

    What it refuses is parked, and what fails is delivered again, as by `consumer`.
    """

    def decorate(handler: Callable[[App, Received], Awaitable[None]]) -> Consumer:
        async def run(message: func.ServiceBusMessage) -> None:
            current = app()
            received = received_of(queue, message)
            with hide_unforeseen_errors():
                async with delay_before_retry([received]):
                    try:
                        await handler(current, received)
                    except RefusalError as reason:
                        await park(current, [(received, reason)])

        run.__name__ = handler.__name__
        run.__doc__ = handler.__doc__
        return run

    return decorate


@asynccontextmanager
async def delay_before_retry(batch: Sequence[Received]) -> AsyncIterator[None]:
    """Wait, ever longer, before messages go back.

    They would come again at once, and ten deliveries would be used up in seconds: what lasts a
    few moments would end in the dead-letter queue. A host that ends meanwhile loses nothing.
    """
    try:
        yield
    except Exception:
        deliveries = max((received.delivery_count for received in batch), default=0)
        await asyncio.sleep(pause_seconds(deliveries, _LONGEST_PAUSE))
        raise


def pause_seconds(deliveries: int, longest: float) -> float:
    """How long a message waits before it goes back, after so many deliveries, this one included."""
    return min(2.0 ** min(max(deliveries - 1, 0), 10), longest)


@contextmanager
def hide_unforeseen_errors() -> Iterator[None]:
    """Let what may pass through, for another delivery; anything else only by its class."""
    try:
        yield
    except (UnavailableError, RowConflictError):
        raise
    except Exception as error:  # noqa: BLE001 - the last resort, so that nothing leaks
        # The host logs the text of what is raised here.
        logger.error("unforeseen %s", kind_and_place(error))  # noqa: TRY400 - see there
        raise DeliveryFailedError(type(error).__name__) from None


def delivery_of[T: Contract](
    current: App,
    received: Received,
    contracts: tuple[type[Contract], ...],
    batch: Collection[int] = (),
) -> Delivery[T]:
    """Read a message. Raises MalformedInputError for one that is of none of `contracts`."""
    event = decode(received.body)
    if not isinstance(event.data, contracts):
        raise _misdirected(received.queue, event.type)
    return Delivery(current, event, cast("T", event.data), received, batch)


async def require_served(
    current: App, data: Contract, served: dict[str, RefusalError | None]
) -> None:
    """Raise RefusalError for a tenant that is not this stamp's; asks once for each in `served`."""
    tenant = getattr(data, "tenant", None)
    if tenant is None:
        return
    if tenant not in served:
        try:
            await current.tenants.require(tenant)
            served[tenant] = None
        except RefusalError as reason:
            served[tenant] = reason
    if (found := served[tenant]) is not None:
        raise found


async def park(current: App, refused: Sequence[tuple[Received, RefusalError]]) -> None:
    """Copy messages to `parked-messages`, each with why it was refused."""
    if not refused:
        return
    now = current.clock()
    await current.bus.send([parked(received, reason, now) for received, reason in refused])
    for received, reason in refused:
        logger.warning("parked message %s of %s: %s", received.id, received.queue, reason.code)


def received_of(queue: str, message: func.ServiceBusMessage) -> Received:
    """A message as the trigger has it."""
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
