"""Erasure requests: asked for, previewed, approved by a second person, carried out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import azure.functions as func
from msgspec import Meta, convert

from functions.edge.bodies import RequestBody, View
from functions.edge.calls import Call, Reply
from functions.edge.deliveries import Delivery
from functions.edge.disclosures import Disclosed
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING
from functions.edge.queues import consumer
from shared.catalogue import ERASURE_BATCHES_QUEUE, ERASURE_REQUESTS_QUEUE
from shared.composition.erasures import ErasuresFlow
from shared.erasures.rules import Erasure, ErasureDecision, ErasureStatus
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER
from shared.messages.contracts import (
    Actor,
    ErasureApproved,
    ErasureBatchReady,
    ErasureRequested,
)
from shared.rows import Stored

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, ErasuresFlow)


class ErasureRequest(RequestBody, frozen=True):
    """Ask for the erasure of the person called `name`; an e-mail address will do as well."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]


class ErasureView(Stored, frozen=True):
    """An erasure request. `assets`, `bytes` and `index_rows` are its preview."""

    id: str
    tenant: str
    status: ErasureStatus
    requested_by: Actor
    requested_at: datetime
    assets: int | None = None
    bytes: int | None = None
    index_rows: int | None = None
    previewed_at: datetime | None = None
    approved_by: Actor | None = None
    approved_at: datetime | None = None
    completed_at: datetime | None = None


class ErasurePage(View, frozen=True):
    """A page of erasure requests, and the token of the next page."""

    erasure_requests: list[ErasureView]
    continuation: str | None


class FoundAssets(View, frozen=True):
    """The ids of the assets that an erasure request found."""

    assets: list[str]


_MANAGING = {TENANT_ADMIN, TENANT_DAM_MANAGER}


@http.endpoint(
    "POST",
    "tenants/{tenant}/erasure-requests",
    discloses=Disclosed("erasure.viewed"),
    roles=_MANAGING,
    body=ErasureRequest,
    replies={202: ErasureView},
    idempotent=True,
)
async def request_erasure(call: Call[ErasuresFlow]) -> Reply:
    """Ask for the erasure of every asset that names a person; discovery starts at once."""
    name = call.read(ErasureRequest).name
    identifier = await call.identifier(f"erasure-requests|{call.tenant}")
    decision = await call.flow.erasures.request(
        call.tenant, name, call.caller.actor(_MANAGING), identifier
    )
    location = f"/api/tenants/{call.tenant}/erasure-requests/{identifier}"
    return _decided(decision, 202, {"Location": location})


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests",
    discloses=Disclosed("erasures.listed", "erasure-requests"),
    roles=_MANAGING,
    replies={200: ErasurePage},
    query=PAGING,
)
async def list_erasures(call: Call[ErasuresFlow]) -> Reply:
    """The tenant's erasure requests, oldest first; recorded."""
    requests, continuation = await call.flow.erasures.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    views = [_view(state) for state in requests]
    return Reply(200, ErasurePage(erasure_requests=views, continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests/{request}",
    discloses=Disclosed("erasure.viewed", "erasure-requests/{request}"),
    roles=_MANAGING,
    replies={200: ErasureView},
)
async def read_erasure(call: Call[ErasuresFlow]) -> Reply:
    """Read a request: the status and, after discovery, the preview; the reading is recorded.

    Gives the ETag.
    """
    state, etag = await call.flow.erasures.find(call.tenant, call.param("request"))
    return Reply(200, _view(state), {"ETag": etag_header(etag)})


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests/{request}/assets",
    discloses=Disclosed("erasure.assets-listed", "erasure-requests/{request}"),
    roles=_MANAGING,
    replies={200: FoundAssets},
)
async def list_found_assets(call: Call[ErasuresFlow]) -> Reply:
    """List the ids of the assets that the request found and, once approved, erases; recorded."""
    request = call.param("request")
    found = [asset async for asset in call.flow.erasures.found(call.tenant, request)]
    return Reply(200, FoundAssets(assets=found))


@http.endpoint(
    "PUT",
    "tenants/{tenant}/erasure-requests/{request}/approval",
    discloses=Disclosed("erasure.viewed", "erasure-requests/{request}"),
    roles={TENANT_DAM_MANAGER},
    replies={200: ErasureView},
    conditional=True,
)
async def approve_erasure(call: Call[ErasuresFlow]) -> Reply:
    """Approve the preview that was seen (If-Match); the approver is not the requester.

    `*` is refused: an approval is of a preview that somebody has seen.
    """
    state, etag = await call.flow.erasures.find(call.tenant, call.param("request"))
    call.require_match(etag)
    actor = call.caller.actor({TENANT_DAM_MANAGER})
    decision = await call.flow.erasures.approve(call.tenant, state.id, actor, etag)
    return _decided(decision, 200, {})


def _decided(decision: ErasureDecision, status: int, headers: Mapping[str, str]) -> Reply:
    """Show the request after a command. A command without a change only shows the request."""
    return Reply(
        status,
        _view(decision.state),
        headers,
        is_logged=decision.entry is not None,
        resource=f"erasure-requests/{decision.state.id}",
    )


@blueprint.service_bus_queue_trigger(
    "message",
    queue_name=ERASURE_REQUESTS_QUEUE.name,
    connection="SERVICE_BUS",
    is_sessions_enabled=True,
)
@consumer(ErasuresFlow, ERASURE_REQUESTS_QUEUE, ErasureRequested, ErasureApproved)
async def advance_erasure(
    delivery: Delivery[ErasuresFlow, ErasureRequested | ErasureApproved],
) -> None:
    """Discover for a new request; start the batches of an approved request."""
    data, erasures = delivery.data, delivery.flow.erasures
    delivery.require_session(data.tenant)
    advance = erasures.discover if isinstance(data, ErasureRequested) else erasures.start
    await advance(data.tenant, data.request_id)


@blueprint.service_bus_queue_trigger(
    "message", queue_name=ERASURE_BATCHES_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(ErasuresFlow, ERASURE_BATCHES_QUEUE, ErasureBatchReady)
async def erase_batch(delivery: Delivery[ErasuresFlow, ErasureBatchReady]) -> None:
    """Erase the assets of a batch."""
    data = delivery.data
    await delivery.flow.erasures.erase_batch(data.tenant, data.request_id, data.batch)


def _view(state: Erasure) -> ErasureView:
    return convert(state, ErasureView, from_attributes=True)
