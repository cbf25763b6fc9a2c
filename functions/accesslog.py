"""The access log: what is recorded, and what the tenant sees of it."""

from collections.abc import Sequence

import azure.functions as func

from functions.http import Call, Reply, endpoint
from functions.messages import Delivery, Refused, batch_consumer
from functions.operations import PAGING
from functions.replies import EntryPage
from shared.accesslog import Recorded
from shared.composition import App
from shared.identity.rules import TENANT_ROLES, VENDOR_DPO
from shared.messages import queues
from shared.messages.contracts import AccessRecorded

blueprint = func.Blueprint()


@blueprint.service_bus_queue_trigger(
    "messages",
    queue_name=queues.ACCESS_EVENTS,
    connection="SERVICE_BUS",
    cardinality=func.Cardinality.MANY,
)
@batch_consumer(queues.ACCESS_EVENTS, AccessRecorded)
async def record_accesses(
    app: App, deliveries: Sequence[Delivery[AccessRecorded]]
) -> Sequence[Refused[AccessRecorded]]:
    """Add what other services report to their tenants' logs, in the queue's order."""
    events = [
        Recorded(one.event.source, one.event.id, one.event.time, one.data, one.context)
        for one in deliveries
    ]
    reasons = await app.accesslog.record_events(events)
    return [(one, reason) for one, reason in zip(deliveries, reasons, strict=True) if reason]


@blueprint.route("tenants/{tenant}/log/entries", methods=["GET"])
@endpoint(roles={*TENANT_ROLES, VENDOR_DPO}, replies={200: EntryPage}, query=PAGING)
async def list_entries(call: Call) -> Reply:
    """The tenant's entries, newest first: who, when, what, for what purpose."""
    entries, continuation = await call.app.accesslog.read(
        call.tenant, call.caller, size=call.page_size, continuation=call.continuation
    )
    return Reply(200, EntryPage(entries=list(entries), continuation=continuation))
