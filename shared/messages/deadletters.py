"""Watching for dead-lettered messages: work that failed for good, of which nobody would hear."""

import logging
from datetime import datetime

from shared.errors import RowConflictError, UnavailableError
from shared.ids import key, new_id, rfc3339
from shared.messages import queues
from shared.messages.cloudevents import encode
from shared.messages.contracts import IncidentOpened
from shared.messages.outbox import Outbox
from shared.ports import Bus, Clock, Insert, Row

TABLE = "deadletters"
_MOST_COUNTED = 100

logger = logging.getLogger("vouchsafe.deadletters")


class DeadLetters:
    """Opens an incident for each queue that has dead-lettered messages, once a day."""

    def __init__(self, bus: Bus, outbox: Outbox, clock: Clock) -> None:
        self._bus = bus
        self._outbox = outbox
        self._clock = clock

    async def watch(self) -> list[str]:
        """Look at every queue. Returns those for which an incident was opened now.

        Raises UnavailableError when a queue could not be looked at, once all others were.
        """
        opened, failed = [], None
        now = self._clock()
        for queue in queues.ALL:
            try:
                count = await self._bus.dead_letters(queue, _MOST_COUNTED)
            except UnavailableError as error:
                failed = error
                continue
            if count and await self._open(queue, count, now):
                opened.append(queue)
        if failed is not None:
            raise failed
        return opened

    async def _open(self, queue: str, count: int, now: datetime) -> bool:
        least = f"{count} or more" if count >= _MOST_COUNTED else str(count)
        incident = IncidentOpened(
            kind="queue.dead-lettered",
            severity="critical",
            summary=f"Dead-lettered messages of the queue {queue}: {least}.",
            resource=f"queues/{queue}",
        )
        message = encode(queues.INCIDENTS, incident, identifier=new_id(now), now=now)
        # The row is what makes it one incident a day.
        row = Row(queue, key(now.date().isoformat()), {"count": count, "opened": rfc3339(now)})
        try:
            await self._outbox.commit(TABLE, queue, [Insert(row)], [message])
        except RowConflictError:
            return False
        logger.error("dead-lettered messages of %s: %s", queue, least)
        return True
