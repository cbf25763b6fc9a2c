"""Registering and finding tenants."""

from shared.accesslog import entry_message
from shared.errors import RowConflictError
from shared.identity.rules import Caller, tenant_not_found
from shared.messages import Outbox
from shared.messages.contracts import AccessRecorded
from shared.ports import Blobs, Clock, Insert, Row, Tables
from shared.rows import from_values, to_values
from shared.tenancy.rules import Registration, Tenant, container_of, is_tenant_id, register

TABLE = "tenants"


class Tenants:
    """The tenants of one stamp. `region` is the stamp's Azure region."""

    def __init__(
        self, tables: Tables, blobs: Blobs, outbox: Outbox, clock: Clock, region: str
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._outbox = outbox
        self._clock = clock
        self._region = region

    async def register(self, registration: Registration, caller: Caller, identifier: str) -> Tenant:
        """Register a tenant and make its container; the same registration twice is one.

        `identifier` is the id of the entry in the tenant's log. Raises what `rules.register` does.
        """
        now = self._clock()
        existing = await self.find(registration.id)
        tenant = register(existing, registration, self._region, now)
        await self._blobs.ensure_container(container_of(tenant.id))
        if existing is not None:
            return existing
        entry = AccessRecorded(
            tenant=tenant.id,
            actor=caller.actor(),
            action="tenant.registered",
            resource=f"tenants/{tenant.id}",
            outcome="allowed",
        )
        row = Row(self._region, tenant.id, to_values(tenant))
        try:
            await self._outbox.commit(
                TABLE, self._region, [Insert(row)], [entry_message(entry, identifier, now)]
            )
        except RowConflictError:
            return register(await self.find(tenant.id), registration, self._region, now)
        return tenant

    async def find(self, tenant: str) -> Tenant | None:
        """The tenant of this stamp with that id, or None."""
        if not is_tenant_id(tenant):
            return None
        row = await self._tables.get(TABLE, self._region, tenant)
        return None if row is None else from_values(Tenant, row.values)

    async def require(self, tenant: str) -> Tenant:
        """The tenant with that id. Raises NotFoundError if this stamp has none."""
        found = await self.find(tenant)
        if found is None:
            raise tenant_not_found()
        return found
