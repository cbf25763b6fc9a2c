"""The Service Bus queue trigger with cardinality "many": one call for several messages.

The rules are the Service Bus extension's. One batch runs at a time. A batch holds at most
maxMessageBatchSize messages. The trigger waits up to maxBatchWaitTime for minMessageBatchSize
messages. A successful function completes every message, a failed function abandons every message.
No lock is renewed during the call. A message that cannot be bound,
such as an AMQP sequence, goes back alone. A queue with sessions serves one session at a time:
maxAutoLockRenewalDuration and maxConcurrentSessions apply to functions that take single messages.
Source: "Azure Service Bus bindings for Azure Functions", host.json settings (learn.microsoft.com).
"""

import asyncio
from collections.abc import Sequence

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import AutoLockRenewer, ServiceBusClient, ServiceBusReceiver
from azure_functions_runtime.bindings.datumdef import Datum

from infra.local.host import protos
from infra.local.host.metadata import batch_metadata_of, body_of
from infra.local.host.servicebus import BROKEN, QueueTrigger, log

# Cancelling a receive would leave the received messages locked. A stopping host therefore waits up
# to this long for a receive to end.
SLICE_SECONDS = 1.0
SHORTEST_SECONDS = 0.01


class BatchTrigger(QueueTrigger):
    """Run one function for the messages of one queue, several in each call."""

    batch = True

    async def _receive(self, client: ServiceBusClient, renewer: AutoLockRenewer | None) -> None:
        del renewer
        receiver = client.get_queue_receiver(self._queue)
        if await self._or_stop(receiver.__aenter__()) is None:
            return
        self._ready.set()
        while not self._stopping.is_set():
            await self._run_next(receiver, SLICE_SECONDS)

    async def _run_next(self, receiver: ServiceBusReceiver, seconds: float) -> bool:
        """Run the function for the next messages. Return False when no message came in time."""
        messages = await receiver.receive_messages(
            self._host.max_message_batch_size, max_wait_time=seconds
        )
        if not messages:
            return False
        await self._fill(receiver, messages)
        bound = [message for message in messages if self._is_bindable(message)]
        succeeded = bool(bound) and await self._run_batch(bound)
        for message in messages:
            await self._settle(receiver, message, succeeded=succeeded and message in bound)
        return True

    async def _fill(
        self, receiver: ServiceBusReceiver, messages: list[ServiceBusReceivedMessage]
    ) -> None:
        """Add messages until the batch has the minimum size or the time is over."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._fill_seconds()
        while len(messages) < self._host.min_message_batch_size and not self._stopping.is_set():
            if (left := until - loop.time()) <= 0:
                return
            messages += await receiver.receive_messages(
                self._host.max_message_batch_size - len(messages),
                max_wait_time=max(SHORTEST_SECONDS, min(SLICE_SECONDS, left)),
            )

    def _fill_seconds(self) -> float:
        return self._host.max_batch_wait

    def _value(self, bodies: list[bytes]) -> Datum:
        return Datum(protos.CollectionBytes(bodies), "collection_bytes")

    def _is_bindable(self, message: ServiceBusReceivedMessage) -> bool:
        """Tell whether the function can get the message; a different message goes back alone."""
        try:
            body_of(message)
            batch_metadata_of([message])
        except Exception as error:  # noqa: BLE001 - whatever a sender sent, the host goes on
            log.warning("%s: a message cannot be bound: %r", self._function.name, error)
            return False
        return True

    async def _run_batch(self, messages: Sequence[ServiceBusReceivedMessage]) -> bool:
        value = self._value([body_of(message) for message in messages])
        outcome = await self._invoker.run(self._function, value, batch_metadata_of(messages))
        return outcome.succeeded


class SessionBatchTrigger(BatchTrigger):
    """Run one function for a queue with sessions: each call has messages of one session."""

    async def _receive(self, client: ServiceBusClient, renewer: AutoLockRenewer | None) -> None:
        del renewer
        while not self._stopping.is_set():
            receiver = await self._accept(client, None)
            if receiver is None:
                continue
            try:
                await self._serve(receiver)
            except BROKEN as error:
                log.warning("%s: a session of %s: %s", self._function.name, self._queue, error)
            finally:
                await receiver.close()

    async def _serve(self, receiver: ServiceBusReceiver) -> None:
        """Process a session's messages until the session is idle or the host stops."""
        loop = asyncio.get_running_loop()
        idle_at = loop.time() + self._host.session_idle_timeout
        while not self._stopping.is_set() and loop.time() < idle_at:
            wait = max(SHORTEST_SECONDS, min(SLICE_SECONDS, idle_at - loop.time()))
            if await self._run_next(receiver, wait):
                idle_at = loop.time() + self._host.session_idle_timeout

    def _fill_seconds(self) -> float:
        # An idle session is closed, and messages already received from the session run before.
        return min(self._host.max_batch_wait, self._host.session_idle_timeout)
