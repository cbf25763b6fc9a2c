"""Incidents without a change of state behind them."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from shared.catalogue import INCIDENTS_TABLE
from shared.compare_and_set import compare_and_set
from shared.ids import key
from shared.incidents.rules import cleared_message, incident_id, incident_message, matter_id
from shared.messages.contracts import IncidentCleared, IncidentOpened
from shared.messages.outbox import Outbox
from shared.ports import Clock, Condition, Insert, Operation, OutgoingMessage, Replace, Row, Tables
from shared.rows import Stored, from_values, to_values

_TABLE: Final = INCIDENTS_TABLE.name
_STAMP: Final = "_stamp"
_TICK: Final = timedelta(milliseconds=1)


class Told(Stored, frozen=True):
    """The last message about a matter: `incident` was opened, or the matter `is_over`.

    `at` is the time of the message's event. `rounds` counts the ends of the matter so far.
    """

    kind: str
    resource: str
    incident: str
    at: datetime
    is_over: bool = False
    rounds: int = 0


class Incidents:
    """The incidents of one stamp, as observations open and clear them."""

    def __init__(self, tables: Tables, outbox: Outbox, clock: Clock) -> None:
        self._tables = tables
        self._outbox = outbox
        self._clock = clock

    async def open_once(self, incident: IncidentOpened, once: str) -> bool:
        """Open `incident`, unless an earlier call opened the incident within the same `once`.

        `once` is the argument of `incident_id`. After `clear`, the matter is opened again within
        the same `once`. Returns True for an incident opened by the call. Safe to repeat after a
        crash at any line: row and message are one transaction, and the call sends a message that a
        crash left in the outbox. Raises UnavailableError.
        """

        async def attempt() -> bool:
            told, row = await self._load(incident)
            rounds = 0 if told is None else told.rounds
            # A message with the id of the first round would count as a duplicate.
            span = once if rounds == 0 else f"{once}\n{rounds}"
            identifier = incident_id(incident, span)
            if told is not None and not told.is_over and told.incident == identifier:
                await self._outbox.flush(_TABLE, row.partition)
                return False
            at = self._after(told)
            after = Told(
                kind=incident.kind,
                resource=incident.resource,
                incident=identifier,
                at=at,
                rounds=rounds,
            )
            await self._commit(after, row, incident_message(incident, span, at))
            return True

        return await compare_and_set(attempt)

    async def clear(self, kind: str, resource: str, reason: str, tenant: str | None = None) -> bool:
        """Tell that a matter is over, if `open_once` opened an incident of the matter.

        `reason` says how the matter ended. Call at each observation that the matter is over: a call
        costs one reading. Returns True for a matter that the call ended. Safe to repeat after a
        crash at any line. Raises UnavailableError.
        """
        cleared = IncidentCleared(kind=kind, resource=resource, reason=reason, tenant=tenant)

        async def attempt() -> bool:
            told, row = await self._load(cleared)
            if told is None:
                return False
            if told.is_over:
                await self._outbox.flush(_TABLE, row.partition)
                return False
            at = self._after(told)
            after = msgspec.structs.replace(told, at=at, is_over=True, rounds=told.rounds + 1)
            await self._commit(after, row, cleared_message(cleared, f"{told.incident}-over", at))
            return True

        return await compare_and_set(attempt)

    async def open_resources(self, kind: str) -> list[str]:
        """Return the resources of the stamp's matters of a kind that are not over.

        For an observer that sees what is, and clears what is no more. Raises UnavailableError.
        """
        where = [Condition("kind", "eq", kind)]
        rows = self._tables.scan(_TABLE, key(_STAMP), prefix=key("told", ""), where=where)
        found = [from_values(Told, row.values) async for row in rows]
        return [told.resource for told in found if not told.is_over]

    async def _load(self, matter: IncidentOpened | IncidentCleared) -> tuple[Told | None, Row]:
        """Return the last message about a matter, and the row, which may have yet to be written."""
        partition, name = key(matter.tenant or _STAMP), key("told", matter_id(matter))
        row = await self._tables.get(_TABLE, partition, name)
        if row is None:
            return None, Row(partition, name, {})
        return from_values(Told, row.values), row

    async def _commit(self, after: Told, before: Row, message: OutgoingMessage) -> None:
        row = Row(before.partition, before.row, to_values(after), before.etag)
        change: Operation = Insert(row) if row.etag is None else Replace(row)
        await self._outbox.commit(_TABLE, row.partition, [change], [message])

    def _after(self, told: Told | None) -> datetime:
        """Return the time of the next message about a matter: later than the last message's.

        A clock of another instance, or a clock that went back, must not turn the order around.
        """
        now = self._clock()
        return now if told is None else max(now, told.at + _TICK)
