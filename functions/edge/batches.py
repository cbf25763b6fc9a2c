"""Queue functions that take several messages in each call."""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import List  # noqa: UP035 - see `batch_consumer`

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
from shared import composition
from shared.catalogue import Store
from shared.composition.edge import EdgeFlow
from shared.errors import (
    RefusalError,
    RowConflictError,
    UnavailableError,
    kind_and_place,
)
from shared.messages import Received
from shared.messages.contracts import Contract

logger = logging.getLogger("vouchsafe.messages")

type Refused[F, T: Contract] = tuple[Delivery[F, T], RefusalError]
type BatchHandler[F, T: Contract] = Callable[
    [F, Sequence[Delivery[F, T]]], Awaitable[Sequence[Refused[F, T]]]
]
type BatchFunction = Callable[[List[func.ServiceBusMessage]], Awaitable[None]]  # noqa: UP006


def batch_consumer[F: composition.Flow, T: Contract](
    flow: type[F], queue: Store, *contracts: type[Contract], any_tenant: bool = False
) -> Callable[[BatchHandler[F, T]], BatchFunction]:
    """Make a queue function for batches of a handler that takes the data of `contracts`.

    The handler gets the readable messages, in the queue's order, and returns the refused messages.
    Each refused message is parked alone, and the rest is completed. After a failure the queue
    delivers the whole batch again, so the handler must be idempotent. An unforeseen failure may be
    the fault of a single message, and would dead-letter the whole batch. So the handler then gets
    each message alone, before the batch goes back, and a message that fails again and again is
    parked. With `any_tenant`, messages of a tenant that is not the stamp's get to the handler too.
    """

    def decorate(handler: BatchHandler[F, T]) -> BatchFunction:
        # The runtime library takes no list[...] in a signature.
        async def run(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006
            received = [received_of(queue.name, message) for message in messages]
            with hide_unforeseen_errors():
                async with delay_before_retry(received):
                    own = composition.flow(flow)
                    await _Batch(own, received, contracts, handler, any_tenant).run()

        run.__name__ = handler.__name__
        run.__doc__ = handler.__doc__
        return run

    return decorate


class _Batch[F, T: Contract]:
    """One batch on its way through a handler."""

    def __init__(
        self,
        flow: F,
        received: Sequence[Received],
        contracts: tuple[type[Contract], ...],
        handler: BatchHandler[F, T],
        any_tenant: bool,
    ) -> None:
        self._flow = flow
        self._edge = composition.flow(EdgeFlow)
        self._received = sorted(received, key=lambda one: one.sequence_number)
        self._contracts = contracts
        self._handler = handler
        self._any_tenant = any_tenant
        self._refused: list[tuple[Received, RefusalError]] = []
        self._failed: list[tuple[Received, Exception]] = []

    async def run(self) -> None:
        """Handle the batch. Raises the last unforeseen failure, after every message had a turn.

        Raises UnavailableError and RowConflictError, which concern the whole batch, at once.
        """
        try:
            if deliveries := await self._read():
                await self._handle(deliveries)
            for received, error in self._failed:
                if received.delivery_count >= MAX_FAILURES:
                    self._refused.append((received, unforeseen(error)))
        finally:
            # A refused message never succeeds, whatever becomes of the batch.
            await park(self._edge, self._refused)
        left = [error for received, error in self._failed if received.delivery_count < MAX_FAILURES]
        if left:
            raise left[-1]

    async def _read(self) -> Sequence[Delivery[F, T]]:
        """Read the messages that the handler can take."""
        numbers = frozenset(received.sequence_number for received in self._received)
        served: dict[str, RefusalError | None] = {}
        deliveries: list[Delivery[F, T]] = []
        for received in self._received:
            with self._noting(received):
                delivery: Delivery[F, T] = delivery_of(
                    self._flow, received, self._contracts, numbers
                )
                if not self._any_tenant:
                    await require_served(self._edge, delivery.data, served)
                deliveries.append(delivery)
        return deliveries

    async def _handle(self, deliveries: Sequence[Delivery[F, T]]) -> None:
        """Give the batch to the handler; after an unforeseen failure, give each message alone."""
        try:
            turned_away = await self._handler(self._flow, deliveries)
            self._refused += [(one.received, reason) for one, reason in turned_away]
        except (UnavailableError, RowConflictError):
            raise
        except Exception as error:  # noqa: BLE001 - noted, and raised in the end
            if len(deliveries) == 1:
                self._failed.append((deliveries[0].received, error))
                return
            count = len(deliveries)
            logger.warning("a batch of %d is taken apart: %s", count, kind_and_place(error))
            for one in deliveries:
                await self._handle([one])

    @contextmanager
    def _noting(self, received: Received) -> Iterator[None]:
        """Note why a message is refused or fails; go on with the next."""
        try:
            yield
        except RefusalError as reason:
            self._refused.append((received, reason))
        except (UnavailableError, RowConflictError):
            raise
        except Exception as error:  # noqa: BLE001 - noted, and raised in the end
            self._failed.append((received, error))
