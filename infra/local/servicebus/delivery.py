"""A queued message as a receiver gets it."""

from infra.local.servicebus.messages import Message
from infra.local.servicebus.wire import Content, Stamp, dead_lettered, encode


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
            state=message.state.wire,
        ),
    )
