"""The way in for queues: reading, typing and parking of every message.

`functions.edge.batches` has the functions that take several messages at once.
"""

from collections.abc import Awaitable, Callable

import azure.functions as func

from functions.edge.deliveries import (
    MAX_FAILURES,
    Delivery,
    delivery_of,
    park,
    received_of,
    require_served,
    unforeseen,
)
from functions.edge.retries import delay_before_retry, hide_unforeseen_errors
from shared import composition, context
from shared.catalogue import Store
from shared.composition.edge import EdgeFlow
from shared.errors import IntegrityError, RefusalError, RowConflictError, UnavailableError
from shared.messages import Received
from shared.messages.contracts import Contract

type QueueFunction = Callable[[func.ServiceBusMessage], Awaitable[None]]


def consumer[F: composition.Flow, T: Contract](
    flow: type[F], queue: Store, *contracts: type[Contract]
) -> Callable[[Callable[[Delivery[F, T]], Awaitable[None]]], QueueFunction]:
    """Make a queue function of a handler that takes the data of `contracts`.

    A message that names a tenant gets to the handler only if this stamp has the tenant and may
    keep the tenant's data. A message that can never succeed is copied to `parked-messages` with
    the reason, and completed. A transient failure is raised, so that Service Bus delivers the
    message again and, after the queue's limit, dead-letters the message. A message that fails
    `MAX_FAILURES` times for no foreseen reason is parked.
    """

    def decorate(handler: Callable[[Delivery[F, T]], Awaitable[None]]) -> QueueFunction:
        async def read(own: F, received: Received) -> None:
            delivery: Delivery[F, T] = delivery_of(own, received, contracts)
            await require_served(composition.flow(EdgeFlow), delivery.data, {})
            with context.during(delivery.event.origin):
                await handler(delivery)

        read.__name__ = handler.__name__
        read.__doc__ = handler.__doc__
        return raw_consumer(flow, queue)(read)

    return decorate


def raw_consumer[F: composition.Flow](
    flow: type[F], queue: Store
) -> Callable[[Callable[[F, Received], Awaitable[None]]], QueueFunction]:
    """Make a queue function of a handler that reads another system's messages for itself.

    A refused message is parked, and a failed message is delivered again, as by `consumer`.
    """

    def decorate(handler: Callable[[F, Received], Awaitable[None]]) -> QueueFunction:
        async def run(message: func.ServiceBusMessage) -> None:
            received = received_of(queue.name, message)
            with hide_unforeseen_errors():
                async with delay_before_retry([received]):
                    try:
                        await handler(composition.flow(flow), received)
                    except RefusalError as reason:
                        await park(composition.flow(EdgeFlow), [(received, reason)])
                    except (UnavailableError, RowConflictError, IntegrityError):
                        raise
                    except Exception as error:
                        if received.delivery_count < MAX_FAILURES:
                            raise
                        await park(composition.flow(EdgeFlow), [(received, unforeseen(error))])

        run.__name__ = handler.__name__
        run.__doc__ = handler.__doc__
        return run

    return decorate
