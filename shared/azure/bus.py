"""Azure Service Bus through `azure-servicebus`."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusError

from shared.errors import UnavailableError
from shared.ports import OutgoingMessage

# Without a limit of its own, a send waits as long as the connection stands.
_SEND_SECONDS = 15.0
_CLOSE_SECONDS = 2.0
_PEEK_SECONDS = 10.0

logger = logging.getLogger("vouchsafe.bus")


class AzureBus:
    """`shared.ports.Bus` on one namespace, with one sender a queue kept open."""

    def __init__(self, connection_string: str, *, ping_queue: str) -> None:
        """`ping_queue` is the queue whose link `ping` opens; nothing is sent."""
        self._ping_queue = ping_queue
        # One retry, for a link that the service closed while it was idle. A bus that is down is
        # left to the outbox and to redelivery, so that no request waits for it.
        self._client = ServiceBusClient.from_connection_string(
            connection_string, retry_total=1, retry_backoff_factor=0.2
        )
        self._senders: dict[str, ServiceBusSender] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def close(self) -> None:
        """Close the senders and the connection."""
        for sender in self._senders.values():
            await sender.close()
        await self._client.close()

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        by_queue: defaultdict[str, list[OutgoingMessage]] = defaultdict(list)
        for message in messages:
            by_queue[message.queue].append(message)
        for queue, batch in by_queue.items():
            await self._send(queue, [_to_message(message) for message in batch])

    async def _send(self, queue: str, messages: list[ServiceBusMessage]) -> None:
        try:
            # The SDK's sender is not safe for concurrent sends while it opens its link.
            async with asyncio.timeout(_SEND_SECONDS), self._locks[queue]:
                try:
                    await _send_all(self._sender(queue), messages)
                except BaseException:
                    # A sender that failed, or was cut off, may not recover: the next send opens
                    # a new one.
                    await _discard(self._senders.pop(queue, None))
                    raise
        except MessageSizeExceededError:
            raise
        except (ServiceBusError, OSError) as error:
            raise UnavailableError("bus") from error

    def _sender(self, queue: str) -> ServiceBusSender:
        if queue not in self._senders:
            self._senders[queue] = self._client.get_queue_sender(queue)
        return self._senders[queue]

    async def oldest(self, queue: str) -> datetime | None:
        with _as_unavailable():
            async with self._client.get_queue_receiver(queue) as receiver:
                # Peeking takes nothing out, and shows what others have locked.
                waiting = await receiver.peek_messages(1, timeout=_PEEK_SECONDS)
        return waiting[0].enqueued_time_utc if waiting else None

    async def dead_letters(self, queue: str, most: int) -> int:
        receiver = self._client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
        with _as_unavailable():
            async with receiver:
                return len(await receiver.peek_messages(most, timeout=_PEEK_SECONDS))

    async def ping(self) -> None:
        with _as_unavailable():
            async with self._client.get_queue_sender(self._ping_queue):
                return


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except (ServiceBusError, OSError) as error:
        raise UnavailableError("bus") from error


async def _discard(sender: ServiceBusSender | None) -> None:
    """Close a sender that may be broken, as far as that goes."""
    if sender is None:
        return
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await sender.close()
    except (ServiceBusError, OSError) as error:
        logger.debug("a broken sender did not close: %s", type(error).__name__)


async def _send_all(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    """Send in as few batches as the link's size limit allows.

    Raises MessageSizeExceededError for one message that is larger than the service takes.
    """
    if len(messages) == 1:
        await sender.send_messages(messages[0])
        return
    batch = await sender.create_message_batch()
    for message in messages:
        try:
            batch.add_message(message)
        except MessageSizeExceededError:
            await sender.send_messages(batch)
            batch = await sender.create_message_batch()
            batch.add_message(message)
    await sender.send_messages(batch)


def _to_message(message: OutgoingMessage) -> ServiceBusMessage:
    return ServiceBusMessage(
        message.body,
        message_id=message.id,
        session_id=message.session,
        content_type=message.content_type,
        application_properties=dict[Any, Any](message.properties),
    )
