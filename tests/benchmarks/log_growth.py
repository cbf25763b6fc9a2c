"""The growth of an append to the access log: an entry at 0 and an entry in a long log.

A log is filled in `MemoryTables`. The figures concern the requests and the work of the app, and not
an emulator whose tables slow down with every row. Then the long log and new logs take calls of
1,000 entries in turn, and a busy machine weighs on either alike.

*Operations* and *bytes* are the counts of `Metered`.

*Processor time* is `time.process_time` around the call. The time includes hashing, the tree, the
encoding of the transactions, the event loop, and the bookkeeping of the tables and of the meter.
The time includes no HTTP client and no signature of a request. The garbage collector passes over
the objects of the filled tables (`gc.freeze`), since no instance of the app has these objects.

*Alone* is a call for each entry. The head with the right edge of the tree then counts for an entry
instead of a group. The edge has a partial tile of up to 8 KB for each power of 256. The figure
depends on the place in the tiles, and has no goal.

*Storage* is counted in the tables: keys and values (8 bytes for a number) without the names of
columns, less the entries. Beside the count is the size on Azure's bill, by "How do I calculate the
space that entities take" (Windows Azure Storage team blog). An entity counts 4 bytes and 2 bytes a
character of the keys. A column counts 8 bytes, 2 bytes a character of the name, the value, and 4
bytes more for a binary value.

A run of full size holds about 1 GB of memory.
"""

import asyncio
import gc
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, cast

from infra.local.errors import StackError
from shared.ports import Row, Tables
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.logs import TABLE, TENANT, entries, entry, new_store, payload
from tests.benchmarks.memory_tables import MemoryTables, size_of
from tests.benchmarks.metered import Metered
from tests.benchmarks.results import Result

ENTRIES: Final = BySize(20_000, 100_000, 1_000_000)
NEW_LOGS: Final = BySize(1, 3, 5)
OF_EACH: Final = 10_000
CALL: Final = 1_000
ALONE: Final = 1_024
# No step of an append may grow with the log: the bound that the project sets itself for the access
# log (docs/access-log.md), above 1 for the right edge of the tree and for noise.
GOALS: Final = {
    "log-growth-operations": "<= 1.1",
    "log-growth-bytes": "<= 1.1",
    "log-growth-cpu": "<= 1.1",
}


class Cost(NamedTuple):
    """The cost of appending so many entries; `cpu` is in seconds."""

    entries: int = 0
    operations: int = 0
    bytes: int = 0
    cpu: float = 0.0

    def plus(self, other: "Cost") -> "Cost":
        """Return the cost of both."""
        return Cost(
            self.entries + other.entries,
            self.operations + other.operations,
            self.bytes + other.bytes,
            self.cpu + other.cpu,
        )

    def each(self) -> tuple[float, float, float]:
        """Return operations, bytes and processor seconds an entry."""
        return self.operations / self.entries, self.bytes / self.entries, self.cpu / self.entries


class Log:
    """The log of a tenant, through the instance that has written every entry."""

    def __init__(self, tables: MemoryTables, tenant: str) -> None:
        self._meter = Metered(tables)
        self._store = new_store(cast("Tables", self._meter))
        self._tenant = tenant
        self.size = 0

    async def append(self, count: int) -> Cost:
        """Append `count` entries in a call."""
        made = entries(self.size, count)
        operations, sent, busy = self._meter.operations, self._meter.bytes, time.process_time()
        await self._store.append(self._tenant, made)
        taken = time.process_time() - busy
        self.size += count
        meter = self._meter
        return Cost(count, meter.operations - operations, meter.bytes - sent, taken)

    async def append_alone(self, count: int) -> Cost:
        """Append `count` entries, each in a separate call."""
        cost = Cost()
        for _ in range(count):
            cost = cost.plus(await self.append(1))
        return cost

    async def check(self) -> None:
        """Raise StackError unless the log has the appended entries."""
        if (await self._store.head(self._tenant)).size != self.size:
            raise StackError("The log has not the entries that were appended.")


def run(step: Step, size: Size) -> Iterable[Result]:
    """Fill a log; then append to the long log and to new logs in turn."""
    return asyncio.run(_measure(step, ENTRIES.at(size), NEW_LOGS.at(size)))


async def _measure(step: Step, count: int, new_logs: int) -> list[Result]:
    tables = MemoryTables()
    long = Log(tables, TENANT)
    while long.size < count:
        step("filling the log", long.size, count)
        await long.append(CALL)
    storage = _storage(list(tables.rows(TABLE)), count)
    late = early = Cost()
    with _frozen():
        for number in range(new_logs):
            step("appending in turn", number, new_logs)
            new = Log(tables, f"{TENANT}-{number}")
            for _ in range(0, OF_EACH, CALL):
                early = early.plus(await new.append(CALL))
                late = late.plus(await long.append(CALL))
        first_alone = await Log(tables, f"{TENANT}-alone").append_alone(ALONE)
        last_alone = await long.append_alone(ALONE)
    await long.check()
    return [*_growth(early, late), *_alone(first_alone, last_alone), *storage]


def _growth(early: Cost, late: Cost) -> Iterator[Result]:
    pairs = zip(("operations", "bytes", "cpu"), early.each(), late.each(), strict=True)
    for name, at_first, at_last in pairs:
        figure = f"log-growth-{name}"
        yield Result(figure, at_last / at_first, "x an entry of a new log", GOALS[figure])
    operations, sent, cpu = late.each()
    yield Result("log-append-operations", operations, "operations an entry, in groups")
    yield Result("log-append-bytes", sent, f"bytes sent and read, an entry of {len(payload(0))}")
    yield Result("log-append-cpu", cpu * 1e6, "µs of processor time an entry, in groups")


def _alone(early: Cost, late: Cost) -> Iterator[Result]:
    operations, sent, cpu = (
        at_last / at_first for at_first, at_last in zip(early.each(), late.each(), strict=True)
    )
    yield Result("log-growth-operations-alone", operations, "x an entry of a new log")
    yield Result("log-growth-bytes-alone", sent, "x an entry of a new log")
    yield Result("log-growth-cpu-alone", cpu, "x an entry of a new log")


def _storage(rows: list[Row], count: int) -> list[Result]:
    own = sum(len(entry(number).payload) for number in range(count))
    kept = sum(_key_size(row) + size_of(row.values) for row in rows)
    billed = sum(4 + 2 * _key_size(row) + sum(_billed(row)) for row in rows)
    return [
        Result("log-storage", (kept - own) / count, "bytes above an entry"),
        Result("log-storage-billed", (billed - own) / count, "bytes above an entry"),
    ]


def _key_size(row: Row) -> int:
    return len(row.partition) + len(row.row)


def _billed(row: Row) -> Iterator[int]:
    """Yield the billed bytes of each column."""
    for name, value in row.values.items():
        length = 4 if isinstance(value, (bytes, str)) else 0
        yield 8 + 2 * len(name) + length + size_of({name: value})


@contextmanager
def _frozen() -> Iterator[None]:
    """Hide the existing objects from the garbage collector."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


BENCHMARK: Final = Benchmark(
    "log-growth",
    "an append at 0 and in a long log: service operations, bytes, processor time; storage",
    run,
    BySize(2, 10, 45),
    GOALS,
)
