"""The watch over the scanner: that it answers, and that its signatures are of our days."""

import logging
from datetime import datetime, timedelta
from typing import Literal

from shared.catalogue import INCIDENTS_QUEUE
from shared.errors import RowConflictError, UnavailableError
from shared.ids import key
from shared.messages import Outbox, encode
from shared.messages.contracts import IncidentOpened
from shared.ports import Clock, Insert, Row
from shared.scanning.defender import SCANS
from shared.scanning.scanner import Engine, Scanner

logger = logging.getLogger("vouchsafe.scanner")


class ScannerWatch:
    """Opens an incident, once a day for each engine and fault."""

    def __init__(self, scanner: Scanner, outbox: Outbox, clock: Clock, max_age: timedelta) -> None:
        self._scanner = scanner
        self._outbox = outbox
        self._clock = clock
        self._max_age = max_age

    async def check(self) -> None:
        """Look once. It may be repeated after a crash at any line."""
        now = self._clock()
        try:
            incident = fault_of(await self._scanner.engine(), now, self._max_age)
        except UnavailableError:
            incident = _incident(
                "unavailable", "critical", "The scanner does not answer.", "scanner"
            )
        if incident is not None:
            await self._open(incident, now)

    async def _open(self, incident: IncidentOpened, now: datetime) -> None:
        day = now.date().isoformat()
        partition = key("watch", incident.resource)
        row = Row(partition, key(incident.kind, day), {"openedAt": now.isoformat()})
        identifier = f"{incident.kind}-{incident.resource.replace('/', '-')}-{day}"
        message = encode(INCIDENTS_QUEUE.name, incident, identifier=identifier, now=now)
        try:
            await self._outbox.commit(SCANS, partition, [Insert(row)], [message])
        except RowConflictError:
            logger.debug("an incident was opened today")
            await self._outbox.flush(SCANS, partition)


def fault_of(engine: Engine, now: datetime, max_age: timedelta) -> IncidentOpened | None:
    """The incident that an engine's signatures call for, or None."""
    resource = f"scanner/{engine.name}"
    if engine.self_updating:
        return None
    if engine.signatures_made_at is None:
        summary = "The scanner does not say how old its signatures are."
        return _incident("signatures-undated", "warning", summary, resource)
    if now - engine.signatures_made_at <= max_age:
        return None
    made = engine.signatures_made_at.date().isoformat()
    summary = f"The newest of the scanner's signatures are of {made}."
    return _incident("signatures-old", "critical", summary, resource)


def _incident(
    kind: str, severity: Literal["warning", "critical"], summary: str, resource: str
) -> IncidentOpened:
    return IncidentOpened(
        kind=f"scanner.{kind}", severity=severity, summary=summary, resource=resource
    )
