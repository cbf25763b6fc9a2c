"""The escalation's timer: whoever is due to be told of an incident is told."""

from shared.compare_and_set import compare_and_set
from shared.incidents.records.store import IncidentStore
from shared.ports import Clock


class EscalationTimer:
    """Takes the steps of the escalation that are due."""

    def __init__(self, store: IncidentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self) -> int:
        """Take every step that is due. Returns the number of the incidents that were looked at.

        A step is taken once: the record keeps the steps, and step and notice are one transaction.
        Safe to repeat after a crash at any line. Raises the last failure, once every other incident
        had a turn.
        """
        seen: set[str] = set()
        failed: Exception | None = None
        await self._store.flush()
        while due := [pair for pair in await self._store.due(self._clock()) if pair[1] not in seen]:
            for incident, row in due:
                # A clock that goes back in between leaves the row for a later round.
                seen.add(row)
                try:
                    await self.escalate(incident, row)
                except Exception as error:  # noqa: BLE001 - noted, and raised in the end
                    failed = error
        if failed is not None:
            raise failed
        return len(seen)

    async def escalate(self, incident: str, row: str) -> None:
        """Take the steps of one incident that are due; `row` is the key of the row `due`."""

        async def attempt() -> None:
            draft = await self._store.find(incident)
            await self._store.forget_stale_due(draft, row)
            if draft is not None:
                await self._store.keep(draft)

        await compare_and_set(attempt)
