"""The broker: messages a second through the unmodified `azure-servicebus`.

Four senders send single messages and batches. One receiver receives (peek-lock) and completes. All
clients are open before the clock starts. The clients' own work, in one process, is in every figure.
Beside each rate is the rate of a peer that keeps nothing (`peer.py`). The two take turns.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from infra.local import probes
from infra.local.errors import StackError
from infra.local.ports import Ports
from infra.local.processes import Guard, Program
from infra.local.settings import ROOT, base_environment, connection_strings
from infra.local.stack import Stack
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.results import Result

MESSAGES: Final = BySize(200, 1000, 2000)
ROUNDS: Final = BySize(1, 3, 3)
BATCH: Final = 100
SENDERS: Final = 4
QUEUE: Final = "notices"
BODY: Final = b'{"specversion":"1.0","data":"' + b"x" * 480 + b'"}'
CONTENT_TYPE: Final = "application/cloudevents+json"
WAIT_SECONDS: Final = 10


@dataclass
class Bench:
    """The open clients of a broker, and the rates by kind of work on `messages` messages."""

    senders: list[ServiceBusSender]
    receiver: ServiceBusReceiver
    messages: int
    rates: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    async def round(self, name: str) -> None:
        """Send single messages, send batches, and receive and complete the first half."""
        work = {
            "send": _send(self.senders, f"{name}-single", self.messages, _send_single),
            "send-batch": _send(self.senders, f"{name}-batched", self.messages, _send_batched),
            "receive-complete": _receive(self.receiver, self.messages),
        }
        for kind, doing in work.items():
            started = time.perf_counter()
            await doing
            self.rates[kind].append(self.messages / (time.perf_counter() - started))
        # The second half.
        await _receive(self.receiver, self.messages)


def run(step: Step, size: Size) -> Iterable[Result]:
    """Send and receive on a new broker and on a peer without a queue, in turns."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        Stack(Path(folder), processes=["servicebus"]) as stack,
        _peer(Path(folder)) as peer,
    ):
        real = stack.info["connection_strings"]["service_bus"]
        return asyncio.run(_measure(real, connection_strings(peer)["service_bus"], step, size))


@contextmanager
def _peer(folder: Path) -> Iterator[Ports]:
    """Run the peer; yields the ports."""
    ports = Ports.free()
    program = Program(
        name="peer",
        command=[sys.executable, "-m", "tests.benchmarks.peer", str(ports.service_bus), QUEUE],
        environment=base_environment(os.environ),
        directory=ROOT,
        log=folder / "peer.log",
        is_ready=probes.listening(ports.service_bus),
    )
    with Guard() as guard:
        program.start(guard)
        try:
            program.wait_ready()
            yield ports
        finally:
            program.end(guard)


async def _measure(real: str, peer: str, step: Step, size: Size) -> list[Result]:
    async with AsyncExitStack() as opened:
        messages, rounds = MESSAGES.at(size), ROUNDS.at(size) + 1
        broker, nothing = [await _opened(each, opened, messages) for each in (real, peer)]
        # The first round finds connections cold and does not count.
        for number in range(rounds):
            step("sending and receiving in turns", number, rounds)
            for bench in (broker, nothing):
                await bench.round(str(number))
    results = []
    for kind, rates in broker.rates.items():
        rate, most = (statistics.median(each[1:]) for each in (rates, nothing.rates[kind]))
        results += [
            Result(f"broker-{kind}", rate, "messages/s"),
            Result(f"broker-{kind}-peer", rate / most, "of a broker's rate that keeps nothing"),
        ]
    return results


async def _opened(connection: str, opened: AsyncExitStack, messages: int) -> Bench:
    client = await opened.enter_async_context(ServiceBusClient.from_connection_string(connection))
    senders = [
        await opened.enter_async_context(client.get_queue_sender(QUEUE)) for _ in range(SENDERS)
    ]
    receiver = await opened.enter_async_context(client.get_queue_receiver(QUEUE))
    return Bench(senders, receiver, messages)


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
        # In turn, as a receiver takes one call at a time.
        for one in found:
            await receiver.complete_message(one)
        expected -= len(found)


def message(identifier: str) -> ServiceBusMessage:
    """Return a message as large as the app's.

    The broker looks for duplicates of the identifier, as it does for the app's messages.
    """
    return ServiceBusMessage(BODY, message_id=identifier, content_type=CONTENT_TYPE)


BENCHMARK: Final = Benchmark(
    "broker",
    "messages a second through the SDK, against a broker that keeps nothing",
    run,
    BySize(12, 20, 30),
)
