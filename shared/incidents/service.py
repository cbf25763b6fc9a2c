"""Incidents without a change of state behind them."""

from shared.catalogue import INCIDENTS_TABLE
from shared.errors import RowConflictError
from shared.ids import key, rfc3339
from shared.incidents.rules import incident_id, incident_message
from shared.messages.contracts import IncidentOpened
from shared.messages.outbox import Outbox
from shared.ports import Clock, Insert, Row

_STAMP = "_stamp"


class Incidents:
    """The incidents of one stamp."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox = outbox
        self._clock = clock

    async def open_once(self, incident: IncidentOpened, once: str) -> bool:
        """Open `incident`, unless an earlier call opened the incident within the same `once`.

        `once` is the argument of `incident_id`. Returns True for an incident opened by the call.
        Safe to repeat after a crash at any line: row and message are one transaction, and the call
        sends a message that a crash left in the outbox. Raises UnavailableError.
        """
        now = self._clock()
        table, partition = INCIDENTS_TABLE.name, key(incident.tenant or _STAMP)
        values = {
            "kind": incident.kind,
            "severity": incident.severity,
            "summary": incident.summary,
            "resource": incident.resource,
            "openedAt": rfc3339(now),
        }
        row = Row(partition, incident_id(incident, once), values)
        message = incident_message(incident, once, now)
        try:
            await self._outbox.commit(table, partition, [Insert(row)], [message])
        except RowConflictError:
            await self._outbox.flush(table, partition)
            return False
        return True
