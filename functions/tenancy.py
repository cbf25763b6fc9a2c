"""Tenants: registered, listed, read and changed by the vendor."""

import azure.functions as func

from functions.edge.bodies import View
from functions.edge.http import Call, Reply, endpoint, etag_header
from functions.edge.operations import PAGING
from shared.identity.rules import TENANT_ROLES, VENDOR_DPO, VENDOR_SERVICE
from shared.tenancy.rules import Registration, Tenant, TenantChange

blueprint = func.Blueprint()


class TenantPage(View, frozen=True):
    """Tenants, and what to pass to read on."""

    tenants: list[Tenant]
    continuation: str | None


_REGISTERING = {VENDOR_SERVICE, VENDOR_DPO}


@blueprint.route("tenants", methods=["POST"])
@endpoint(roles=_REGISTERING, body=Registration, replies={201: Tenant}, idempotent=True)
async def register_tenant(call: Call) -> Reply:
    """Register a tenant with this stamp; the same registration again changes nothing."""
    registration = call.read(Registration)
    entry = await call.identifier("tenants")
    tenant = await call.app.tenants.register(registration, call.caller, entry)
    return Reply(201, tenant, {"Location": f"/api/tenants/{tenant.id}"})


@blueprint.route("tenants", methods=["GET"])
@endpoint(roles=_REGISTERING, replies={200: TenantPage}, query=PAGING)
async def list_tenants(call: Call) -> Reply:
    """The tenants of this stamp, by id."""
    tenants, continuation = await call.app.tenants.page(
        size=call.page_size, continuation=call.continuation
    )
    return Reply(200, TenantPage(tenants=list(tenants), continuation=continuation))


@blueprint.route("tenants/{tenant}", methods=["GET"])
@endpoint(roles={*_REGISTERING, *TENANT_ROLES}, replies={200: Tenant})
async def read_tenant(call: Call) -> Reply:
    """One tenant. Gives the ETag."""
    tenant, etag = await call.app.tenants.read(call.tenant)
    return Reply(200, tenant, {"ETag": etag_header(etag)})


@blueprint.route("tenants/{tenant}", methods=["PATCH"])
@endpoint(roles=_REGISTERING, body=TenantChange, replies={200: Tenant}, conditional=True)
async def change_tenant(call: Call) -> Reply:
    """Change the name, the contacts or the status of a tenant that was seen (If-Match)."""
    changed = call.read(TenantChange)
    seen, etag = await call.app.tenants.read(call.tenant)
    call.require_match(etag)
    tenant, etag = await call.app.tenants.change(
        seen, etag, changed, call.caller, call.app.new_id()
    )
    return Reply(200, tenant, {"ETag": etag_header(etag)})
