"""Retries: the pause before a failed message goes back, and the loggable error text."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from shared.errors import IntegrityError, RowConflictError, UnavailableError, kind_and_place
from shared.messages import Received

# Seconds: less than the minute for which a batch stays locked, as the host renews no batch's lock.
_LONGEST_PAUSE = 30.0

logger = logging.getLogger("vouchsafe.messages")


class DeliveryFailedError(Exception):
    """A delivery failed for an unforeseen reason; the text is the class of the error."""


@asynccontextmanager
async def delay_before_retry(batch: Sequence[Received]) -> AsyncIterator[None]:
    """Wait before failed messages go back, longer with each delivery.

    Without the pause the messages would come again at once: ten deliveries would be used up in
    seconds, and a fault of a few moments would dead-letter the messages. A host that ends during
    the pause loses nothing. After an unforeseen error the messages come again at once, because few
    deliveries are left, and the pause would hold up other messages.
    """
    try:
        yield
    except (UnavailableError, RowConflictError, IntegrityError):
        deliveries = max((received.delivery_count for received in batch), default=0)
        await asyncio.sleep(pause_seconds(deliveries, _LONGEST_PAUSE))
        raise


def pause_seconds(deliveries: int, longest: float) -> float:
    """Return the pause in seconds after so many deliveries, the present delivery included."""
    return min(2.0 ** min(max(deliveries - 1, 0), 10), longest)


@contextmanager
def hide_unforeseen_errors() -> Iterator[None]:
    """Raise a transient error as it is, and any other error as its class alone.

    The host logs the text of a raised error, and the text could hold personal data.
    """
    try:
        yield
    except (UnavailableError, RowConflictError):
        raise
    except Exception as error:  # noqa: BLE001 - the last resort, so that nothing leaks
        logger.error("unforeseen %s", kind_and_place(error))  # noqa: TRY400 - see there
        raise DeliveryFailedError(type(error).__name__) from None
