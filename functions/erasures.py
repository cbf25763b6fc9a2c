"""Erasure requests: asked for, previewed, approved by a second person, carried out."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from msgspec import Meta, convert

from functions.edge.bodies import RequestBody, View
from functions.edge.http import Call, Reply, endpoint, etag_header
from functions.edge.operations import PAGING
from functions.edge.queues import Delivery, consumer
from shared.erasures.rules import Erasure, ErasureDecision, ErasureStatus
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER
from shared.messages import queues
from shared.messages.contracts import (
    Actor,
    ErasureApproved,
    ErasureBatchReady,
    ErasureRequested,
)
from shared.rows import Stored

blueprint = func.Blueprint()


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
    """Erasure requests, and what to pass to read on."""

    erasure_requests: list[ErasureView]
    continuation: str | None


class FoundAssets(View, frozen=True):
    """The ids of the assets that an erasure request found."""

    assets: list[str]


_MANAGING = {TENANT_ADMIN, TENANT_DAM_MANAGER}


@blueprint.route("tenants/{tenant}/erasure-requests", methods=["POST"])
@endpoint(roles=_MANAGING, body=ErasureRequest, replies={202: ErasureView}, idempotent=True)
async def request_erasure(call: Call) -> Reply:
    """Ask for the erasure of all assets that name a person; discovery starts at once."""
    name = call.read(ErasureRequest).name
    identifier = await call.identifier(f"erasure-requests|{call.tenant}")
    decision = await call.app.erasures.request(
        call.tenant, name, call.caller.actor(_MANAGING), identifier
    )
    location = f"/api/tenants/{call.tenant}/erasure-requests/{identifier}"
    return Reply(202, await _decided(call, decision), {"Location": location})


@blueprint.route("tenants/{tenant}/erasure-requests", methods=["GET"])
@endpoint(roles=_MANAGING, replies={200: ErasurePage}, query=PAGING)
async def list_erasures(call: Call) -> Reply:
    """The tenant's erasure requests, oldest first; recorded."""
    requests, continuation = await call.app.erasures.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    await call.record("erasures.listed", "erasure-requests")
    views = [_view(state) for state in requests]
    return Reply(200, ErasurePage(erasure_requests=views, continuation=continuation))


@blueprint.route("tenants/{tenant}/erasure-requests/{request}", methods=["GET"])
@endpoint(roles=_MANAGING, replies={200: ErasureView})
async def read_erasure(call: Call) -> Reply:
    """One request: its status and, once discovery is done, its preview; recorded.

    Gives the ETag.
    """
    state, etag = await call.app.erasures.find(call.tenant, call.param("request"))
    await call.record("erasure.viewed", f"erasure-requests/{state.id}")
    return Reply(200, _view(state), {"ETag": etag_header(etag)})


@blueprint.route("tenants/{tenant}/erasure-requests/{request}/assets", methods=["GET"])
@endpoint(roles=_MANAGING, replies={200: FoundAssets})
async def list_found_assets(call: Call) -> Reply:
    """The ids of the assets that the request found and, once approved, erases; recorded."""
    request = call.param("request")
    found = [asset async for asset in call.app.erasures.found(call.tenant, request)]
    # That the request is there is known only now.
    await call.record("erasure.assets-listed", f"erasure-requests/{request}")
    return Reply(200, FoundAssets(assets=found))


@blueprint.route("tenants/{tenant}/erasure-requests/{request}/approval", methods=["PUT"])
@endpoint(roles={TENANT_DAM_MANAGER}, replies={200: ErasureView}, conditional=True)
async def approve_erasure(call: Call) -> Reply:
    """Approve the preview that was seen (If-Match), as another DAM manager than the requester."""
    state, etag = await call.app.erasures.find(call.tenant, call.param("request"))
    call.require_match(etag)
    actor = call.caller.actor({TENANT_DAM_MANAGER})
    decision = await call.app.erasures.approve(call.tenant, state.id, actor, etag)
    return Reply(200, await _decided(call, decision))


async def _decided(call: Call, decision: ErasureDecision) -> ErasureView:
    """The request after a command. Where that changes nothing, it is recorded that it was shown."""
    if decision.entry is None:
        await call.record("erasure.viewed", f"erasure-requests/{decision.state.id}")
    return _view(decision.state)


@blueprint.service_bus_queue_trigger(
    "message",
    queue_name=queues.ERASURE_REQUESTS,
    connection="SERVICE_BUS",
    is_sessions_enabled=True,
)
@consumer(queues.ERASURE_REQUESTS, ErasureRequested, ErasureApproved)
async def advance_erasure(delivery: Delivery[ErasureRequested | ErasureApproved]) -> None:
    """Discover for a new request; start the batches of an approved one."""
    data, erasures = delivery.data, delivery.app.erasures
    delivery.require_session(data.tenant)
    advance = erasures.discover if isinstance(data, ErasureRequested) else erasures.start
    await advance(data.tenant, data.request_id)


@blueprint.service_bus_queue_trigger(
    "message", queue_name=queues.ERASURE_BATCHES, connection="SERVICE_BUS"
)
@consumer(queues.ERASURE_BATCHES, ErasureBatchReady)
async def erase_batch(delivery: Delivery[ErasureBatchReady]) -> None:
    """Erase the assets of one batch."""
    data = delivery.data
    await delivery.app.erasures.erase_batch(data.tenant, data.request_id, data.batch)


def _view(state: Erasure) -> ErasureView:
    return convert(state, ErasureView, from_attributes=True)
