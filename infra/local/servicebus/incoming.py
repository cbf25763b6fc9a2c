"""Incoming links: a client sends messages or requests, and the broker accepts or rejects each.

Every message of a batch is accepted, or the batch is rejected.
"""

import time
from abc import ABC, abstractmethod

from proton import Delivery, Receiver

from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.endpoint import ClientConnection, LinkEndpoint, condition_of
from infra.local.servicebus.entity import Entity
from infra.local.servicebus.errors import AmqpError, MessageSizeExceededError
from infra.local.servicebus.message_format import BATCH_FORMAT, AnnotatedMessage, parse, unbatch
from infra.local.servicebus.queue import Queue

MAX_MESSAGE_BYTES = 256 * 1024
"""The size limit of the emulator and of the Standard tier ("Service Bus quotas")."""

_CREDIT = 1000


class IncomingLink(LinkEndpoint, ABC):
    """Reads whole deliveries and keeps the client in credit."""

    def __init__(self, link: Receiver, connection: ClientConnection) -> None:
        super().__init__(link, connection)
        self._receiver = link
        self._data = bytearray()

    def open(self) -> None:
        """Answer the attach and give credit."""
        self._receiver.max_message_size = MAX_MESSAGE_BYTES
        self.answer()
        self._receiver.flow(_CREDIT)

    def on_delivery(self, delivery: Delivery) -> None:
        """Read a whole delivery, handle the delivery, then accept or reject the delivery."""
        if not delivery.aborted:
            if not delivery.readable:
                return
            self._read(delivery)
            if delivery.partial:
                return
        data = bytes(self._data)
        self._data.clear()
        message_format = self.connection.next_message_format(self.link.name)
        if not delivery.aborted:
            self._receiver.advance()
            outcome: int = Delivery.ACCEPTED
            try:
                check_size(data)
                self.receive(data, message_format)
            except AmqpError as error:
                delivery.local.condition = condition_of(error)
                outcome = Delivery.REJECTED
            if not delivery.settled:
                delivery.update(outcome)
        delivery.settle()
        if self._receiver.credit < _CREDIT // 2:
            self._receiver.flow(_CREDIT - self._receiver.credit)

    @abstractmethod
    def receive(self, data: bytes, message_format: int) -> None:
        """Handle the bytes of one delivery. Raises `AmqpError` to reject the delivery."""

    def _read(self, delivery: Delivery) -> None:
        """Keep the bytes so far, at most one byte more than the limit."""
        received = self._receiver.recv(delivery.pending) or b""
        self._data += received[: MAX_MESSAGE_BYTES + 1 - len(self._data)]


class QueueTargetLink(IncomingLink):
    """An incoming link with a queue as its target: enqueues the client's messages."""

    def __init__(self, link: Receiver, connection: ClientConnection, entity: Entity) -> None:
        super().__init__(link, connection)
        self._entity = entity

    def receive(self, data: bytes, message_format: int) -> None:
        """Enqueue one message, or every message of a batch. Raises `AmqpError`."""
        if message_format not in (0, BATCH_FORMAT):
            raise AmqpError("amqp:not-implemented", f"message format 0x{message_format:x}")
        try:
            encodings = unbatch(data) if message_format == BATCH_FORMAT else [data]
            messages = [parse(encoding) for encoding in encodings]
        except MalformedMessageError as malformed:
            raise AmqpError("amqp:decode-error", str(malformed)) from malformed
        enqueue(self._entity.queue, messages, time.time())
        self._entity.serve_soon()


def check_size(encoded: bytes) -> None:
    """Raise `MessageSizeExceededError` for an encoded message that is too large."""
    if len(encoded) > MAX_MESSAGE_BYTES:
        raise MessageSizeExceededError(
            f"The message has more than {MAX_MESSAGE_BYTES} bytes, which is the limit."
        )


def enqueue(
    queue: Queue[AnnotatedMessage], messages: list[AnnotatedMessage], now: float
) -> list[int]:
    """Enqueue the messages and return the sequence number of each, 0 for a duplicate.

    Raises `OperationRefusedError` before the first message is stored.
    """
    for message in messages:
        queue.check_session_id(message.session_id)
    stored = [
        queue.enqueue(
            message,
            now,
            message_id=message.message_id,
            session_id=message.session_id,
            ttl=message.ttl,
            not_before=message.not_before,
        )
        for message in messages
    ]
    return [0 if message is None else message.sequence for message in stored]
