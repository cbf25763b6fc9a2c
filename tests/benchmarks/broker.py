"""The broker: messages a second through the unmodified `azure-servicebus`.

Three figures, none of them a ratio: messages sent one by one and in batches, by four senders at
once, and messages received (peek-lock) and completed by one receiver. All are open before the
clock starts. The client's own work, in one process, is in every figure.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
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
    async with (
        ServiceBusClient.from_connection_string(connection) as client,
        AsyncExitStack() as opened,
    ):
        senders = [
            await opened.enter_async_context(client.get_queue_sender(QUEUE)) for _ in range(SENDERS)
        ]
        receiver = await opened.enter_async_context(client.get_queue_receiver(QUEUE))
        await _send(senders, "first", SENDERS, _send_single)
        await _receive(receiver, SENDERS)
        step("sending one by one", 0, 3)
        single = await _rate(_send(senders, "single", MESSAGES, _send_single))
        step("sending in batches", 1, 3)
        batched = await _rate(_send(senders, "batched", MESSAGES, _send_batched))
        step("receiving and completing", 2, 3)
        await _receive(receiver, MESSAGES)
        received = await _rate(_receive(receiver, MESSAGES))
    return [
        Result("broker-send", single, "messages/s"),
        Result("broker-send-batch", batched, "messages/s"),
        Result("broker-receive-complete", received, "messages/s"),
    ]


async def _rate(work: Awaitable[None]) -> float:
    """Messages a second, of work on as many as `MESSAGES`."""
    started = time.perf_counter()
    await work
    return MESSAGES / (time.perf_counter() - started)


async def _send(
    senders: list[ServiceBusSender],
    kind: str,
    count: int,
    send: Callable[[ServiceBusSender, list[ServiceBusMessage]], Awaitable[None]],
) -> None:
    async def some(number: int, sender: ServiceBusSender) -> None:
        await send(sender, [message(f"{kind}-{number}-{n}") for n in range(count // SENDERS)])

    await asyncio.gather(*(some(*numbered) for numbered in enumerate(senders)))


async def _send_single(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    for message in messages:
        await sender.send_messages(message)


async def _send_batched(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    for start in range(0, len(messages), BATCH):
        await sender.send_messages(messages[start : start + BATCH])


async def _receive(receiver: ServiceBusReceiver, expected: int) -> None:
    while expected:
        found = await receiver.receive_messages(min(BATCH, expected), WAIT_SECONDS)
        if not found:
            raise StackError(f"{expected} messages were sent and did not arrive.")
        # One after another, as a receiver takes only one call at a time anyway.
        for one in found:
            await receiver.complete_message(one)
        expected -= len(found)


def message(identifier: str) -> ServiceBusMessage:
    """A message as large as the app's, with an id of its own."""
    # With an id each, as the app's messages have: the broker looks for duplicates.
    return ServiceBusMessage(BODY, message_id=identifier, content_type=CONTENT_TYPE)
