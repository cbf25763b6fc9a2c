"""Intake: uploads are permitted, inspected and filed."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.assets import AssetsFlow
from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow
from shared.composition.scanning import ScanningFlow
from shared.composition.subjects import SubjectsFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.intake import Intake, Uploads
    from shared.intake.permits import Permits
    from shared.intake.queueing import UploadQueues
    from shared.tenancy import Tenants


class IntakeFlow(Flow):
    """The services of intake."""

    @property
    def tenants(self) -> "Tenants":
        """The tenants of the stamp."""
        return self._flow(TenancyFlow).tenants

    @cached_property
    def _uploads(self) -> "Uploads":
        from shared.intake import Uploads

        return Uploads(self._adapters.tables)

    @cached_property
    def permits(self) -> "Permits":
        """The permits to upload."""
        from shared.intake.permits import Permits

        return Permits(
            self._uploads,
            self._flow(AssetsFlow).assets,
            self._adapters.blobs,
            self.tenants,
            self.clock,
            self._settings.UPLOAD_SIZE_LIMIT,
        )

    @cached_property
    def intake(self) -> "Intake":
        """The intake of uploads."""
        from shared.intake import Intake

        return Intake(
            self._flow(AssetsFlow).assets,
            self._adapters.blobs,
            self.tenants,
            self._uploads,
            self._flow(IncidentsFlow).incidents,
            self._flow(MessagesFlow).log,
            self.clock,
            self._settings.STAMP_REGION,
            self._flow(ScanningFlow).engines,
            self._flow(SubjectsFlow).records,
            self._settings.UPLOAD_SIZE_LIMIT,
        )

    @cached_property
    def queues(self) -> "UploadQueues":
        """The queues before the intake."""
        from shared.intake.queueing import UploadQueues

        return UploadQueues(self.intake, self._adapters.blobs, self._adapters.bus, self.clock)
