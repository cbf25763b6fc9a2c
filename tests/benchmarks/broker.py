"""The broker: messages a second through the unmodified `azure-servicebus`, on one connection.

Three figures, none of them a ratio: messages sent one by one, messages sent in batches, and
messages received (peek-lock) and completed. Each has as many calls under way at once as an
instance of the app might have; the client's own work, in one process, is in every figure.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from infra.local.errors import StackError
from infra.local.stack import Stack
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

MESSAGES: Final = 2000
BATCH: Final = 100
SENDERS: Final = 4
QUEUE: Final = "notices"
BODY: Final = b'{"specversion":"1.0","data":"' + b"x" * 480 + b'"}'
CONTENT_TYPE: Final = "application/cloudevents+json"
WAIT_SECONDS: Final = 10


def run(step: Step) -> list[Result]:
    """Send and receive on a broker of their own."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        Stack(Path(folder), processes=["servicebus"]) as stack,
    ):
        return asyncio.run(_measure(stack.info["connection_strings"]["service_bus"], step))


async def _measure(connection: str, step: Step) -> list[Result]:
    async with ServiceBusClient.from_connection_string(connection) as client:
        step("sending one by one", 0, 3)
        single = await _rate(lambda: _with_senders(client, "single", _send_single))
        step("sending in batches", 1, 3)
        batched = await _rate(lambda: _with_senders(client, "batched", _send_batched))
        step("receiving and completing", 2, 3)
        received = await _rate(lambda: _receive(client, 2 * MESSAGES)) * 2
    return [
        Result("broker-send", single, "messages/s"),
        Result("broker-send-batch", batched, "messages/s"),
        Result("broker-receive-complete", received, "messages/s"),
    ]


async def _rate(work: Callable[[], Awaitable[None]]) -> float:
    """Messages a second, of work on as many as `MESSAGES`."""
    started = time.perf_counter()
    await work()
    return MESSAGES / (time.perf_counter() - started)


async def _with_senders(
    client: ServiceBusClient,
    kind: str,
    send: Callable[[ServiceBusSender, list[ServiceBusMessage]], Awaitable[None]],
) -> None:
    async def some(number: int) -> None:
        messages = [_message(f"{kind}-{number}-{n}") for n in range(MESSAGES // SENDERS)]
        async with client.get_queue_sender(QUEUE) as sender:
            await send(sender, messages)

    await asyncio.gather(*(some(number) for number in range(SENDERS)))


async def _send_single(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    for message in messages:
        await sender.send_messages(message)


async def _send_batched(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    for start in range(0, len(messages), BATCH):
        await sender.send_messages(messages[start : start + BATCH])


async def _receive(client: ServiceBusClient, expected: int) -> None:
    async with client.get_queue_receiver(QUEUE) as receiver:
        while expected:
            found = await receiver.receive_messages(BATCH, WAIT_SECONDS)
            if not found:
                raise StackError(f"{expected} messages were sent and did not arrive.")
            await _complete(receiver, found)
            expected -= len(found)


async def _complete(receiver: ServiceBusReceiver, messages: list[ServiceBusMessage]) -> None:
    await asyncio.gather(*(receiver.complete_message(message) for message in messages))


def _message(identifier: str) -> ServiceBusMessage:
    # With an id each, as the app's messages have: the broker looks for duplicates.
    return ServiceBusMessage(BODY, message_id=identifier, content_type=CONTENT_TYPE)
