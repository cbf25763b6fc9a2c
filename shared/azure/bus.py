"""Azure Service Bus through `azure-servicebus`."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusSubQueue,
)
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusError

from shared.azure.amqp_types import read_every_type
from shared.azure.bus_messages import Taken, bytes_of, to_bus_message
from shared.catalogue import StoreGuard, allow_any
from shared.errors import UnavailableError
from shared.ports import BusMessage, OutgoingMessage, Queued, QueuePlace, TakenMessages

# A send without a limit waits as long as the connection stands.
_SEND_SECONDS = 15.0
_CLOSE_SECONDS = 2.0
_PEEK_SECONDS = 10.0
_PEEKED_AT_ONCE = 250

logger = logging.getLogger("vouchsafe.bus")


class AzureBus:
    """`shared.ports.Bus` on a namespace, with an open link for each queue and purpose."""

    def __init__(
        self, connection_string: str, *, ping_queue: str, allow: StoreGuard = allow_any
    ) -> None:
        """`ping_queue` is the queue whose link `ping` opens; nothing is sent.

        `allow` raises for the name of a queue that must not be opened.
        """
        read_every_type()
        self._allow = allow
        self._ping_queue = ping_queue
        # One retry, for a link that the service closed in an idle time. The outbox and redelivery
        # outlast a bus that is down, so that no request waits for the bus.
        self._client = ServiceBusClient.from_connection_string(
            connection_string, retry_total=1, retry_backoff_factor=0.2
        )
        self._senders = _Links(self._client.get_queue_sender)
        # Receivers that only peek ask the service for no message, and so lock no message.
        self._browsers = _Links(self._client.get_queue_receiver)
        self._dead_letter_browsers = _Links(self._dead_letter_receiver)

    async def close(self) -> None:
        """Close the links and the connection."""
        await self._senders.close()
        await self._browsers.close()
        await self._dead_letter_browsers.close()
        await self._client.close()

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        by_queue: defaultdict[str, list[OutgoingMessage]] = defaultdict(list)
        for message in messages:
            by_queue[message.queue].append(message)
        for queue in by_queue:
            self._allow(queue)
        for queue, batch in by_queue.items():
            await self._send(queue, [_to_message(message) for message in batch])

    async def _send(self, queue: str, messages: list[ServiceBusMessage]) -> None:
        with _as_unavailable():
            async with asyncio.timeout(_SEND_SECONDS), self._senders.of(queue) as sender:
                await _send_all(sender, messages)

    async def oldest(self, queue: str) -> datetime | None:
        waiting = await self._peek(queue, 1, 1)
        return waiting[0].enqueued_time_utc if waiting else None

    async def before(self, queue: str, end: int) -> AsyncIterator[Queued]:
        # In most cases no earlier message exists: the first answer then has one message.
        first, count = 1, 1
        while first < end and (peeked := await self._peek(queue, first, count)):
            for message in peeked:
                number = message.sequence_number or 0
                if number < end and message.state is ServiceBusMessageState.ACTIVE:
                    yield Queued(number, bytes_of(message) or b"")
                first = number + 1
            count = _PEEKED_AT_ONCE

    async def _peek(
        self, queue: str, first: int, count: int, links: "_Links[ServiceBusReceiver] | None" = None
    ) -> list[ServiceBusReceivedMessage]:
        """Return up to `count` messages from the number `first` on, locked messages included."""
        self._allow(queue)
        with _as_unavailable():
            async with (
                asyncio.timeout(_PEEK_SECONDS),
                (links or self._browsers).of(queue) as browser,
            ):
                return await browser.peek_messages(count, sequence_number=first)

    async def browse(self, place: QueuePlace, first: int, most: int) -> Sequence[BusMessage]:
        links = self._dead_letter_browsers if place.is_dead_letters else self._browsers
        return [to_bus_message(one) for one in await self._peek(place.queue, first, most, links)]

    @asynccontextmanager
    async def take(
        self, place: QueuePlace, numbers: Collection[int]
    ) -> AsyncIterator[TakenMessages]:
        self._allow(place.queue)
        with _as_unavailable():
            async with self._receiver(place) as receiver:
                taken = Taken(receiver)
                try:
                    await taken.receive(numbers)
                    yield taken
                finally:
                    await taken.give_back()

    def _receiver(self, place: QueuePlace) -> ServiceBusReceiver:
        if place.is_dead_letters:
            return self._dead_letter_receiver(place.queue)
        return self._client.get_queue_receiver(place.queue)

    def _dead_letter_receiver(self, queue: str) -> ServiceBusReceiver:
        return self._client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)

    async def ping(self) -> None:
        with _as_unavailable():
            async with self._client.get_queue_sender(self._ping_queue):
                return


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except MessageSizeExceededError:
        raise
    except (ServiceBusError, OSError) as error:
        raise UnavailableError("bus") from error


class _Links[L: ServiceBusSender | ServiceBusReceiver]:
    """Open links of a kind, a link for each queue."""

    def __init__(self, opened: Callable[[str], L]) -> None:
        self._opened = opened
        self._links: dict[str, L] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def of(self, queue: str) -> AsyncIterator[L]:
        """The link of a queue, for one use at a time, as the SDK's are not safe for several."""
        async with self._locks[queue]:
            if queue not in self._links:
                self._links[queue] = self._opened(queue)
            try:
                yield self._links[queue]
            except BaseException:
                # A failed or interrupted link may not recover: the next use opens a new link.
                await _discard(self._links.pop(queue))
                raise

    async def close(self) -> None:
        """Close every link."""
        for link in self._links.values():
            await link.close()


async def _discard(link: ServiceBusSender | ServiceBusReceiver) -> None:
    """Close a possibly broken link, and ignore a failure to close."""
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await link.close()
    except (ServiceBusError, OSError) as error:
        logger.debug("a broken link did not close: %s", type(error).__name__)


async def _send_all(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    """Send in as few batches as the link's size limit allows.

    Raises MessageSizeExceededError for a message above the service's limit.
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
        scheduled_enqueue_time_utc=message.not_before,
    )
