"""Settlement: the outcome of a delivery, carried out on the queue.

Source: OASIS AMQP 1.0, part 3, section 3.4 (delivery state), and "AMQP 1.0 in Azure Service Bus
protocol guide" (settling a message, and the dead-letter fields of a rejection).
"""

from collections.abc import Callable, Mapping
from typing import Any

from proton import Data, Delivery

from infra.local.servicebus.errors import OperationRefusedError
from infra.local.servicebus.message_format import AnnotatedMessage, with_properties
from infra.local.servicebus.queue import Queue

_REASON, _DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"


def settle_delivery(queue: Queue[AnnotatedMessage], delivery: Delivery, now: float) -> None:
    """Carry out the outcome of a client's disposition; the delivery tag is the lock token.

    Raises `OperationRefusedError` as the queue does, and for an unknown outcome.
    """
    token = delivery.tag
    match delivery.remote_state:
        case Delivery.ACCEPTED:
            queue.complete(token, now)
        case Delivery.RELEASED:
            queue.release(token, now)
        case Delivery.MODIFIED:
            change = property_change(delivery.remote.annotations)
            settle = queue.defer if delivery.remote.undeliverable else queue.abandon
            settle(token, now, change)
        case Delivery.REJECTED:
            condition = delivery.remote.condition
            info = condition.info if condition else None
            properties = dict(info) if isinstance(info, dict) else {}
            reason = properties.pop(_REASON, None)
            description = properties.pop(_DESCRIPTION, None)
            change = property_change(properties)
            queue.dead_letter(token, now, str(reason or ""), str(description or ""), change)
        case other:
            raise OperationRefusedError(f"The outcome {other} is not supported.")


def settle_token(
    queue: Queue[AnnotatedMessage], token: str, status: str, body: Mapping[str, Any], now: float
) -> None:
    """Carry out the disposition status of an update-disposition request on one lock token.

    The SDK settles by lock token when the receiving link is gone. Raises `OperationRefusedError` as
    the queue does, and ValueError for an unknown status.
    """
    change = property_change(body.get("properties-to-modify"))
    match status:
        case "completed":
            queue.complete(token, now)
        case "abandoned":
            queue.abandon(token, now, change)
        case "defered":  # The protocol's own spelling.
            queue.defer(token, now, change)
        case "suspended":
            reason = str(body.get("deadletter-reason") or "")
            description = str(body.get("deadletter-description") or "")
            queue.dead_letter(token, now, reason, description, change)
        case _:
            raise ValueError(f"disposition-status {status!r}")


def property_change(
    properties: Mapping[Any, Any] | None,
) -> Callable[[AnnotatedMessage], AnnotatedMessage] | None:
    """The change of a message that sets these application properties; None without properties."""
    if not properties:
        return None
    encoded: dict[str, bytes] = {}
    for name, value in properties.items():
        data = Data()
        data.put_object(value)
        encoded[str(name)] = bytes(data.encode())
    return lambda message: with_properties(message, encoded)
