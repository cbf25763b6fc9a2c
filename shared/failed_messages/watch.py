"""The watch over failed messages: an incident by queue and reason, until the queue is clean."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from shared.errors import UnavailableError
from shared.failed_messages.rules import PLACES, failed_message, severity_of
from shared.incidents import Incidents
from shared.messages.contracts import IncidentOpened
from shared.ports import Bus, Clock, QueuePlace

KIND: Final = "queue.dead-lettered"
_CLEAN: Final = "No message of the queue has failed for the reason any more."
# What the watch looks at of each place: an alarm needs no exact count.
_SAMPLE: Final = 250

logger = logging.getLogger("vouchsafe.deadletters")


@dataclass(slots=True)
class _Seen:
    """The failed messages by queue and reason; `beyond` has the places with more than a sample."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    beyond: set[QueuePlace] = field(default_factory=set)
    failure: UnavailableError | None = None


class FailedMessageWatch:
    """Opens an incident, once a day, for each queue and reason with failed messages.

    The incident is cleared once no message of the queue has failed for the reason. While a place
    has more messages than the watch looks at, no incident is cleared that the place may concern.
    """

    def __init__(self, bus: Bus, incidents: Incidents, clock: Clock) -> None:
        self._bus = bus
        self._incidents = incidents
        self._clock = clock

    async def watch(self) -> list[str]:
        """Look at a sample of every place. Returns the resources of the new incidents.

        Raises UnavailableError when a place could not be asked, once every other place was.
        """
        seen = _Seen()
        await asyncio.gather(*(self._look(place, seen) for place in PLACES))
        opened = [
            resource
            for (queue, reason), count in sorted(seen.counts.items())
            if (resource := await self._open(queue, reason, count, seen.beyond))
        ]
        if seen.failure is not None:
            raise seen.failure
        await self._clear(seen)
        return opened

    async def _look(self, place: QueuePlace, seen: _Seen) -> None:
        first, count = 1, 0
        try:
            # An answer may have fewer messages than there are: only an empty answer is the end.
            while browsed := await self._bus.browse(place, first, _SAMPLE):
                for message in browsed:
                    failed = failed_message(place, message)
                    seen.counts[failed.queue, failed.reason] += 1
                    first = message.number + 1
                count += len(browsed)
                if count >= _SAMPLE:
                    seen.beyond.add(place)
                    return
        except UnavailableError as error:
            seen.failure = error

    async def _open(
        self, queue: str, reason: str, count: int, beyond: Collection[QueuePlace]
    ) -> str | None:
        least = f"{count} or more" if beyond else str(count)
        incident = IncidentOpened(
            kind=KIND,
            severity=severity_of(queue),
            summary=f"Messages of the queue {queue} failed with {reason}: {least}.",
            resource=f"queues/{queue}/{reason}",
        )
        if not await self._incidents.open_once(incident, self._clock().date().isoformat()):
            return None
        logger.error("failed messages of %s with %s: %s", queue, reason, least)
        return incident.resource

    async def _clear(self, seen: _Seen) -> None:
        if any(place.queue == PLACES[0].queue for place in seen.beyond):
            # Among the parked copies may be messages of every queue.
            return
        full = {place.queue for place in seen.beyond}
        for resource in await self._incidents.open_resources(KIND):
            queue, _, reason = resource.removeprefix("queues/").partition("/")
            if (queue, reason) not in seen.counts and queue not in full:
                await self._incidents.clear(KIND, resource, _CLEAN)
