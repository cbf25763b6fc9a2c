"""Registering, finding and changing tenants."""

from collections.abc import AsyncIterator, Sequence

from shared.accesslog import new_entry
from shared.catalogue import TENANTS_TABLE, tenant_container
from shared.errors import RowConflictError
from shared.identity.rules import Caller, tenant_not_found
from shared.messages import Outbox
from shared.messages.contracts import AccessRecorded
from shared.ports import Blobs, Clock, Insert, Replace, Row, Tables
from shared.rows import from_values, to_values
from shared.tenancy.rules import (
    Registration,
    Tenant,
    TenantChange,
    change,
    check_residency,
    is_tenant_id,
    register,
)

TABLE = TENANTS_TABLE.name


class Tenants:
    """The tenants of a stamp. `region` is the stamp's Azure region."""

    def __init__(
        self, tables: Tables, blobs: Blobs, outbox: Outbox, clock: Clock, region: str
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._outbox = outbox
        self._clock = clock
        self._region = region

    async def register(
        self, registration: Registration, caller: Caller, identifier: str
    ) -> tuple[Tenant, bool]:
        """Register a tenant and make the container; return the tenant, and True for a new tenant.

        The same registration twice gives one tenant.

        `identifier` is the id of the entry in the tenant's log. Raises the errors of
        `rules.register`.
        """
        now = self._clock()
        existing = await self.find(registration.id)
        tenant = register(existing, registration, self._region, now)
        await self._blobs.ensure_container(tenant_container(tenant.id))
        if existing is not None:
            return existing, False
        row = Row(self._region, tenant.id, to_values(tenant))
        entry = new_entry(_entry(tenant, "tenant.registered", caller), identifier, now)
        try:
            await self._outbox.commit(TABLE, self._region, [Insert(row)], [entry])
        except RowConflictError:
            return register(await self.find(tenant.id), registration, self._region, now), False
        return tenant, True

    async def change(
        self, seen: Tenant, etag: str, changed: TenantChange, caller: Caller, identifier: str
    ) -> tuple[Tenant, str, bool]:
        """Change a tenant that was `seen` with `etag`; return tenant, new ETag, and True for a
        change.

        A change without a difference is not logged. `identifier` is the id of the entry in the
        tenant's log. Raises the errors of `rules.change`, and RowConflictError when the tenant has
        changed since.
        """
        now = self._clock()
        after = change(seen, changed)
        if after != seen:
            row = Row(self._region, seen.id, to_values(after), etag)
            action = "tenant.leaving" if after.status != seen.status else "tenant.changed"
            entry = new_entry(_entry(after, action, caller), identifier, now)
            await self._outbox.commit(TABLE, self._region, [Replace(row)], [entry])
        tenant, kept = await self.read(seen.id)
        return tenant, kept, after != seen

    async def find(self, tenant: str) -> Tenant | None:
        """Return the stamp's tenant with the id, or None."""
        row = await self._row(tenant)
        return None if row is None else from_values(Tenant, row.values)

    async def read(self, tenant: str) -> tuple[Tenant, str]:
        """Return a tenant and the ETag. Raises NotFoundError for a tenant of another stamp."""
        row = await self._row(tenant)
        if row is None or row.etag is None:
            raise tenant_not_found()
        return from_values(Tenant, row.values), row.etag

    async def require(self, tenant: str) -> Tenant:
        """Return the tenant with the id, whose data the stamp may keep.

        Every request and every message that names a tenant comes through this method. Raises
        NotFoundError where the stamp has no such tenant, and InvalidInputError for a zone that the
        stamp's region does not serve (as after a restore of the rows in the wrong stamp).
        """
        found, _ = await self.read(tenant)
        check_residency(found.residency_zone, self._region)
        return found

    async def page(
        self, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Tenant], str | None]:
        """Return a page of the stamp's tenants, by id, and the token of the next page."""
        page = await self._tables.page(TABLE, self._region, size=size, continuation=continuation)
        rows = [row for row in page.rows if is_tenant_id(row.row)]
        return [from_values(Tenant, row.values) for row in rows], page.continuation

    async def every(self) -> AsyncIterator[Tenant]:
        """Every tenant of the stamp, by id."""
        async for row in self._tables.scan(TABLE, self._region):
            if is_tenant_id(row.row):
                yield from_values(Tenant, row.values)

    async def _row(self, tenant: str) -> Row | None:
        if not is_tenant_id(tenant):
            return None
        return await self._tables.get(TABLE, self._region, tenant)


def _entry(tenant: Tenant, action: str, caller: Caller) -> AccessRecorded:
    return AccessRecorded(
        tenant=tenant.id,
        actor=caller.actor(),
        action=action,
        resource=f"tenants/{tenant.id}",
        outcome="allowed",
    )
