"""Backups: the backup audits of the stamp."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow

if TYPE_CHECKING:
    from shared.backups import BackupAudits


class BackupsFlow(Flow):
    """The services of backups."""

    @cached_property
    def audits(self) -> "BackupAudits":
        """The backup audits of the stamp."""
        from shared.backups import BackupAudits

        return BackupAudits(
            self._adapters.tables,
            self._adapters.blobs,
            self._flow(MessagesFlow).outbox,
            self._flow(IncidentsFlow).incidents,
            self._adapters.recovery_vaults,
            self.clock,
            self._settings.STAMP_REGION,
            self._settings.BACKUP_EXPECTATIONS_FILE,
        )
