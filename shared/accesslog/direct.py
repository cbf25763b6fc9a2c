"""A sender whose messages to the log are appended to it.

So what an outbox sends is in the log when the outbox has sent it. What the log does not take now
stays in the outbox, which tries again each minute, also for as long as the log is damaged; what it
never will is parked.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from shared.accesslog.service import LOG_DAMAGED, AccessLog, Recorded
from shared.errors import RefusalError, UnavailableError, kind_and_place
from shared.messages import Received, decode, parked, queues
from shared.ports import Clock, OutgoingMessage, Sender

logger = logging.getLogger("vouchsafe.accesslog")


class LoggingBus:
    """`shared.ports.Sender` that keeps entries itself and leaves every other message to `bus`."""

    def __init__(self, bus: Sender, log: AccessLog, clock: Clock) -> None:
        self._bus = bus
        self._log = log
        self._clock = clock

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Append the entries and send the others, as a bus does.

        Raises UnavailableError, once the others are sent, also when the log takes an entry not now.
        """
        entries = [one for one in messages if one.queue == queues.ACCESS_EVENTS]
        others = [one for one in messages if one.queue != queues.ACCESS_EVENTS]
        refused, is_complete = await self._append(entries) if entries else ([], True)
        if others or refused:
            await self._bus.send([*others, *refused])
        if not is_complete:
            raise UnavailableError("log")

    async def _append(
        self, entries: Sequence[OutgoingMessage]
    ) -> tuple[Sequence[OutgoingMessage], bool]:
        """Append entries. What is to be parked of them, and whether the log has all others."""
        try:
            events = [Recorded.of(decode(entry.body)) for entry in entries]
            reasons = await self._log.record_events(events)
        except UnavailableError as error:
            logger.warning("%d entries stay in the outbox: %s", len(entries), error)
            return [], False
        except Exception as error:  # noqa: BLE001 - what they record is done, and must be logged
            logger.error("entries stay in the outbox: %s", kind_and_place(error))  # noqa: TRY400 - see there
            return [], False
        told = zip(entries, reasons, strict=True)
        refused = [(entry, reason) for entry, reason in told if reason is not None]
        never = [(entry, reason) for entry, reason in refused if reason.code != LOG_DAMAGED]
        return [self._parked(*one) for one in never], len(never) == len(refused)

    def _parked(self, entry: OutgoingMessage, reason: RefusalError) -> OutgoingMessage:
        logger.error("parked an entry of our own: %s", reason.code)
        message = Received(
            queue=entry.queue,
            sequence_number=0,
            id=entry.id,
            body=entry.body,
            session=None,
            content_type=entry.content_type,
            delivery_count=0,
            properties={},
        )
        # It never was on that queue, and so has no number there.
        return replace(parked(message, reason, self._clock()), id=f"{entry.queue}|{entry.id}")
