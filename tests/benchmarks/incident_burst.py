"""A burst of occurrences of one incident, and a storm of one kind: operations, time and memory.

The messages come as the trigger hands them over, in batches of 256, and go into `MemoryTables`: the
figures concern the requests and the work of the app, and not an emulator.

*Operations* counts every operation of a transaction, every read of a row and every page of a query,
for each message. A row for each message is one of them: the row refuses the message a second time.

*Again* delivers the whole burst a second time, as the queue does after a crash.

*Processor time* is `time.process_time` around the whole burst, in milliseconds for 1,000 messages.
*Memory* is the highest rise of the memory that Python allocated above the start, in MiB, less the
rows that the tables keep.
"""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Final

from infra.local.errors import StackError
from shared.incidents.records.intake import IncidentIntake
from shared.incidents.records.matters import MatterMessage
from shared.incidents.records.store import IncidentStore
from shared.messages.contracts import IncidentOpened
from shared.messages.outbox import Outbox
from shared.ports import Operation, OutgoingMessage, Page, Row
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.memory_tables import MemoryTables
from tests.benchmarks.results import Result
from tests.entrylogs import NoLog

MESSAGES: Final = BySize(1_000, 5_000, 20_000)
BATCH: Final = 256
GOALS: Final = {
    # One operation is the row of the message; the record, the matter and two reads are shared.
    "incident-burst-operations": "<= 1.1",
    "incident-burst-memory": "<= 4",
    # For each message a matter of its own: to read and to write.
    "incident-storm-operations": "<= 3.3",
}


class Counted(MemoryTables):
    """Tables in memory that count the operations."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.transactions = 0

    async def get(self, table: str, partition: str, row: str) -> Row | None:
        """Read a row, and count the read."""
        self.operations += 1
        return await super().get(table, partition, row)

    async def commit(self, table: str, operations: Sequence[Operation]) -> Sequence[str | None]:
        """Run a transaction, and count the operations."""
        self.operations += len(operations)
        self.transactions += 1
        return await super().commit(table, operations)

    async def page(self, *arguments: object, **named: object) -> Page:
        """Read a page, and count the page."""
        self.operations += 1
        return await super().page(*arguments, **named)  # type: ignore[arg-type]

    async def scan(self, *arguments: object, **named: object) -> AsyncIterator[Row]:
        """Read a partition, and count a page."""
        self.operations += 1
        async for row in super().scan(*arguments, **named):  # type: ignore[arg-type]
            yield row


class Unread:
    """A bus whose notices nobody reads."""

    async def send(self, messages: Sequence[OutgoingMessage]) -> None:
        """Take the messages."""


class Burst:
    """An app that takes messages of incidents into new tables."""

    def __init__(self) -> None:
        self.tables = Counted()
        now = datetime.now(UTC)
        store = IncidentStore(
            self.tables, Outbox(self.tables, Unread(), NoLog(), lambda: now), lambda: now
        )
        self._intake = IncidentIntake(store, _is_served, lambda: now)

    async def take(self, messages: Sequence[MatterMessage]) -> float:
        """Take messages, batch by batch. Returns the processor time in seconds."""
        start = time.process_time()
        for batch in batched(messages, BATCH, strict=False):
            await self._intake.take(batch)
        return time.process_time() - start

    def check(self, count: int, resources: int) -> None:
        """Raise StackError unless one record has counted every message once."""
        rows = [row for row in self.tables.rows("incidents") if row.row.startswith("incident|")]
        found = [(row.values["occurrences"], row.values["resourceCount"]) for row in rows]
        if found != [(count, resources)]:
            raise StackError(f"The records are not of one incident: {found}")


def run(step: Step, size: Size) -> Iterable[Result]:
    """Take a burst once and again, then a storm."""
    count = MESSAGES.at(size)
    step("messages", 0, 3 * count)
    burst, messages = Burst(), made(count, 1)
    seconds = asyncio.run(burst.take(messages))
    burst.check(count, 1)
    yield _result("incident-burst-operations", burst.tables.operations / count, "operations")
    yield _result("incident-burst-transactions", burst.tables.transactions, "transactions")
    yield _result("incident-burst-cpu", seconds / count * 1e6, "ms/1000")
    step("messages", count, 3 * count)
    before = burst.tables.operations
    asyncio.run(burst.take(messages))
    burst.check(count, 1)
    again = burst.tables.operations - before
    yield _result("incident-burst-again-operations", again / count, "operations")
    yield _result("incident-burst-memory", memory(messages), "MiB")
    step("messages", 2 * count, 3 * count)
    storm = Burst()
    seconds = asyncio.run(storm.take(made(count, count)))
    storm.check(count, count)
    yield _result("incident-storm-operations", storm.tables.operations / count, "operations")
    yield _result("incident-storm-cpu", seconds / count * 1e6, "ms/1000")
    step("messages", 3 * count, 3 * count)


def made(count: int, resources: int) -> Sequence[MatterMessage]:
    """Make messages of one kind about as many resources, a millisecond apart."""
    start = datetime.now(UTC) - timedelta(milliseconds=count)
    return [
        MatterMessage(
            f"message-{number:08}",
            start + timedelta(milliseconds=number),
            IncidentOpened(
                kind="burst",
                severity="critical",
                summary="A burst.",
                resource=f"things/{number % resources}",
            ),
        )
        for number in range(count)
    ]


def memory(messages: Sequence[MatterMessage]) -> float:
    """Return the highest rise of allocated memory during a burst, in MiB, less the kept rows."""
    burst = Burst()
    gc.collect()
    tracemalloc.start()
    try:
        asyncio.run(burst.take(messages))
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return (peak - kept) / 1024**2


async def _is_served(_tenant: str) -> bool:
    return True


def _result(name: str, value: float, unit: str) -> Result:
    return Result(name, value, unit, GOALS.get(name))


BENCHMARK: Final = Benchmark(
    name="incident-burst",
    measures="a burst of one incident and a storm of one kind: operations, time and memory",
    run=run,
    seconds=BySize(1, 5, 20),
    goals=GOALS,
)
