"""Maintenance windows: planned, changed, called off and announced; read by tenants."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from msgspec import Meta, convert

from functions.edge.bodies import RequestBody, View
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING, Disclosed
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING
from shared import composition
from shared.composition.maintenance import MaintenanceFlow
from shared.identity.rules import (
    TENANT_ROLES,
    VENDOR_DPO,
    VENDOR_IT_SUPERVISOR,
    VENDOR_OFFICER,
    VENDOR_SUPPORT,
)
from shared.maintenance.rules import MaintenanceWindow, WindowChange, WindowPlan, WindowStatus
from shared.messages.contracts import AwareTime, Text

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, MaintenanceFlow)

_PLANNING = {VENDOR_IT_SUPERVISOR}
_READING = {VENDOR_IT_SUPERVISOR, VENDOR_OFFICER, VENDOR_DPO, VENDOR_SUPPORT}

type Zones = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=10)]


class WindowPlanRequest(RequestBody, frozen=True):
    """A window from `startsAt` to `endsAt`, and the work that is done.

    Without `zones` the window is for every tenant of the stamp. `emergency` says why tenants are
    told later than the notice period asks.
    """

    starts_at: AwareTime
    ends_at: AwareTime
    work: Text
    zones: Zones | None = None
    emergency: Text | None = None


class WindowChangeRequest(RequestBody, frozen=True):
    """A change of a window, and the reason; a member that is left out stays unchanged."""

    reason: Text
    starts_at: AwareTime | None = None
    ends_at: AwareTime | None = None
    work: Text | None = None
    zones: Zones | None = None
    emergency: Text | None = None


class WindowCancellation(RequestBody, frozen=True):
    """The reason for calling a window off."""

    reason: Text


class WindowView(View, frozen=True):
    """A maintenance window. Times are UTC. `version` counts the states that tenants are told of."""

    id: str
    zones: list[str]
    starts_at: datetime
    ends_at: datetime
    work: str
    emergency: str | None
    status: WindowStatus
    version: int
    reason: str | None
    planned_at: datetime
    changed_at: datetime


class WindowPage(View, frozen=True):
    """A page of maintenance windows, and the token of the next page."""

    maintenance_windows: list[WindowView]
    continuation: str | None


class UpcomingWindows(View, frozen=True):
    """The maintenance windows that concern a tenant and are not over, the earliest first."""

    maintenance_windows: list[WindowView]


@http.endpoint(
    "POST",
    "maintenance-windows",
    discloses=NOTHING,
    roles=_PLANNING,
    body=WindowPlanRequest,
    replies={201: WindowView},
    idempotent=True,
)
async def plan_maintenance(call: Call[MaintenanceFlow]) -> Reply:
    """Plan a maintenance window; every tenant concerned is told within minutes.

    A window within the notice period needs `emergency`. Windows of the same zone do not overlap,
    unless for an emergency.
    """
    plan = convert(call.read(WindowPlanRequest), WindowPlan, from_attributes=True)
    identifier = await call.identifier("maintenance-windows")
    actor = call.caller.actor(_PLANNING)
    window, etag = await call.flow.maintenance.plan(plan, identifier, actor)
    return _shown(201, window, etag, {"Location": f"/api/maintenance-windows/{window.id}"})


@http.endpoint(
    "GET",
    "maintenance-windows",
    discloses=NOTHING,
    roles=_READING,
    replies={200: WindowPage},
    query=PAGING,
)
async def list_maintenance(call: Call[MaintenanceFlow]) -> Reply:
    """List every maintenance window of the stamp, past windows included."""
    found, continuation = await call.flow.maintenance.page(
        size=call.page_size, continuation=call.continuation
    )
    views = [_view(window) for window in found]
    return Reply(200, WindowPage(maintenance_windows=views, continuation=continuation))


@http.endpoint(
    "GET",
    "maintenance-windows/{window}",
    discloses=NOTHING,
    roles=_READING,
    replies={200: WindowView},
)
async def read_maintenance(call: Call[MaintenanceFlow]) -> Reply:
    """Read a maintenance window. Gives the ETag."""
    window, etag = await call.flow.maintenance.find(call.param("window"))
    return _shown(200, window, etag, {})


@http.endpoint(
    "PATCH",
    "maintenance-windows/{window}",
    discloses=NOTHING,
    roles=_PLANNING,
    body=WindowChangeRequest,
    replies={200: WindowView},
    conditional=True,
)
async def change_maintenance(call: Call[MaintenanceFlow]) -> Reply:
    """Change a maintenance window that was seen (If-Match); every tenant concerned is told.

    The notice period counts anew for time and zones that the window did not have.
    """
    change = convert(call.read(WindowChangeRequest), WindowChange, from_attributes=True)
    window, etag = await call.flow.maintenance.change(
        call.param("window"), change, call.caller.actor(_PLANNING), call.require_match
    )
    return _shown(200, window, etag, {})


@http.endpoint(
    "POST",
    "maintenance-windows/{window}/cancellation",
    discloses=NOTHING,
    roles=_PLANNING,
    body=WindowCancellation,
    replies={200: WindowView},
    conditional=True,
)
async def call_off_maintenance(call: Call[MaintenanceFlow]) -> Reply:
    """Call a maintenance window off that was seen (If-Match); every tenant that knew is told."""
    reason = call.read(WindowCancellation).reason
    window, etag = await call.flow.maintenance.call_off(
        call.param("window"), reason, call.caller.actor(_PLANNING), call.require_match
    )
    return _shown(200, window, etag, {})


@http.endpoint(
    "GET",
    "tenants/{tenant}/maintenance-windows",
    discloses=Disclosed("maintenance.listed", "maintenance-windows"),
    roles=TENANT_ROLES,
    replies={200: UpcomingWindows},
)
async def list_upcoming_maintenance(call: Call[MaintenanceFlow]) -> Reply:
    """List the maintenance windows that concern the tenant and are not over; recorded."""
    found = await call.flow.maintenance.upcoming(call.tenant)
    return Reply(200, UpcomingWindows(maintenance_windows=[_view(window) for window in found]))


@blueprint.timer_trigger("timer", schedule="20 * * * * *")
async def announce_maintenance(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Tell the tenants, every minute, of new and changed windows, and remind them."""
    await composition.flow(MaintenanceFlow).maintenance.announce()


def _shown(status: int, window: MaintenanceWindow, etag: str, headers: dict[str, str]) -> Reply:
    return Reply(status, _view(window), {**headers, "ETag": etag_header(etag)})


def _view(window: MaintenanceWindow) -> WindowView:
    return convert(window, WindowView, from_attributes=True)
