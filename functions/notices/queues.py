"""Notices: taken from the queue, and delivered, an attempt a message."""

import azure.functions as func

from functions.edge.deliveries import Delivery
from functions.edge.queues import consumer
from shared.catalogue import NOTICE_DELIVERIES_QUEUE, NOTICES_QUEUE
from shared.composition.notices import NoticesFlow
from shared.messages.contracts import Notice, NoticeDeliveryDue
from shared.messages.contracts.notices import NOTICE_CONTRACTS

blueprint = func.Blueprint()


@blueprint.service_bus_queue_trigger(
    "message", queue_name=NOTICES_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(NoticesFlow, NOTICES_QUEUE, *NOTICE_CONTRACTS)
async def take_notice(delivery: Delivery[NoticesFlow, Notice]) -> None:
    """Keep a notice, and plan the delivery to each contact."""
    await delivery.flow.notices.take(delivery.event)


@blueprint.service_bus_queue_trigger(
    "message", queue_name=NOTICE_DELIVERIES_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(NoticesFlow, NOTICE_DELIVERIES_QUEUE, NoticeDeliveryDue)
async def deliver_notice(delivery: Delivery[NoticesFlow, NoticeDeliveryDue]) -> None:
    """Carry out an attempt at the delivery of a notice to a contact."""
    await delivery.flow.deliverer.deliver(delivery.data)
