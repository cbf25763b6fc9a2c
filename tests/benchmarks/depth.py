"""The broker with 100,000 messages in one queue: does a message cost more the more there are?

The first 1,000 messages are sent, the queue is filled in batches, and the last 1,000 are sent; then
the first 1,000 are received and completed, the middle is removed, and so are the last 1,000. Each
figure is the last against the first, in processor time of the broker: a minute lies between the
two, in which the machine may have other work to do.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import psutil
from azure.servicebus import ServiceBusReceiveMode
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from infra.local.errors import StackError
from infra.local.stack import Stack
from tests.benchmarks.broker import BATCH, QUEUE, WAIT_SECONDS, message
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

MESSAGES: Final = 100_000
PARTS: Final = 10
MEASURED: Final = PARTS * BATCH
GOAL: Final = "<= 1.3"


def run(step: Step) -> list[Result]:
    """Fill and empty a queue of a broker that keeps its messages in its file."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        Stack(Path(folder), processes=["servicebus"]) as stack,
    ):
        broker = psutil.Process(stack.pid("servicebus"))
        return asyncio.run(_measure(stack.info["connection_strings"]["service_bus"], broker, step))


async def _measure(connection: str, broker: psutil.Process, step: Step) -> list[Result]:
    async with ServiceBusClient.from_connection_string(connection) as client:
        sender = client.get_queue_sender(QUEUE)
        removing = client.get_queue_receiver(
            QUEUE, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
        )
        receiver = client.get_queue_receiver(QUEUE)
        async with sender, removing, receiver:
            sent = 0

            async def fill() -> None:
                nonlocal sent
                await sender.send_messages([message(f"{sent + n}") for n in range(BATCH)])
                sent += BATCH

            async def send() -> None:
                nonlocal sent
                for _ in range(BATCH):
                    await sender.send_messages(message(f"{sent}"))
                    sent += 1

            async def complete() -> None:
                await _taken(receiver, BATCH, receiver.complete_message)

            # The first of all find the connection cold.
            for _ in range(PARTS):
                await send()
                await complete()
            first_sent = await _cost(broker, send)
            while sent < MESSAGES:
                step("filling the queue", sent, MESSAGES * 2)
                await fill()
            last_sent = await _cost(broker, send)
            first_received = await _cost(broker, complete)
            left = MESSAGES - MEASURED
            while left > MEASURED:
                step("emptying the queue", MESSAGES * 2 - left, MESSAGES * 2)
                left -= await _taken(removing, BATCH)
            last_received = await _cost(broker, complete)
    of = "of the first 1,000's time"
    return [
        Result("broker-depth-send", last_sent / first_sent, of, GOAL),
        Result("broker-depth-receive", last_received / first_received, of, GOAL),
    ]


async def _cost(broker: psutil.Process, work: Callable[[], Awaitable[None]]) -> float:
    """Processor seconds of the broker for as many parts as make the 1,000."""
    before = broker.cpu_times()
    for _ in range(PARTS):
        await work()
    after = broker.cpu_times()
    return (after.user + after.system) - (before.user + before.system)


async def _taken(
    receiver: ServiceBusReceiver,
    count: int,
    settle: Callable[..., Awaitable[None]] | None = None,
) -> int:
    """Receive and settle exactly this many."""
    left = count
    while left:
        found = await receiver.receive_messages(left, WAIT_SECONDS)
        if not found:
            raise StackError(f"{left} messages were sent and did not arrive.")
        for one in found:
            if settle is not None:
                await settle(one)
        left -= len(found)
    return count
