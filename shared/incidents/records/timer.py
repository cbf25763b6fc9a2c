"""The escalation's timer: whoever is due to be told of an incident is told."""

from shared.compare_and_set import compare_and_set
from shared.incidents.records.store import IncidentStore
from shared.ports import Clock, Row


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
        while due := [row for row in await self._store.due(self._clock()) if row.row not in seen]:
            for row in due:
                # A clock that goes back in between leaves the row for a later round.
                seen.add(row.row)
                try:
                    await self.escalate(row)
                except Exception as error:  # noqa: BLE001 - noted, and raised in the end
                    failed = error
        if failed is not None:
            raise failed
        return len(seen)

    async def escalate(self, row: Row) -> None:
        """Take the steps of an incident that are due; `row` is the row `due` of the incident."""

        async def attempt() -> bool:
            draft = await self._store.of_due(row)
            if draft is not None:
                await self._store.keep(draft)
            return draft is not None

        if await compare_and_set(attempt):
            # The record has gone on, as a rule, and has left the row behind.
            await self._store.of_due(row)
