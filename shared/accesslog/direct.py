"""A sender whose messages to the log are appended to it, without the way through the queue.

So what an outbox sends is in the log when the outbox has sent it: in order, and at once. Whatever
the log does not take now goes the way of other services' events, which waits for it or parks it.
"""

import logging
from collections.abc import Sequence

from shared.accesslog.service import AccessLog, Recorded
from shared.errors import UnavailableError, kind_and_place
from shared.messages import decode, queues
from shared.ports import OutgoingMessage, Sender

logger = logging.getLogger("vouchsafe.accesslog")


class LoggingBus:
    """`shared.ports.Sender` that keeps entries itself and leaves every other message to `bus`."""

    def __init__(self, bus: Sender, log: AccessLog) -> None:
        self._bus = bus
        self._log = log

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        entries = [one for one in messages if one.queue == queues.ACCESS_EVENTS]
        left = [one for one in messages if one.queue != queues.ACCESS_EVENTS]
        if entries:
            left += await self._append(entries)
        if left:
            await self._bus.send(left)

    async def _append(self, messages: Sequence[OutgoingMessage]) -> Sequence[OutgoingMessage]:
        """Append the entries; returns the messages of those that were not."""
        events = [Recorded.of(decode(message.body)) for message in messages]
        try:
            reasons = await self._log.record_events(events)
        except UnavailableError as error:
            logger.warning("%d entries go through the queue: %s", len(messages), error)
            return messages
        except Exception as error:  # noqa: BLE001 - what they record is done, and must be logged
            logger.error("entries go through the queue: %s", kind_and_place(error))  # noqa: TRY400 - see there
            return messages
        return [one for one, reason in zip(messages, reasons, strict=True) if reason]
