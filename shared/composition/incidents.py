"""Incidents: opened once, and the watch over dead letters."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow

if TYPE_CHECKING:
    from shared.incidents import Incidents
    from shared.incidents.dead_letters import DeadLetterWatch


class IncidentsFlow(Flow):
    """The services of incidents."""

    @cached_property
    def incidents(self) -> "Incidents":
        """The incidents of the stamp."""
        from shared.incidents import Incidents

        return Incidents(self._flow(MessagesFlow).outbox, self.clock)

    @cached_property
    def dead_letters(self) -> "DeadLetterWatch":
        """The watch over dead letters."""
        from shared.incidents.dead_letters import DeadLetterWatch

        return DeadLetterWatch(self._adapters.bus, self.incidents, self.clock)
