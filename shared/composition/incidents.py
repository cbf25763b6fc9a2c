"""Incidents: opened once, recorded and handled, and the watch over dead letters."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow
from shared.composition.tenancy import TenancyFlow
from shared.errors import RefusalError

if TYPE_CHECKING:
    from shared.incidents import Incidents
    from shared.incidents.records.desk import IncidentDesk
    from shared.incidents.records.intake import IncidentIntake
    from shared.incidents.records.store import IncidentStore
    from shared.incidents.records.timer import EscalationTimer


class IncidentsFlow(Flow):
    """The services of incidents."""

    @cached_property
    def incidents(self) -> "Incidents":
        """The incidents of the stamp."""
        from shared.incidents import Incidents

        return Incidents(self._adapters.tables, self._flow(MessagesFlow).outbox, self.clock)

    @cached_property
    def intake(self) -> "IncidentIntake":
        """The messages of incidents on their way into records."""
        from shared.incidents.records.intake import IncidentIntake

        return IncidentIntake(self._store, self._is_served, self.clock)

    @cached_property
    def desk(self) -> "IncidentDesk":
        """The records of incidents, and the steps of people."""
        from shared.accesslog import new_entry
        from shared.incidents.records.desk import IncidentDesk

        return IncidentDesk(self._store, new_entry, self.clock)

    @cached_property
    def escalation(self) -> "EscalationTimer":
        """The steps of the escalation that are due."""
        from shared.incidents.records.timer import EscalationTimer

        return EscalationTimer(self._store, self.clock)

    async def _is_served(self, tenant: str) -> bool:
        try:
            await self._flow(TenancyFlow).tenants.require(tenant)
        except RefusalError:
            return False
        return True

    @cached_property
    def _store(self) -> "IncidentStore":
        from shared.incidents.records.store import IncidentStore

        return IncidentStore(self._adapters.tables, self._flow(MessagesFlow).outbox, self.clock)
