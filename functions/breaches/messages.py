"""The steps of scopes and notices from the queue, and the timer that goes on with them."""

import azure.functions as func

from functions.edge.deliveries import Delivery
from functions.edge.queues import consumer
from shared import composition
from shared.catalogue import BREACH_STEPS_QUEUE
from shared.composition.breaches import BreachesFlow
from shared.messages.contracts import (
    BreachNoticesDue,
    BreachTenantDue,
    BreachTenantsDue,
)

blueprint = func.Blueprint()


@blueprint.service_bus_queue_trigger(
    "message", queue_name=BREACH_STEPS_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(BreachesFlow, BREACH_STEPS_QUEUE, BreachTenantsDue, BreachTenantDue, BreachNoticesDue)
async def advance_breach(
    delivery: Delivery[BreachesFlow, BreachTenantsDue | BreachTenantDue | BreachNoticesDue],
) -> None:
    """Look at the next tenants, do a tenant's next batch, or tell the next tenants."""
    flow = delivery.flow
    match delivery.data:
        case BreachTenantsDue(breach_id=breach, run=run, continuation=continuation):
            await flow.scoping.spread(breach, run, continuation)
        case BreachTenantDue(tenant=tenant, breach_id=breach, run=run, batch=batch):
            await flow.scoping.advance(tenant, breach, run, batch)
        case BreachNoticesDue(breach_id=breach, notice_round=number, continuation=continuation):
            await flow.notifying.tell(breach, number, continuation)


@blueprint.timer_trigger("timer", schedule="0 25 * * * *")
async def resume_breaches(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Go on, every hour, with scopes and notices whose messages have expired."""
    await composition.flow(BreachesFlow).desk.resume()
