"""Tenancy: the tenants of the stamp."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.messages import MessagesFlow

if TYPE_CHECKING:
    from shared.tenancy import TenantListing, Tenants


class TenancyFlow(Flow):
    """The services of tenancy."""

    @cached_property
    def tenants(self) -> "Tenants":
        """The tenants of the stamp."""
        from shared.tenancy import Tenants

        return Tenants(
            self._adapters.tables,
            self._adapters.blobs,
            self._flow(MessagesFlow).outbox,
            self.clock,
            self._settings.STAMP_REGION,
        )

    @cached_property
    def listing(self) -> "TenantListing":
        """The recorded listing of the tenants."""
        from shared.tenancy import TenantListing

        log = self._flow(MessagesFlow).log
        return TenantListing(self.tenants, log, self._settings.STAMP_REGION)
