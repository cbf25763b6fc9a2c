"""Consent grants: from the queue and from the portal, decided alike."""

from typing import Annotated, Literal

import azure.functions as func
from msgspec import Meta, structs

from functions.edge.bodies import RequestBody, View
from functions.edge.http import Call, Reply, endpoint
from functions.edge.operations import PAGING
from functions.edge.queues import Delivery, consumer
from shared.consents.rules import GRANTING, Grant, GrantStatus, status
from shared.identity.rules import TENANT_ROLES
from shared.messages import queues
from shared.messages.contracts import AwareTime, ConsentGranted, ConsentRevoked, Identifier, Text

blueprint = func.Blueprint()


class GrantRequest(RequestBody, frozen=True):
    """Let `engineer` do `operations` under `path_prefix` (all of it where empty)."""

    operations: Annotated[tuple[Literal["read"], ...], Meta(min_length=1)]
    purpose: Text
    ticket: Text
    engineer: Identifier
    expires_at: AwareTime
    path_prefix: Annotated[str, Meta(max_length=1024)] = ""


class GrantView(Grant, frozen=True, kw_only=True):
    """A consent grant and whether it holds now."""

    status: GrantStatus


class GrantPage(View, frozen=True):
    """Consent grants, and what to pass to read on."""

    consent_grants: list[GrantView]
    continuation: str | None


@blueprint.service_bus_queue_trigger(
    "message",
    queue_name=queues.CONSENT_GRANTS,
    connection="SERVICE_BUS",
    is_sessions_enabled=True,
)
@consumer(queues.CONSENT_GRANTS, ConsentGranted, ConsentRevoked)
async def apply_consent(delivery: Delivery[ConsentGranted | ConsentRevoked]) -> None:
    """Give or revoke a grant that another service reports, in the order of its tenant's session."""
    delivery.require_session(delivery.data.tenant)
    await delivery.app.consents.apply(delivery.data)


@blueprint.route("tenants/{tenant}/consent-grants", methods=["POST"])
@endpoint(roles=GRANTING, body=GrantRequest, replies={201: GrantView}, idempotent=True)
async def grant_consent(call: Call) -> Reply:
    """Let one engineer act on the assets under a path prefix, for one purpose, until a time."""
    request = call.read(GrantRequest)
    command = ConsentGranted(
        grant_id=await call.identifier(f"consent-grants|{call.tenant}"),
        tenant=call.tenant,
        path_prefix=request.path_prefix,
        operations=request.operations,
        purpose=request.purpose,
        ticket=request.ticket,
        engineer=request.engineer,
        expires_at=request.expires_at,
        granted_by=call.caller.actor(GRANTING),
    )
    view = await _carried_out(call, command)
    location = f"/api/tenants/{call.tenant}/consent-grants/{view.id}"
    return Reply(201, view, {"Location": location})


@blueprint.route("tenants/{tenant}/consent-grants", methods=["GET"])
@endpoint(roles=TENANT_ROLES, replies={200: GrantPage}, query=PAGING)
async def list_consents(call: Call) -> Reply:
    """The tenant's grants: active, revoked and expired; recorded."""
    grants, continuation = await call.app.consents.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    await call.record("consents.listed", "consent-grants")
    views = [_view(call, grant) for grant in grants]
    return Reply(200, GrantPage(consent_grants=views, continuation=continuation))


@blueprint.route("tenants/{tenant}/consent-grants/{grant}", methods=["GET"])
@endpoint(roles=TENANT_ROLES, replies={200: GrantView})
async def read_consent(call: Call) -> Reply:
    """One grant; recorded."""
    grant = await call.app.consents.find(call.tenant, call.param("grant"))
    await call.record("consent.viewed", f"consent-grants/{grant.id}")
    return Reply(200, _view(call, grant))


@blueprint.route("tenants/{tenant}/consent-grants/{grant}/revocation", methods=["PUT"])
@endpoint(roles=GRANTING, replies={200: GrantView})
async def revoke_consent(call: Call) -> Reply:
    """Revoke a grant, at once and for good; revoking it again changes nothing, and shows it."""
    grant = await call.app.consents.find(call.tenant, call.param("grant"))
    command = ConsentRevoked(
        grant_id=grant.id, tenant=call.tenant, revoked_by=call.caller.actor(GRANTING)
    )
    return Reply(200, await _carried_out(call, command))


async def _carried_out(call: Call, command: ConsentGranted | ConsentRevoked) -> GrantView:
    """The grant after a command. Where that changes nothing, it is recorded that it was shown."""
    decision = await call.app.consents.apply(command)
    if decision.entry is None:
        await call.record("consent.viewed", f"consent-grants/{decision.grant.id}")
    return _view(call, decision.grant)


def _view(call: Call, grant: Grant) -> GrantView:
    return GrantView(**structs.asdict(grant), status=status(grant, call.app.clock()))
