"""Listing the tenants of a stamp: the log of each tenant records that the vendor saw the tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.identity.rules import Caller
from shared.residency import serves
from shared.tenancy.rules import Tenant
from shared.tenancy.service import Tenants

if TYPE_CHECKING:
    # The endpoints name the package at every cold start, and the log is imported later.
    from shared.accesslog import AccessLog


@dataclass(frozen=True, slots=True)
class TenantsPage:
    """A page of tenants by id. `withheld` has the ids of the tenants without a record."""

    tenants: Sequence[Tenant]
    withheld: Sequence[str]
    continuation: str | None


class TenantListing:
    """Lists the tenants of the stamp in `region`."""

    def __init__(self, tenants: Tenants, log: "AccessLog", region: str) -> None:
        self._tenants = tenants
        self._log = log
        self._region = region

    async def page(self, caller: Caller, *, size: int, continuation: str | None) -> TenantsPage:
        """Return a page, after an entry in the log of each tenant of the page.

        A tenant is withheld whose log takes no entries, or whose zone the stamp does not serve: the
        log of that tenant is in another stamp. Raises UnavailableError where an entry may be
        missing.
        """
        found, after = await self._tenants.page(size=size, continuation=continuation)
        served = [one.id for one in found if serves(self._region, one.residency_zone)]
        recorded = await self._log.record_listing(served, caller)
        return TenantsPage(
            [one for one in found if one.id in recorded],
            [one.id for one in found if one.id not in recorded],
            after,
        )
