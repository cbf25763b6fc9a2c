"""The access log: what is recorded, and what the tenant sees of it."""

import azure.functions as func

from functions.http import Call, Reply, endpoint
from functions.messages import Delivery, consumer
from functions.operations import PAGING
from functions.replies import EntryPage
from shared.identity.rules import TENANT_ROLES, VENDOR_DPO
from shared.messages import queues
from shared.messages.contracts import AccessRecorded

blueprint = func.Blueprint()


@blueprint.service_bus_queue_trigger(
    "message", queue_name=queues.ACCESS_EVENTS, connection="SERVICE_BUS"
)
@consumer(queues.ACCESS_EVENTS, AccessRecorded)
async def record_access(delivery: Delivery[AccessRecorded]) -> None:
    """Add what another flow or service reports to the tenant's log."""
    event = delivery.event
    await delivery.app.accesslog.record(delivery.data, event.id, event.time)


@blueprint.route("tenants/{tenant}/log/entries", methods=["GET"])
@endpoint(roles={*TENANT_ROLES, VENDOR_DPO}, replies={200: EntryPage}, query=PAGING)
async def list_entries(call: Call) -> Reply:
    """The tenant's entries, newest first: who, when, what, for what purpose."""
    entries, continuation = await call.app.accesslog.read(
        call.tenant, call.caller, size=call.page_size, continuation=call.continuation
    )
    return Reply(200, EntryPage(entries=list(entries), continuation=continuation))
