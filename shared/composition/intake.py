"""Intake: uploads are permitted, inspected and filed."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.assets import AssetsFlow
from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow
from shared.composition.scanning import ScanningFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.intake import Intake
    from shared.tenancy import Tenants


class IntakeFlow(Flow):
    """The services of intake."""

    @property
    def tenants(self) -> "Tenants":
        """The tenants of the stamp."""
        return self._flow(TenancyFlow).tenants

    @cached_property
    def intake(self) -> "Intake":
        """The intake of uploads."""
        from shared.intake import Declarations, Intake

        return Intake(
            self._flow(AssetsFlow).assets,
            self._adapters.blobs,
            self._adapters.bus,
            self.tenants,
            Declarations(self._adapters.tables),
            self._flow(MessagesFlow).log,
            self.clock,
            self._settings.STAMP_REGION,
            self._flow(ScanningFlow).engines,
            self._settings.UPLOAD_SIZE_LIMIT,
        )
