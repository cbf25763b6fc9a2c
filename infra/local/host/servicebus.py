"""The Service Bus queue trigger: peek-lock receivers on the real SDK, with or without sessions.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger. A
successful function completes its message. A failed function abandons its message, so the broker
counts the delivery and finally dead-letters the message.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from azure.core.exceptions import AzureError
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusReceivedMessage
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import OperationTimeoutError
from azure_functions_runtime.bindings.datumdef import Datum

from infra.local.host.amqp_types import read_every_type
from infra.local.host.hostjson import HostSettings
from infra.local.host.invoke import Invoker
from infra.local.host.loading import Function
from infra.local.host.metadata import body_of, metadata_by_hand, metadata_of

log = logging.getLogger("host.servicebus")

# The longest wait of one call for a message, or for a session. A stopping host ends the wait.
RECEIVE_SECONDS = 60.0
ACCEPT_SECONDS = 30.0
FIRST_BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 5.0
# The SDK reads and writes under one lock, so a settlement may wait this long (default: 0.2).
SOCKET_SECONDS = 0.05
# The SDK's errors after the loss of a link, a lock or a connection. ValueError: closed receiver.
BROKEN = (AzureError, OSError, ValueError)


class QueueTrigger:
    """Run one function for the messages of one queue, several at a time."""

    batch = False

    def __init__(
        self, function: Function, queue: str, connection: str, invoker: Invoker, host: HostSettings
    ) -> None:
        self._function = function
        self._queue = queue
        self._connection = connection
        self._invoker = invoker
        self._host = host
        self._slots = asyncio.Semaphore(self._concurrency(host))
        self._running: set[asyncio.Task[None]] = set()
        self._by_hand: set[asyncio.Task[Any]] = set()
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def function(self) -> Function:
        """The triggered function."""
        return self._function

    def fire(self, text: str) -> None:
        """Run the function at once with a text in place of a message, for the admin endpoint."""
        value = self._value([text.encode()])
        work = self._invoker.run(self._function, value, metadata_by_hand(batch=self.batch))
        task = asyncio.create_task(work)
        self._by_hand.add(task)
        task.add_done_callback(self._by_hand.discard)

    async def run(self, ready: asyncio.Event, stopping: asyncio.Event) -> None:
        """Receive until ``stopping``, reconnecting after each failure; then finish and return."""
        self._ready, self._stopping = ready, stopping
        wait = FIRST_BACKOFF_SECONDS
        while not stopping.is_set():
            since = asyncio.get_running_loop().time()
            try:
                await self._receive_until_broken()
            except Exception as error:  # noqa: BLE001 - a queue's failure never ends the host
                log.warning("%s: queue %s: %r", self._function.name, self._queue, error)
                lasted = asyncio.get_running_loop().time() - since
                wait = FIRST_BACKOFF_SECONDS if lasted > wait else wait * 2
                wait = min(wait, LONGEST_BACKOFF_SECONDS)
                await self._or_stop(asyncio.sleep(wait))
        if self._by_hand:
            await asyncio.wait(self._by_hand)

    def _value(self, bodies: list[bytes]) -> Datum:
        """Return the value for the function's parameter. Raise ValueError for undecodable text."""
        (body,) = bodies
        text = self._function.info.input_types[self._function.parameter].pytype is str
        return Datum(body.decode(), "string") if text else Datum(body, "bytes")

    @staticmethod
    def _concurrency(host: HostSettings) -> int:
        return host.max_concurrent_calls

    async def _receive_until_broken(self) -> None:
        renewal = self._host.max_lock_renewal
        renewer = AutoLockRenewer(renewal) if renewal else None
        # One attempt for each call: this class itself waits and retries.
        read_every_type()
        client = ServiceBusClient.from_connection_string(
            self._connection, retry_total=0, socket_timeout=SOCKET_SECONDS
        )
        try:
            await self._receive(client, renewer)
        finally:
            if self._stopping.is_set():
                # Running functions settle through this client. A broken client cannot settle.
                while self._running:
                    await asyncio.wait(self._running)
            await client.close()
            if renewer is not None:
                await renewer.close()

    async def _receive(self, client: ServiceBusClient, renewer: AutoLockRenewer | None) -> None:
        receiver = client.get_queue_receiver(self._queue, auto_lock_renewer=renewer)
        if await self._or_stop(receiver.__aenter__()) is None:
            return
        self._ready.set()
        while not self._stopping.is_set():
            await self._slots.acquire()
            work = None
            try:
                message = await self._next(receiver, RECEIVE_SECONDS)
                if message is not None:
                    work = self._process(receiver, message)
            finally:
                self._start_or_free(work)

    async def _next(
        self, receiver: ServiceBusReceiver, seconds: float
    ) -> ServiceBusReceivedMessage | None:
        # One message at a time: asked for more, the SDK holds the first back in case others follow.
        messages = await self._or_stop(receiver.receive_messages(1, max_wait_time=seconds))
        return messages[0] if messages else None

    async def _accept(
        self, client: ServiceBusClient, renewer: AutoLockRenewer | None
    ) -> ServiceBusReceiver | None:
        """Return the next session with messages; None when no session has messages for a while."""
        receiver = client.get_queue_receiver(
            self._queue,
            session_id=NEXT_AVAILABLE_SESSION,
            max_wait_time=ACCEPT_SECONDS,
            auto_lock_renewer=renewer,
        )
        # The broker answers only after a session has messages, so waiting already counts as ready.
        self._ready.set()
        opened = None
        try:
            opened = await self._or_stop(receiver.__aenter__())
        except OperationTimeoutError:
            return None
        finally:
            if opened is None:
                await receiver.close()
        return opened

    async def _process(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage
    ) -> None:
        """Run the function for one message and settle the message."""
        succeeded = False
        try:
            value, metadata = self._value([body_of(message)]), metadata_of(message)
        except Exception as error:  # noqa: BLE001 - whatever a sender sent, the host goes on
            log.warning("%s: a message cannot be bound: %r", self._function.name, error)
        else:
            outcome = await self._invoker.run(self._function, value, metadata)
            succeeded = outcome.succeeded
        await self._settle(receiver, message, succeeded=succeeded)

    async def _settle(
        self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, *, succeeded: bool
    ) -> None:
        """Complete the message or, after a failed function, abandon the message."""
        settle = receiver.complete_message if succeeded else receiver.abandon_message
        try:
            await settle(message)
        except BROKEN as error:
            # The broker delivers the message again.
            log.warning("%s: a message was not settled: %s", self._function.name, error)

    def _start_or_free(self, work: Coroutine[Any, Any, None] | None) -> None:
        """Start work in the slot just taken, and free the slot afterwards; at once without work."""
        if work is None:
            self._slots.release()
            return
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._slots.release()
        if not task.cancelled() and task.exception() is not None:
            log.error("%s: a fault of the host", self._function.name, exc_info=task.exception())

    async def _or_stop[T](self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return the work's result; cancel the work and return None when the host stops first."""
        task = asyncio.create_task(work)
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            task.cancel()
            await asyncio.wait((task,))
        return None if task.cancelled() else task.result()


class SessionTrigger(QueueTrigger):
    """Run one function for a queue with sessions: one message at a time within each session."""

    @staticmethod
    def _concurrency(host: HostSettings) -> int:
        return host.max_concurrent_sessions

    async def _receive(self, client: ServiceBusClient, renewer: AutoLockRenewer | None) -> None:
        while not self._stopping.is_set():
            await self._slots.acquire()
            work = None
            try:
                receiver = await self._accept(client, renewer)
                if receiver is not None:
                    work = self._serve(receiver)
            finally:
                self._start_or_free(work)

    async def _serve(self, receiver: ServiceBusReceiver) -> None:
        """Process a session's messages in order until the session is idle or lost, or a stop."""
        try:
            while not self._stopping.is_set():
                message = await self._next(receiver, self._host.session_idle_timeout)
                if message is None:
                    return
                await self._process(receiver, message)
        except BROKEN as error:
            log.warning("%s: a session of %s: %s", self._function.name, self._queue, error)
        finally:
            await receiver.close()
