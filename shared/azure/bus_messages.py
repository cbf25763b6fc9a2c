"""Messages of Service Bus as plain data, and messages that were received under locks."""

import asyncio
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.amqp import AmqpMessageBodyType
from azure.servicebus.exceptions import ServiceBusError

from shared.ports import BusMessage

# What one call of `take` receives at most on its way: messages, bytes of bodies, seconds.
_MAX_RECEIVED = 2_000
_MAX_BYTES = 64 * 1024 * 1024
_MAX_SECONDS = 20.0
_AT_ONCE = 100
_WAIT_SECONDS = 2.0
# Service Bus adds the properties to a dead letter: "Dead-letter queues", learn.microsoft.com.
_REASON = "DeadLetterReason"
_OF_THE_BUS = frozenset({_REASON, "DeadLetterErrorDescription"})


def bytes_of(message: ServiceBusReceivedMessage) -> bytes | None:
    """Return the body of a message; None for a body that is neither bytes nor text.

    The SDK gives the text of an AMQP value as bytes.
    """
    body: Any = message.body
    match message.body_type:
        case AmqpMessageBodyType.DATA:
            return b"".join(body)
        case AmqpMessageBodyType.VALUE if isinstance(body, str | bytes):
            return body.encode() if isinstance(body, str) else body
    return None


def to_bus_message(message: ServiceBusReceivedMessage) -> BusMessage:
    """Return a message as plain data.

    AMQP lets a sender use numbers, UUIDs and bytes as the ids of messages: here each is text.
    """
    properties = {
        _text(name): _plain(value) for name, value in (message.application_properties or {}).items()
    }
    reason = properties.get(_REASON)
    return BusMessage(
        number=message.sequence_number or 0,
        id=_maybe_text(message.message_id) or "",
        body=bytes_of(message),
        session=_maybe_text(message.session_id),
        content_type=_maybe_text(message.content_type),
        delivery_count=message.delivery_count or 0,
        enqueued=message.enqueued_time_utc or datetime.fromtimestamp(0, UTC),
        reason=_maybe_text(reason),
        properties={name: value for name, value in properties.items() if name not in _OF_THE_BUS},
    )


class Taken:
    """`shared.ports.TakenMessages` on an open receiver."""

    def __init__(self, receiver: ServiceBusReceiver) -> None:
        self._receiver = receiver
        self._held: dict[int, ServiceBusReceivedMessage] = {}
        self._wanted: frozenset[int] = frozenset()

    @property
    def messages(self) -> Mapping[int, BusMessage]:
        return {
            number: to_bus_message(self._held[number])
            for number in sorted(self._wanted & self._held.keys())
        }

    async def receive(self, numbers: Collection[int]) -> None:
        """Receive messages in the queue's order until each of `numbers` came, or none can come."""
        self._wanted = frozenset(numbers)
        last, size, end = max(numbers, default=0), 0, time.monotonic() + _MAX_SECONDS
        while not self._wanted <= self._held.keys():
            if len(self._held) >= _MAX_RECEIVED or size > _MAX_BYTES or time.monotonic() > end:
                return
            found = await self._receiver.receive_messages(_AT_ONCE, max_wait_time=_WAIT_SECONDS)
            for message in found:
                self._held[message.sequence_number or 0] = message
                size += len(bytes_of(message) or b"")
            # An answer of later messages alone: the rest is gone, or somebody else holds the rest.
            if not found or min(message.sequence_number or 0 for message in found) > last:
                return

    async def complete(self, numbers: Collection[int]) -> Collection[int]:
        done = await asyncio.gather(*(self._complete(number) for number in numbers))
        return {number for number, is_done in zip(numbers, done, strict=True) if is_done}

    async def _complete(self, number: int) -> bool:
        message = self._held.pop(number, None)
        if message is None:
            return False
        try:
            await self._receiver.complete_message(message)
        except (ServiceBusError, OSError):
            return False
        return True

    async def give_back(self) -> None:
        """Give every message back that was not completed; the end of a lock gives back the rest."""
        with suppress(ServiceBusError, OSError):
            for message in self._held.values():
                await self._receiver.abandon_message(message)
        self._held.clear()


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _maybe_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _plain(value: object) -> object:
    """Return a value with text for the bytes that the SDK gives for texts, at any depth."""
    match value:
        case bytes():
            return _text(value)
        case dict():
            return {_text(name): _plain(one) for name, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
    return value
