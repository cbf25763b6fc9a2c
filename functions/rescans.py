"""Rescans: stored assets are scanned again, by a timer and on demand."""

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
from shared import composition
from shared.assets.runs import RunStatus
from shared.catalogue import RESCANS_QUEUE
from shared.composition.rescans import RescansFlow
from shared.identity.rules import TENANT_ADMIN, VENDOR_IT_SUPERVISOR, VENDOR_OFFICER
from shared.messages.contracts import Actor, AwareTime, RescanBatchReady
from shared.rescans.rules import Choice, Rescan

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, RescansFlow)

type Word = Annotated[str, Meta(min_length=1, max_length=128)]


class RescanRequest(RequestBody, frozen=True):
    """Scan the tenant's cleared assets again: all, or those that meet every given condition.

    `scanned_before` is the time of the last scan; the further members are of the engine of a
    present verdict.
    """

    scanned_before: AwareTime | None = None
    engine: Word | None = None
    engine_version: Word | None = None
    signature_version: Word | None = None


class RescanView(View, frozen=True):
    """A rescan with the progress.

    `counted` assets were last scanned before `before`, and have `counted_bytes`. `scanned` were
    scanned again, `failed` could not be, and `passed` did not meet the conditions or are gone.
    `bytes` were read; `found` assets were infected. A `paused` rescan waits for the next day.
    """

    id: str
    tenant: str
    status: RunStatus
    requested_by: Actor
    requested_at: datetime
    before: datetime
    engine: str | None
    engine_version: str | None
    signature_version: str | None
    counted: int
    counted_bytes: int
    scanned: int
    failed: int
    passed: int
    remaining: int
    bytes: int
    found: int
    completed_at: datetime | None


class RescanPage(View, frozen=True):
    """A page of rescans, and the token of the next page."""

    rescans: list[RescanView]
    continuation: str | None


_RESCANNING = {TENANT_ADMIN, VENDOR_IT_SUPERVISOR, VENDOR_OFFICER}


@http.endpoint(
    "POST",
    "tenants/{tenant}/rescans",
    discloses=Disclosed("rescan.viewed"),
    roles=_RESCANNING,
    body=RescanRequest,
    replies={202: RescanView},
    idempotent=True,
)
async def request_rescan(call: Call[RescansFlow]) -> Reply:
    """Ask for a rescan of the tenant's stored assets, the oldest verdicts first.

    Every rescan of the stamp shares the day's budget of bytes.
    """
    asked = call.read(RescanRequest)
    choice = Choice(
        asked.scanned_before, asked.engine, asked.engine_version, asked.signature_version
    )
    identifier = await call.identifier(f"rescans|{call.tenant}")
    state, etag, is_new = await call.flow.rescans.request(
        call.tenant, choice, call.caller.actor(_RESCANNING), identifier
    )
    headers = {"Location": f"/api/tenants/{call.tenant}/rescans/{state.id}"}
    return _shown(202, state, etag, headers, is_logged=is_new)


@http.endpoint(
    "GET",
    "tenants/{tenant}/rescans",
    discloses=Disclosed("rescans.listed", "rescans"),
    roles=_RESCANNING,
    replies={200: RescanPage},
    query=PAGING,
)
async def list_rescans(call: Call[RescansFlow]) -> Reply:
    """List the tenant's rescans, oldest first; recorded."""
    rescans, continuation = await call.flow.rescans.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    return Reply(
        200, RescanPage(rescans=[_view(one) for one in rescans], continuation=continuation)
    )


@http.endpoint(
    "GET",
    "tenants/{tenant}/rescans/{rescan}",
    discloses=Disclosed("rescan.viewed", "rescans/{rescan}"),
    roles=_RESCANNING,
    replies={200: RescanView},
)
async def read_rescan(call: Call[RescansFlow]) -> Reply:
    """Read a rescan with the progress; the reading is recorded. Gives the ETag."""
    state, etag = await call.flow.rescans.find(call.tenant, call.param("rescan"))
    return _shown(200, state, etag, {})


@blueprint.timer_trigger("timer", schedule="0 30 * * * *")
async def continue_rescans(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Open, every hour, rescans for new signatures, and go on with the paused rescans."""
    await composition.flow(RescansFlow).schedule.run()


@blueprint.service_bus_queue_trigger(
    "message",
    queue_name=RESCANS_QUEUE.name,
    connection="SERVICE_BUS",
    is_sessions_enabled=True,
)
@consumer(RescansFlow, RESCANS_QUEUE, RescanBatchReady)
async def advance_rescan(delivery: Delivery[RescansFlow, RescanBatchReady]) -> None:
    """Count assets, or scan the next batch of assets."""
    data = delivery.data
    await delivery.flow.rescans.advance(data.tenant, data.rescan_id, data.batch)


def _shown(
    status: int, state: Rescan, etag: str, headers: Mapping[str, str], *, is_logged: bool = False
) -> Reply:
    return Reply(
        status,
        _view(state),
        {**headers, "ETag": etag_header(etag)},
        is_logged=is_logged,
        resource=f"rescans/{state.id}",
    )


def _view(state: Rescan) -> RescanView:
    return convert(state, RescanView, from_attributes=True)
