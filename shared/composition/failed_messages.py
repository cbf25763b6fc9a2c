"""Failed messages: parked copies and dead letters, and the stamp's own record."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.failed_messages import FailedMessages
    from shared.failed_messages.watch import FailedMessageWatch
    from shared.stamp_record import StampRecord


class FailedMessagesFlow(Flow):
    """The services of failed messages."""

    @cached_property
    def failed_messages(self) -> "FailedMessages":
        """The failed messages of the stamp."""
        from shared.failed_messages import FailedMessages

        return FailedMessages(
            self._adapters.bus,
            self._adapters.blobs,
            self._flow(MessagesFlow).log,
            self.stamp_record,
            self._flow(TenancyFlow).tenants,
            self.clock,
        )

    @cached_property
    def watch(self) -> "FailedMessageWatch":
        """The watch over failed messages."""
        from shared.failed_messages.watch import FailedMessageWatch

        incidents = self._flow(IncidentsFlow).incidents
        return FailedMessageWatch(self._adapters.bus, incidents, self.clock)

    @cached_property
    def stamp_record(self) -> "StampRecord":
        """The record of acts that concern no tenant."""
        from shared.stamp_record import StampRecord

        return StampRecord(self._adapters.tables, self.clock)
