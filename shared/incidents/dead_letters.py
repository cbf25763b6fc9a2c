"""The watch over dead-lettered messages: work that failed for good."""

import logging
from datetime import datetime

from shared.catalogue import QUEUES
from shared.errors import UnavailableError
from shared.incidents.service import Incidents
from shared.messages.contracts import IncidentOpened
from shared.ports import Bus, Clock

_MAX_COUNTED = 100
_KIND = "queue.dead-lettered"
_CLEAN = "The dead-letter queue is empty."

logger = logging.getLogger("vouchsafe.deadletters")


class DeadLetterWatch:
    """Opens an incident, once a day, for each queue with dead-lettered messages.

    An empty dead-letter queue clears the incident of the queue.
    """

    def __init__(self, bus: Bus, incidents: Incidents, clock: Clock) -> None:
        self._bus = bus
        self._incidents = incidents
        self._clock = clock

    async def watch(self) -> list[str]:
        """Count the dead letters of every queue. Returns the queues with a new incident.

        Raises UnavailableError when a queue could not be asked, once every other queue was.
        """
        opened, failed = [], None
        now = self._clock()
        for queue in [store.name for store in QUEUES]:
            try:
                count = await self._bus.dead_letters(queue, _MAX_COUNTED)
            except UnavailableError as error:
                failed = error
                continue
            if not count:
                await self._incidents.clear(_KIND, f"queues/{queue}", _CLEAN)
            elif await self._open(queue, count, now):
                opened.append(queue)
        if failed is not None:
            raise failed
        return opened

    async def _open(self, queue: str, count: int, now: datetime) -> bool:
        least = f"{count} or more" if count >= _MAX_COUNTED else str(count)
        incident = IncidentOpened(
            kind=_KIND,
            severity="critical",
            summary=f"Dead-lettered messages of the queue {queue}: {least}.",
            resource=f"queues/{queue}",
        )
        if not await self._incidents.open_once(incident, now.date().isoformat()):
            return False
        logger.error("dead-lettered messages of %s: %s", queue, least)
        return True
