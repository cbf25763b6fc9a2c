"""Registering tenants, and reading them."""

import azure.functions as func

from functions.http import Call, Reply, endpoint
from shared.identity.rules import TENANT_ROLES, VENDOR_DPO, VENDOR_SERVICE
from shared.tenancy.rules import Registration

blueprint = func.Blueprint()


@blueprint.route("tenants", methods=["POST"])
@endpoint(roles={VENDOR_SERVICE, VENDOR_DPO})
async def register_tenant(call: Call) -> Reply:
    """Register a tenant with this stamp; the same registration again changes nothing."""
    registration = call.read(Registration)
    entry = await call.identifier("tenants")
    tenant = await call.app.tenants.register(registration, call.caller, entry)
    return Reply(201, tenant, {"Location": f"/api/tenants/{tenant.id}"})


@blueprint.route("tenants/{tenant}", methods=["GET"])
@endpoint(roles={VENDOR_SERVICE, VENDOR_DPO, *TENANT_ROLES})
async def read_tenant(call: Call) -> Reply:
    """One tenant."""
    return Reply(200, await call.app.tenants.require(call.tenant))
