"""Tenants: registered, listed, read and changed by the vendor."""

import azure.functions as func

from functions.edge.bodies import View
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import Disclosed, RecordedByFlow
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING
from shared.composition.tenancy import TenancyFlow
from shared.identity.rules import TENANT_ROLES, VENDOR_DPO, VENDOR_SERVICE
from shared.tenancy.rules import Registration, Tenant, TenantChange

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, TenancyFlow)


class TenantPage(View, frozen=True):
    """A page of tenants, and the token of the next page.

    `withheld` has the ids of the tenants in whose log the listing cannot be recorded.
    """

    tenants: list[Tenant]
    withheld: list[str]
    continuation: str | None


_REGISTERING = {VENDOR_SERVICE, VENDOR_DPO}


@http.endpoint(
    "POST",
    "tenants",
    discloses=Disclosed("tenant.viewed"),
    roles=_REGISTERING,
    body=Registration,
    replies={201: Tenant},
    idempotent=True,
)
async def register_tenant(call: Call[TenancyFlow]) -> Reply:
    """Register a tenant with this stamp; the same registration again changes nothing.

    The answer to a repeated registration is recorded as a reading.
    """
    registration = call.read(Registration)
    entry = await call.identifier("tenants")
    tenant, is_new = await call.flow.tenants.register(registration, call.caller, entry)
    resource = f"tenants/{tenant.id}"
    location = {"Location": f"/api/{resource}"}
    return Reply(201, tenant, location, is_logged=is_new, resource=resource, tenant=tenant.id)


@http.endpoint(
    "GET",
    "tenants",
    discloses=RecordedByFlow("an entry in the log of each tenant of the page"),
    roles=_REGISTERING,
    replies={200: TenantPage},
    query=PAGING,
)
async def list_tenants(call: Call[TenancyFlow]) -> Reply:
    """List the tenants of the stamp, by id; the log of each tenant records the listing.

    A tenant whose log takes no entries is in `withheld`, with the id alone, and so is a tenant of a
    residency zone that the stamp does not serve.
    """
    page = await call.flow.listing.page(
        call.caller, size=call.page_size, continuation=call.continuation
    )
    return Reply(
        200,
        TenantPage(
            tenants=list(page.tenants), withheld=list(page.withheld), continuation=page.continuation
        ),
    )


@http.endpoint(
    "GET",
    "tenants/{tenant}",
    discloses=Disclosed("tenant.viewed", "tenants/{tenant}"),
    roles={*_REGISTERING, *TENANT_ROLES},
    replies={200: Tenant},
)
async def read_tenant(call: Call[TenancyFlow]) -> Reply:
    """Read a tenant; the reading is recorded. Gives the ETag."""
    tenant, etag = await call.flow.tenants.read(call.tenant)
    return Reply(200, tenant, {"ETag": etag_header(etag)})


@http.endpoint(
    "PATCH",
    "tenants/{tenant}",
    discloses=Disclosed("tenant.viewed", "tenants/{tenant}"),
    roles=_REGISTERING,
    body=TenantChange,
    replies={200: Tenant},
    conditional=True,
)
async def change_tenant(call: Call[TenancyFlow]) -> Reply:
    """Change the name, the contacts or the status of a tenant that was seen (If-Match).

    `*` is for whatever state the tenant has.
    """
    changed = call.read(TenantChange)
    seen, etag = await call.flow.tenants.read(call.tenant)
    call.require_match(etag, whatever=True)
    tenant, etag, is_changed = await call.flow.tenants.change(
        seen, etag, changed, call.caller, call.flow.new_id()
    )
    return Reply(200, tenant, {"ETag": etag_header(etag)}, is_logged=is_changed)
