"""A queued message as a receiver gets it, and as a settlement changes it."""

from collections.abc import Callable
from typing import Any

from proton import Data

from infra.local.servicebus.messages import Message
from infra.local.servicebus.wire import Content, Stamp, dead_lettered, encode, with_properties


def encoded(message: Message[Content]) -> bytes:
    """The encoded message with what the broker knows of it, its dead-letter reason included."""
    content = message.content
    if message.dead_letter is not None:
        content = dead_lettered(content, *message.dead_letter)
    return encode(
        content,
        Stamp(
            sequence=message.sequence,
            enqueued_at=message.enqueued_at,
            delivery_count=message.delivery_count,
            locked_until=message.locked_until if message.token else None,
            state=message.wire_state,
        ),
    )


def property_change(properties: dict[Any, Any] | None) -> Callable[[Content], Content] | None:
    """What sets these application properties, as a settlement may; None when there are none."""
    if not properties:
        return None
    values = {}
    for name, value in properties.items():
        data = Data()
        data.put_object(value)
        values[str(name)] = bytes(data.encode())
    return lambda content: with_properties(content, values)
