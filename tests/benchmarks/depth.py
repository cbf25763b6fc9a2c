"""The broker with a long queue: the cost of a message at its end, against an empty queue.

1,000 messages are sent, batches fill the queue, and the last 1,000 messages are sent. Then the
first 1,000 are received and completed, the middle is removed, and the last 1,000 are received and
completed. Each figure is the last 1,000 against the first 1,000, in processor time of the broker.
Wall time would not do: the machine may be busier a minute later.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

import psutil
from azure.servicebus import ServiceBusReceiveMode
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

from infra.local.errors import StackError
from infra.local.stack import Stack
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.broker import BATCH, QUEUE, WAIT_SECONDS, message
from tests.benchmarks.results import Result

MESSAGES: Final = BySize(5_000, 30_000, 100_000)
PARTS: Final = 10
MEASURED: Final = PARTS * BATCH
# Service Bus takes no longer with a long queue. Above 1 for the file that grows meanwhile: the
# project's own bound.
GOALS: Final = {"broker-depth-send": "<= 1.3", "broker-depth-receive": "<= 1.3"}


def run(step: Step, size: Size) -> Iterable[Result]:
    """Fill and empty a queue of a broker with a file."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        Stack(Path(folder), processes=["servicebus"]) as stack,
    ):
        broker = psutil.Process(stack.pid("servicebus"))
        connection = stack.info["connection_strings"]["service_bus"]
        return asyncio.run(_measure(connection, broker, step, MESSAGES.at(size)))


async def _measure(
    connection: str, broker: psutil.Process, step: Step, messages: int
) -> list[Result]:
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

            # The first messages find the connection cold.
            for _ in range(PARTS):
                await send()
                await complete()
            first_sent = await _cost(broker, send)
            while sent < messages:
                step("filling the queue", sent, messages * 2)
                await fill()
            last_sent = await _cost(broker, send)
            first_received = await _cost(broker, complete)
            left = messages - MEASURED
            while left > MEASURED:
                step("emptying the queue", messages * 2 - left, messages * 2)
                left -= await _taken(removing, BATCH)
            last_received = await _cost(broker, complete)
    of = "of the first 1,000's time"
    ratios = {
        "broker-depth-send": last_sent / first_sent,
        "broker-depth-receive": last_received / first_received,
    }
    return [Result(name, ratio, of, GOALS[name]) for name, ratio in ratios.items()]


async def _cost(broker: psutil.Process, work: Callable[[], Awaitable[None]]) -> float:
    """Return the broker's processor seconds for `PARTS` parts, which are 1,000 messages."""
    before = broker.cpu_times()
    for _ in range(PARTS):
        await work()
    after = broker.cpu_times()
    return float((after.user + after.system) - (before.user + before.system))


async def _taken(
    receiver: ServiceBusReceiver,
    count: int,
    settle: Callable[..., Awaitable[None]] | None = None,
) -> int:
    """Receive and settle exactly `count` messages; returns `count`."""
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


BENCHMARK: Final = Benchmark(
    "broker-depth",
    "the broker's work for a message in a long queue, against an empty queue",
    run,
    BySize(6, 12, 30),
    GOALS,
)
