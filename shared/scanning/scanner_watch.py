"""Watch that each engine answers, and that the engine's signatures are recent."""

from datetime import datetime, timedelta
from typing import Final, Literal

from shared.errors import UnavailableError
from shared.incidents import Incidents
from shared.messages.contracts import IncidentOpened
from shared.ports import Clock
from shared.scanning.engines import Engines
from shared.scanning.scanner import Engine

# The faults of an engine's signatures, which an engine that does not answer hides.
_OF_SIGNATURES: Final = ("signatures-undated", "signatures-old")


class ScannerWatch:
    """Open an incident, once a day for each engine and fault, and clear the incident."""

    def __init__(
        self, engines: Engines, incidents: Incidents, clock: Clock, max_age: timedelta
    ) -> None:
        self._engines = engines
        self._incidents = incidents
        self._clock = clock
        self._max_age = max_age

    async def check(self) -> None:
        """Check each engine once. May be repeated after a crash at any line."""
        now = self._clock()
        for scanner in self._engines.scanners:
            resource = f"scanner/{scanner.name}"
            try:
                incident = fault_of(await scanner.engine(), now, self._max_age)
            except UnavailableError:
                incident = _incident(
                    "unavailable",
                    "critical",
                    f"The scanner {scanner.name} does not answer.",
                    resource,
                )
            else:
                await self._clear("unavailable", resource, "The scanner answers.")
                for fault in _OF_SIGNATURES:
                    if incident is None or incident.kind != _kind(fault):
                        await self._clear(fault, resource, "The fault of the signatures is over.")
            if incident is not None:
                await self._incidents.open_once(incident, once=now.date().isoformat())

    async def _clear(self, fault: str, resource: str, reason: str) -> None:
        await self._incidents.clear(_kind(fault), resource, reason)


def fault_of(engine: Engine, now: datetime, max_age: timedelta) -> IncidentOpened | None:
    """Return the incident for the age of an engine's signatures, or None."""
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
    return IncidentOpened(kind=_kind(kind), severity=severity, summary=summary, resource=resource)


def _kind(fault: str) -> str:
    return f"scanner.{fault}"
