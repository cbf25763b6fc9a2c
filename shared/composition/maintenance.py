"""Maintenance windows and their announcement."""

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.failed_messages import FailedMessagesFlow
from shared.composition.messages import MessagesFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.maintenance import Maintenance


class MaintenanceFlow(Flow):
    """The services of maintenance windows."""

    @cached_property
    def maintenance(self) -> "Maintenance":
        """The maintenance windows of the stamp."""
        from shared.maintenance import Maintenance

        hours = self._settings.maintenance_reminders
        return Maintenance(
            self._adapters.tables,
            self._flow(MessagesFlow).outbox,
            self._flow(TenancyFlow).tenants,
            self._flow(FailedMessagesFlow).stamp_record,
            self.clock,
            region=self._settings.STAMP_REGION,
            notice=timedelta(hours=self._settings.MAINTENANCE_NOTICE_HOURS),
            leads=[timedelta(hours=hour) for hour in hours],
        )
