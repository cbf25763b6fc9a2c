"""Consent grants: from the queue and from the portal, decided alike."""

from collections.abc import Mapping
from typing import Annotated, Literal

import azure.functions as func
from msgspec import Meta, structs

from functions.edge.bodies import RequestBody, View
from functions.edge.calls import Call, Reply
from functions.edge.deliveries import Delivery
from functions.edge.disclosures import Disclosed
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING
from functions.edge.queues import consumer
from shared.catalogue import CONSENT_GRANTS_QUEUE
from shared.composition.consents import ConsentsFlow
from shared.consents.rules import GRANTING, Grant, GrantStatus, status
from shared.identity.rules import TENANT_ROLES
from shared.messages.contracts import AwareTime, ConsentGranted, ConsentRevoked, Identifier, Text
from shared.plain_text import PLAIN_PATTERN

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, ConsentsFlow)


class GrantRequest(RequestBody, frozen=True):
    """Let `engineer` do `operations` under `path_prefix`; an empty prefix covers every path."""

    operations: Annotated[tuple[Literal["read"], ...], Meta(min_length=1)]
    purpose: Text
    ticket: Text
    engineer: Identifier
    expires_at: AwareTime
    path_prefix: Annotated[str, Meta(max_length=1024, pattern=PLAIN_PATTERN)] = ""


class GrantView(Grant, frozen=True, kw_only=True):
    """A consent grant, and the present status of the grant."""

    status: GrantStatus


class GrantPage(View, frozen=True):
    """A page of consent grants, and the token of the next page."""

    consent_grants: list[GrantView]
    continuation: str | None


@blueprint.service_bus_queue_trigger(
    "message",
    queue_name=CONSENT_GRANTS_QUEUE.name,
    connection="SERVICE_BUS",
    is_sessions_enabled=True,
)
@consumer(ConsentsFlow, CONSENT_GRANTS_QUEUE, ConsentGranted, ConsentRevoked)
async def apply_consent(delivery: Delivery[ConsentsFlow, ConsentGranted | ConsentRevoked]) -> None:
    """Give or revoke a grant that a service reports, in the order of the tenant's session."""
    delivery.require_session(delivery.data.tenant)
    await delivery.flow.consents.apply(delivery.data)


@http.endpoint(
    "POST",
    "tenants/{tenant}/consent-grants",
    discloses=Disclosed("consent.viewed"),
    roles=GRANTING,
    body=GrantRequest,
    replies={201: GrantView},
    idempotent=True,
)
async def grant_consent(call: Call[ConsentsFlow]) -> Reply:
    """Let an engineer act on the assets under a path prefix, for a purpose, until a time."""
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
    location = f"/api/tenants/{call.tenant}/consent-grants/{command.grant_id}"
    return await _carried_out(call, command, 201, {"Location": location})


@http.endpoint(
    "GET",
    "tenants/{tenant}/consent-grants",
    discloses=Disclosed("consents.listed", "consent-grants"),
    roles=TENANT_ROLES,
    replies={200: GrantPage},
    query=PAGING,
)
async def list_consents(call: Call[ConsentsFlow]) -> Reply:
    """The tenant's grants: active, revoked and expired; recorded."""
    grants, continuation = await call.flow.consents.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    views = [_view(call, grant) for grant in grants]
    return Reply(200, GrantPage(consent_grants=views, continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/consent-grants/{grant}",
    discloses=Disclosed("consent.viewed", "consent-grants/{grant}"),
    roles=TENANT_ROLES,
    replies={200: GrantView},
)
async def read_consent(call: Call[ConsentsFlow]) -> Reply:
    """Read a grant; the reading is recorded."""
    grant = await call.flow.consents.find(call.tenant, call.param("grant"))
    return Reply(200, _view(call, grant))


@http.endpoint(
    "PUT",
    "tenants/{tenant}/consent-grants/{grant}/revocation",
    discloses=Disclosed("consent.viewed", "consent-grants/{grant}"),
    roles=GRANTING,
    replies={200: GrantView},
)
async def revoke_consent(call: Call[ConsentsFlow]) -> Reply:
    """Revoke a grant, at once and for good; a second revocation only shows the grant."""
    grant = await call.flow.consents.find(call.tenant, call.param("grant"))
    command = ConsentRevoked(
        grant_id=grant.id, tenant=call.tenant, revoked_by=call.caller.actor(GRANTING)
    )
    return await _carried_out(call, command, 200, {})


async def _carried_out(
    call: Call[ConsentsFlow],
    command: ConsentGranted | ConsentRevoked,
    status: int,
    headers: Mapping[str, str],
) -> Reply:
    """Carry a command out and show the grant. A command without a change only shows the grant."""
    decision = await call.flow.consents.apply(command)
    return Reply(
        status,
        _view(call, decision.grant),
        headers,
        is_logged=decision.entry is not None,
        resource=f"consent-grants/{decision.grant.id}",
    )


def _view(call: Call[ConsentsFlow], grant: Grant) -> GrantView:
    return GrantView(**structs.asdict(grant), status=status(grant, call.flow.clock()))
