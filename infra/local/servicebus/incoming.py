"""A link a client sends on: single messages and batches, accepted once they are enqueued."""

import time
from typing import TYPE_CHECKING

from proton import Delivery, Receiver

from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.endpoint import Endpoint, error
from infra.local.servicebus.messages import RefusedError
from infra.local.servicebus.queue import Queue
from infra.local.servicebus.wire import (
    BATCH_FORMAT,
    Content,
    parse,
    unbatch,
)

if TYPE_CHECKING:
    from infra.local.servicebus.connection import AmqpConnection
    from infra.local.servicebus.entity import Entity

MAX_MESSAGE_BYTES = 256 * 1024
"""The emulator's and the Standard tier's limit ("Service Bus quotas")."""

_CREDIT = 1000


class RejectedError(Exception):
    """A message is not taken; carries the AMQP error condition."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


class ReceivingLink(Endpoint):
    """Reads whole deliveries in their message format and keeps the client in credit."""

    def __init__(self, link: Receiver, connection: "AmqpConnection") -> None:
        super().__init__(link, connection)
        self._receiver = link
        self._data = bytearray()

    def open(self) -> None:
        """Answer the attach and give credit."""
        self._receiver.snd_settle_mode = self._receiver.remote_snd_settle_mode
        self._receiver.rcv_settle_mode = self._receiver.remote_rcv_settle_mode
        self._receiver.max_message_size = MAX_MESSAGE_BYTES
        self.answer()
        self._receiver.flow(_CREDIT)

    def on_delivery(self, delivery: Delivery) -> None:
        """Read a whole delivery, handle it, then accept or reject it."""
        if not delivery.aborted:
            if not delivery.readable:
                return
            self._read(delivery)
            if delivery.partial:
                return
        data = bytes(self._data)
        self._data.clear()
        message_format = self._format()
        if not delivery.aborted:
            self._receiver.advance()
            try:
                _check_size(data)
                self.take(data, message_format)
            except RejectedError as rejection:
                delivery.local.condition = error(rejection.condition, str(rejection))
                outcome = Delivery.REJECTED
            else:
                outcome = Delivery.ACCEPTED
            if not delivery.settled:
                delivery.update(outcome)
        delivery.settle()
        if self._receiver.credit < _CREDIT // 2:
            self._receiver.flow(_CREDIT - self._receiver.credit)

    def take(self, data: bytes, message_format: int) -> None:
        """Handle one delivery. Raises `RejectedError`."""
        raise NotImplementedError

    def _read(self, delivery: Delivery) -> None:
        """Take what has come of a delivery; of one that is too large, no more than shows that."""
        came = self._receiver.recv(delivery.pending) or b""
        self._data += came[: MAX_MESSAGE_BYTES + 1 - len(self._data)]

    def _format(self) -> int:
        return self.connection.frames.take(self.link.name)


def _check_size(data: bytes) -> None:
    if len(data) > MAX_MESSAGE_BYTES:
        raise RejectedError(
            "amqp:link:message-size-exceeded",
            f"The message has more than {MAX_MESSAGE_BYTES} bytes, which is the limit.",
        )


class IncomingLink(ReceivingLink):
    """Enqueues what a client sends to one entity."""

    def __init__(self, link: Receiver, connection: "AmqpConnection", entity: "Entity") -> None:
        super().__init__(link, connection)
        self._entity = entity

    def take(self, data: bytes, message_format: int) -> None:
        """Enqueue one message, or all of a batch or none. Raises `RejectedError`."""
        if message_format not in (0, BATCH_FORMAT):
            raise RejectedError("amqp:not-implemented", f"message format 0x{message_format:x}")
        try:
            encoded = unbatch(data) if message_format == BATCH_FORMAT else [data]
            contents = [parse(one) for one in encoded]
        except MalformedMessageError as malformed:
            raise RejectedError("amqp:decode-error", str(malformed)) from malformed
        try:
            enqueue(self._entity.queue, contents, time.time())
        except RefusedError as refusal:
            raise RejectedError(refusal.condition, str(refusal)) from refusal
        self._entity.touch()


def enqueue(queue: Queue[Content], contents: list[Content], now: float) -> list[int]:
    """Store all messages or none; the sequence number of each, 0 for a duplicate.

    Raises `RefusedError`.
    """
    for content in contents:
        queue.admits(content.session_id)
    stored = [
        queue.enqueue(
            content,
            now,
            message_id=content.message_id,
            session_id=content.session_id,
            ttl=content.ttl,
            not_before=content.not_before,
        )
        for content in contents
    ]
    return [0 if message is None else message.sequence for message in stored]
