"""Incidents from the queue, the timer of the escalation, and the watch over dead letters."""

from collections.abc import Sequence

import azure.functions as func

from functions.edge.batches import Refused, batch_consumer
from functions.edge.deliveries import Delivery
from shared import composition
from shared.catalogue import INCIDENTS_QUEUE
from shared.composition.incidents import IncidentsFlow
from shared.messages.contracts import IncidentCleared, IncidentOpened

blueprint = func.Blueprint()


@blueprint.service_bus_queue_trigger(
    "messages",
    queue_name=INCIDENTS_QUEUE.name,
    connection="SERVICE_BUS",
    cardinality=func.Cardinality.MANY,
)
@batch_consumer(IncidentsFlow, INCIDENTS_QUEUE, IncidentOpened, IncidentCleared, any_tenant=True)
async def record_incidents(
    flow: IncidentsFlow,
    deliveries: Sequence[Delivery[IncidentsFlow, IncidentOpened | IncidentCleared]],
) -> Sequence[Refused[IncidentsFlow, IncidentOpened | IncidentCleared]]:
    """Keep one record an incident, and resolve the incidents whose matter is over."""
    from shared.incidents.records.matters import MatterMessage

    await flow.intake.take(
        [MatterMessage(one.event.id, one.event.time, one.data) for one in deliveries]
    )
    return []


@blueprint.timer_trigger("timer", schedule="30 * * * * *")
async def escalate_incidents(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Tell, every minute, whoever is due to be told of an incident."""
    await composition.flow(IncidentsFlow).escalation.run()
