"""Keeping the order of a queue from which several instances take events for the log.

Each instance has some of the queue's messages, and may be at the log before another that has
earlier ones. So it looks at what stands before its own messages in the queue, locked by others or
not, and adds the earlier events of the same sources first: whoever has them finds them in the log.
All instances thus append beginnings of one sequence, and none waits for another. What has left the
queue is in the log already, was parked, or is dead-lettered.

Source: "Message browsing" (peeking shows what others have locked) and "Message sequencing and
timestamps" (sequence numbers only grow, without gaps), learn.microsoft.com. The numbers of a
partitioned queue begin with that of the partition and say nothing of the order.
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
    """An event that came from a queue; `number` is the sequence number of its message."""

    number: int
    event: Recorded

    @property
    def stream(self) -> tuple[str, str]:
        """What keeps its order: the events of one source in one tenant's log."""
        return self.event.data.tenant, self.event.source


class Arrivals:
    """Adds the events of a queue to the log, in the queue's order on any number of instances."""

    def __init__(self, queue: str, bus: Bus, log: AccessLog) -> None:
        self._queue = queue
        self._bus = bus
        self._log = log

    async def record(
        self, arrivals: Sequence[Arrival], batch: Collection[int]
    ) -> Sequence[RefusalError | None]:
        """Add the events of one batch, or some of them, as `AccessLog.record_events` does.

        `batch` has the numbers of all its messages: those without an arrival are for the caller to
        deal with. Refuses what claims to come from this app, whose own entries take another way.
        Raises UnavailableError when log or queue cannot be asked.
        """
        told: dict[int, RefusalError | None] = {
            id(one): _reserved() for one in arrivals if one.event.source == SOURCE
        }
        own = [one for one in arrivals if id(one) not in told]
        if own:
            told |= await self._record(await self._earlier(own, batch), own)
        return [told[id(one)] for one in arrivals]

    async def _record(
        self, earlier: Sequence[Arrival], own: Sequence[Arrival]
    ) -> dict[int, RefusalError | None]:
        """Why each was refused, if it was, by its `id`."""
        ordered = sorted([*earlier, *own], key=lambda one: one.number)
        try:
            reasons = await self._log.record_events([one.event for one in ordered])
        except UnavailableError:
            raise
        except Exception as error:
            if not earlier:
                raise
            # It may be the fault of one of them, which whoever has it finds out.
            logger.warning("earlier events are left to others: %s", kind_and_place(error))
            return await self._record([], own)
        return {id(one): reason for one, reason in zip(ordered, reasons, strict=True)}

    async def _earlier(
        self, arrivals: Sequence[Arrival], batch: Collection[int]
    ) -> Sequence[Arrival]:
        """What others have, or nobody yet, of the events before `arrivals` in their streams."""
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
    """The number from which on up to `last` all are of `batch`; others may have those before."""
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
    """The event in a message that somebody else has; None for what will be parked."""
    try:
        event = decode(body)
    except RefusalError:
        return None
    if not isinstance(event.data, AccessRecorded) or event.source == SOURCE:
        return None
    return Arrival(number, Recorded.of(event))
