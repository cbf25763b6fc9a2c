"""The order of a queue from which several instances take events for the log.

Each instance holds some of the queue's messages. An instance may reach the log before an instance
with earlier messages. Each instance therefore browses the messages before its own, locked or not,
and adds the earlier events of the same sources first. The holder of an earlier message then finds
the event in the log. Every instance appends a beginning of the same sequence, and no instance
waits. A message that has left the queue is in the log already, was parked, or is dead-lettered.

Source: "Message browsing" (peeking also shows locked messages) and "Message sequencing and
timestamps" (sequence numbers only grow, without gaps), learn.microsoft.com. The numbers of a
partitioned queue begin with the partition's number and give no order.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.accesslog.service import AccessLog, Recorded
from shared.errors import ForbiddenError, RefusalError, UnavailableError, kind_and_place
from shared.messages import decode
from shared.messages.cloudevents import SOURCE
from shared.messages.contracts import AccessRecorded
from shared.ports import Bus

logger = logging.getLogger("vouchsafe.accesslog")


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event from a queue; `number` is the sequence number of the message."""

    number: int
    event: Recorded

    @property
    def stream(self) -> tuple[str, str]:
        """The unit of order: the events of one source in one tenant's log."""
        return self.event.data.tenant, self.event.source


class Arrivals:
    """Appends the events of a queue to the log in the queue's order, on any number of instances."""

    def __init__(self, queue: str, bus: Bus, log: AccessLog) -> None:
        self._queue = queue
        self._bus = bus
        self._log = log

    async def record(
        self, arrivals: Sequence[Arrival], batch: Collection[int]
    ) -> Sequence[RefusalError | None]:
        """Add the events of one batch, or some of the events, as `AccessLog.record_events` does.

        `batch` has the number of every message of the batch: the caller deals with the messages
        without an arrival. Refuses an event under this app's source, because the app's own entries
        take a different way. Raises UnavailableError when log or queue is unavailable.
        """
        refusals: dict[int, RefusalError | None] = {
            id(one): _reserved() for one in arrivals if one.event.source == SOURCE
        }
        own = [one for one in arrivals if id(one) not in refusals]
        if own:
            refusals |= await self._record(await self._earlier(own, batch), own)
        return [refusals[id(one)] for one in arrivals]

    async def _record(
        self, earlier: Sequence[Arrival], own: Sequence[Arrival]
    ) -> dict[int, RefusalError | None]:
        """Return the reason of the refusal, or None, by the `id` of each arrival."""
        ordered = sorted([*earlier, *own], key=lambda one: one.number)
        try:
            reasons = await self._log.record_events([one.event for one in ordered])
        except UnavailableError:
            raise
        except Exception as error:
            if not earlier:
                raise
            # An earlier event may be the cause: the holder of the message will find the cause.
            logger.warning("earlier events are left to others: %s", kind_and_place(error))
            return await self._record([], own)
        return {id(one): reason for one, reason in zip(ordered, reasons, strict=True)}

    async def _earlier(
        self, arrivals: Sequence[Arrival], batch: Collection[int]
    ) -> Sequence[Arrival]:
        """Return the events before `arrivals` in their streams that the instance does not hold."""
        if 0 in batch:
            logger.warning("messages came without sequence numbers: their order may be lost")
        streams = {one.stream for one in arrivals}
        end = end_of_others(batch, max(one.number for one in arrivals))
        found = []
        async for queued in self._bus.before(self._queue, end):
            if queued.number in batch:
                continue
            arrival = _arrival_of(queued.number, queued.body)
            if arrival and arrival.stream in streams and self._log.takes(arrival.event):
                found.append(arrival)
        return found


def end_of_others(batch: Collection[int], last: int) -> int:
    """Return the first number of the run of `batch` up to `last`; earlier messages may be held."""
    while last - 1 in batch:
        last -= 1
    return last


def _reserved() -> ForbiddenError:
    return ForbiddenError(
        "event-source-reserved",
        f"The source {SOURCE} is this app's own.",
        "Send events under a source of the sender's own.",
    )


def _arrival_of(number: int, body: bytes) -> Arrival | None:
    """Return the event in another holder's message; None for a message that will be parked."""
    try:
        event = decode(body)
    except RefusalError:
        return None
    if not isinstance(event.data, AccessRecorded) or event.source == SOURCE:
        return None
    return Arrival(number, Recorded.of(event))
