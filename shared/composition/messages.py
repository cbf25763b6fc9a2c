"""Messages: the outbox, the incidents, and the watch over dead letters."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow

if TYPE_CHECKING:
    from shared.accesslog import AccessLog, LogStore
    from shared.incidents import Incidents
    from shared.incidents.dead_letters import DeadLetterWatch
    from shared.messages import Outbox


class MessagesFlow(Flow):
    """What carries messages and log entries away from a commit."""

    @cached_property
    def log_store(self) -> "LogStore":
        """The access log in Table Storage."""
        from shared.accesslog import LogStore
        from shared.accesslog.entries import same, stated_leaf

        return LogStore(self._adapters.tables, same=same, leaf=stated_leaf)

    @cached_property
    def log(self) -> "AccessLog":
        """The one door to the access log."""
        from shared.accesslog import AccessLog

        return AccessLog(self.log_store, self.clock)

    @cached_property
    def outbox(self) -> "Outbox":
        """The outbox."""
        from shared.messages import Outbox

        return Outbox(self._adapters.tables, self._adapters.bus, self.log, self.clock)

    @cached_property
    def incidents(self) -> "Incidents":
        """The incidents of the stamp."""
        from shared.incidents import Incidents

        return Incidents(self.outbox, self.clock)

    @cached_property
    def dead_letters(self) -> "DeadLetterWatch":
        """The watch over dead letters."""
        from shared.incidents.dead_letters import DeadLetterWatch

        return DeadLetterWatch(self._adapters.bus, self.incidents, self.clock)
