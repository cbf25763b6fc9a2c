"""Rereads: the records of stored assets are made anew, on demand."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import azure.functions as func
from msgspec import Meta

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
from shared.catalogue import REREADS_QUEUE
from shared.composition.rereads import RereadsFlow
from shared.identity.rules import TENANT_ADMIN, VENDOR_IT_SUPERVISOR, VENDOR_OFFICER
from shared.messages.contracts import Actor, AwareTime, RereadBatchReady
from shared.rereads.rules import Reread, Selection, seconds_left

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, RereadsFlow)


class RereadRequest(RequestBody, frozen=True):
    """Read the tenant's assets anew: all, or those that were filed in a range of time.

    `reader_before` chooses the records that a reader with a lower number made, and the assets
    without a record; `older_key` chooses the records under an older version of the data key. With
    both, either is enough. A `dry_run` counts the assets and reads nothing.
    """

    filed_from: AwareTime | None = None
    filed_before: AwareTime | None = None
    reader_before: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    older_key: bool = False
    dry_run: bool = False


class RereadView(View, frozen=True):
    """A reread with the progress.

    `counted` assets were chosen. `read` files were read anew, `resealed` records were sealed anew
    without the file, and `unreadable` files could not be read. `seconds_left` is an estimate, and
    null before the first asset.
    """

    id: str
    tenant: str
    status: RunStatus
    requested_by: Actor
    requested_at: datetime
    filed_from: datetime | None
    filed_before: datetime | None
    reader_before: int | None
    older_key: bool
    dry_run: bool
    counted: int
    read: int
    resealed: int
    unreadable: int
    remaining: int
    seconds_left: int | None
    completed_at: datetime | None


class RereadPage(View, frozen=True):
    """A page of rereads, and the token of the next page."""

    rereads: list[RereadView]
    continuation: str | None


_REREADING = {TENANT_ADMIN, VENDOR_IT_SUPERVISOR, VENDOR_OFFICER}


@http.endpoint(
    "POST",
    "tenants/{tenant}/rereads",
    discloses=Disclosed("reread.viewed"),
    roles=_REREADING,
    body=RereadRequest,
    replies={202: RereadView},
    idempotent=True,
)
async def request_reread(call: Call[RereadsFlow]) -> Reply:
    """Ask for a reread of the tenant's stored assets, in the order of their uploads."""
    asked = call.read(RereadRequest)
    selection = Selection(
        asked.filed_from, asked.filed_before, asked.reader_before, asked.older_key, asked.dry_run
    )
    identifier = await call.identifier(f"rereads|{call.tenant}")
    state, etag, is_new = await call.flow.rereads.request(
        call.tenant, selection, call.caller.actor(_REREADING), identifier
    )
    headers = {"Location": f"/api/tenants/{call.tenant}/rereads/{state.id}"}
    return _shown(call, 202, state, etag, headers, is_logged=is_new)


@http.endpoint(
    "GET",
    "tenants/{tenant}/rereads",
    discloses=Disclosed("rereads.listed", "rereads"),
    roles=_REREADING,
    replies={200: RereadPage},
    query=PAGING,
)
async def list_rereads(call: Call[RereadsFlow]) -> Reply:
    """List the tenant's rereads, oldest first; recorded."""
    rereads, continuation = await call.flow.rereads.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    now = call.flow.clock()
    return Reply(
        200, RereadPage(rereads=[_view(one, now) for one in rereads], continuation=continuation)
    )


@http.endpoint(
    "GET",
    "tenants/{tenant}/rereads/{reread}",
    discloses=Disclosed("reread.viewed", "rereads/{reread}"),
    roles=_REREADING,
    replies={200: RereadView},
)
async def read_reread(call: Call[RereadsFlow]) -> Reply:
    """Read a reread with the progress; the reading is recorded. Gives the ETag."""
    state, etag = await call.flow.rereads.find(call.tenant, call.param("reread"))
    return _shown(call, 200, state, etag, {})


@blueprint.timer_trigger("timer", schedule="0 15 * * * *")
async def continue_rereads(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Send, every hour, the message of each reread that has lost the message."""
    await composition.flow(RereadsFlow).rereads.resume()


@blueprint.service_bus_queue_trigger(
    "message",
    queue_name=REREADS_QUEUE.name,
    connection="SERVICE_BUS",
    is_sessions_enabled=True,
)
@consumer(RereadsFlow, REREADS_QUEUE, RereadBatchReady)
async def advance_reread(delivery: Delivery[RereadsFlow, RereadBatchReady]) -> None:
    """Count assets, or make the records of the next batch anew."""
    data, deliveries = delivery.data, delivery.received.delivery_count
    await delivery.flow.rereads.advance(data.tenant, data.reread_id, data.batch, deliveries)


def _shown(
    call: Call[RereadsFlow],
    status: int,
    state: Reread,
    etag: str,
    headers: Mapping[str, str],
    *,
    is_logged: bool = False,
) -> Reply:
    return Reply(
        status,
        _view(state, call.flow.clock()),
        {**headers, "ETag": etag_header(etag)},
        is_logged=is_logged,
        resource=f"rereads/{state.id}",
    )


def _view(state: Reread, now: datetime) -> RereadView:
    names = set(RereadView.__struct_fields__) - {"seconds_left"}
    shown = {name: getattr(state, name) for name in names}
    return RereadView(**shown, seconds_left=seconds_left(state, now))
