"""The access log on Azurite: many appenders at once, and a log that grows to a million entries.

*Appending*: 32 callers, each waiting for its entry to be durable before it comes with the next, to
one tenant's log. Held against 32 callers that insert the same bytes as single entities, and against
32 that insert them in transactions of 100, both with the bare client. All three take turns.

*Growth*: a log from nothing to a million entries. The goal is for the wall time of the last 10,000
against that of the first. As a machine may be faster at one time than at another, it is also for
the last 50,000 against the first 10,000 of each of five new logs, in turn. Beside them are the
processor time here, and what transactions of the same shape into the same partition take without a
log. Azurite is warm when the first is timed, as another log has come to 20,000 entries.

*Export*: at a tenth of it and at all of it the log is exported, each time by an instance of its
own; see `log_export`.

*Storage* is counted from the rows that were committed: all bytes of keys and of values (8 for a
number), without the names of columns, less those of the entries. Beside it what Azure bills, by the
formula in "How do I calculate the space that entities take" (Windows Azure Storage team blog): 4,
two a character of the keys, and for each column 8, two a character of its name, and the value,
binary ones with 4 more.
"""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from azure.data.tables.aio import TableClient, TableServiceClient

from infra.local.errors import StackError
from infra.local.stack import Stack
from shared.accesslog import LogStore, NewEntry
from shared.accesslog.storage.layout import GROUP_ENTRIES
from shared.accesslog.storage.nodes import SHAPE
from shared.azure.tables import AzureTables
from shared.merkle import Edge, inclusion_tiles, leaf_hash
from shared.ports import Delete, Insert, Merge, Operation, Replace, Row, Tables, Upsert, Value
from tests.benchmarks.log_export import exported, results
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

TABLE: Final = "accesslog"
CALLERS: Final = 32
TURNS: Final = 6
OF_EACH: Final = 10
TRANSACTION: Final = 100
SIZE: Final = 1_000_000
FEW: Final = 100_000
ENDS: Final = 10_000
NEW_LOGS: Final = 5
WARM: Final = 20_000
PART: Final = 1_000
PROOFS: Final = 2_000
# As long as a tenant's id usually is.
TENANT: Final = "acme-media"


def run(step: Step) -> list[Result]:
    """Many appenders at once, and what a proof reads."""
    return _on_azurite(_appending, step) + _proofs(step)


def grow(step: Step) -> list[Result]:
    """A log that grows to a million entries."""
    return _on_azurite(_growth, step)


def _on_azurite(measured: "Measured", step: Step) -> list[Result]:
    """Measure on an Azurite of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        # The identity and the vault are for the instances that export.
        Stack(Path(folder), in_memory=True, processes=["azurite", "identity", "keyvault"]) as stack,
    ):
        return asyncio.run(_measure(stack, measured, step))


type Measured = Callable[["Counted", TableClient, Stack, Step], Awaitable[list[Result]]]


async def _measure(stack: Stack, measured: Measured, step: Step) -> list[Result]:
    connection = stack.info["connection_strings"]["storage"]
    tables = AzureTables(connection)
    try:
        async with TableServiceClient.from_connection_string(connection) as service:
            client = await service.create_table_if_not_exists(TABLE)
            return await measured(Counted(tables), client, stack, step)
    finally:
        await tables.close()


async def _appending(tables: "Counted", client: TableClient, _: Stack, step: Step) -> list[Result]:
    store = LogStore(tables)
    latencies: list[float] = []

    async def append(caller: int, turn: int) -> None:
        for number in range(OF_EACH):
            started = time.perf_counter()
            await store.append(TENANT, [_entry(f"{turn}-{caller}-{number}")])
            latencies.append(time.perf_counter() - started)

    async def insert(caller: int, turn: int) -> None:
        for number in range(OF_EACH):
            entity = _entity("single", f"{turn}-{caller}-{number}")
            await client.create_entity(entity)

    async def transact(caller: int, turn: int) -> None:
        keys = (f"{turn}-{caller}-{number}" for number in range(TRANSACTION))
        await client.submit_transaction([("create", _entity("many", key)) for key in keys])

    works = {append: OF_EACH, insert: OF_EACH, transact: TRANSACTION}
    seconds = dict.fromkeys(works, 0.0)
    for turn in range(-1, TURNS):
        step("32 at once", turn + 1, TURNS + 1)
        for work in works:
            started = time.perf_counter()
            await asyncio.gather(*(work(caller, turn) for caller in range(CALLERS)))
            # The first turn opens the connections.
            seconds[work] += (time.perf_counter() - started) if turn >= 0 else 0
    rates = {work: TURNS * CALLERS * of / seconds[work] for work, of in works.items()}
    latencies = sorted(latencies[CALLERS * OF_EACH :])
    p99 = latencies[len(latencies) * 99 // 100] * 1000
    return [
        Result("log-append-32", rates[append], "entries/s"),
        Result("log-append-32-p99", p99, "ms"),
        Result("log-append-32-of-single", rates[append] / rates[insert], "x single", ">= 3"),
        Result("log-append-32-of-100", rates[append] / rates[transact], "x transactions", ">= 0.6"),
    ]


class Took(NamedTuple):
    """The seconds that something took, and of the processor in this process."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: object) -> "Took":
        assert isinstance(other, Took)
        return Took(self.wall + other.wall, self.cpu + other.cpu)


@dataclass
class Ends:
    """What the first or the last entries took, and the first entries of another log in turn.

    `bare` are the seconds of as many rows in transactions of the same shape.
    """

    log: Took
    new: Took
    bare: float


async def _growth(tables: "Counted", _: TableClient, stack: Stack, step: Step) -> list[Result]:
    store = LogStore(tables)
    edge = Edge.empty()
    others = LogStore(tables.tables)
    for start in range(0, WARM, PART):
        step("warming up", start, WARM)
        await others.append("warm", _entries(start, PART))
    (etag,) = await tables.tables.commit(TABLE, [Upsert(Row(TENANT, "head|bare", {}))])

    async def appended(to: LogStore, tenant: str, entries: Sequence[NewEntry]) -> Took:
        before = time.process_time()
        started = time.perf_counter()
        await to.append(tenant, entries)
        return Took(time.perf_counter() - started, time.process_time() - before)

    async def grow(size: int) -> Took:
        nonlocal edge
        entries = _entries(edge.size, size)
        took = await appended(store, TENANT, entries)
        edge, _ = edge.append([leaf_hash(entry.payload) for entry in entries])
        tables.entries += sum(len(entry.payload) for entry in entries)
        step("growing to a million", edge.size, SIZE)
        return took

    async def end(new: str) -> Ends:
        nonlocal etag
        ends = Ends(Took(), Took(), 0)
        for start in range(0, ENDS, PART):
            first = edge.size
            ends.new += await appended(others, new, _entries(start, PART))
            ends.log += await grow(PART)
            started = time.perf_counter()
            for row in range(first, first + PART, GROUP_ENTRIES):
                rows = range(row, min(row + GROUP_ENTRIES, first + PART))
                etag = await _transact(tables.tables, rows, etag)
            ends.bare += time.perf_counter() - started
        return ends

    first = await end("new-first")
    while edge.size < FEW:
        await grow(min(PART, FEW - edge.size))
    few = await asyncio.to_thread(exported, stack, TENANT, FEW)
    # Each export is an entry.
    edge = await store.head(TENANT)
    while edge.size < SIZE - NEW_LOGS * ENDS:
        await grow(min(PART, SIZE - NEW_LOGS * ENDS - edge.size))
    late = [await end(f"new-{number}") for number in range(NEW_LOGS)]
    last = late[-1]
    logs, news = (
        sum(took, Took()) for took in zip(*((one.log, one.new) for one in late), strict=True)
    )
    if await store.head(TENANT) != edge:
        raise StackError("The log is not what was appended to it.")
    many = await asyncio.to_thread(exported, stack, TENANT, SIZE)
    return [
        Result("log-growth", last.log.wall / first.log.wall, "x first 10,000", "<= 1.2"),
        Result("log-growth-cpu", last.log.cpu / first.log.cpu, "x first 10,000"),
        Result("log-growth-bare", last.bare / first.bare, "x first 10,000"),
        Result("log-growth-in-turn", logs.wall / news.wall, "x first of new logs", "<= 1.2"),
        Result("log-growth-in-turn-cpu", logs.cpu / news.cpu, "x first of new logs"),
        Result("log-append-to-bare-first", first.log.wall / first.bare, "x transactions alike"),
        Result("log-append-to-bare-last", last.log.wall / last.bare, "x transactions alike"),
        Result("log-storage", tables.over(SIZE), "bytes above an entry", "<= 40"),
        Result("log-storage-billed", tables.billed_over(SIZE), "bytes above an entry"),
        *results(few, many),
    ]


async def _transact(tables: Tables, rows: range, etag: str | None) -> str | None:
    """What a commit of the log usually sends, without a log: a head and a segment.

    In the log's own partition and among its rows, as Azurite's cost depends on that.
    """
    head: dict[str, Value] = {"edge0": bytes(4096), "recent": bytes(8 * SHAPE.recent)}
    operations: list[Operation] = [
        Replace(Row(TENANT, "head|bare", head, etag)),
        Insert(Row(TENANT, f"s|bare|{rows.start:012x}", {"e0": b"".join(map(_payload, rows))})),
    ]
    return (await tables.commit(TABLE, operations))[0]


def _proofs(step: Step) -> list[Result]:
    """The most rows and bundles that an inclusion proof reads above ceil(log256 n).

    The partial tiles of the right edge are all in the head, which is one row.
    """
    step("proofs", 0, 1)
    chosen = random.Random(1)
    above = 0
    for _ in range(PROOFS):
        size = chosen.randrange(1, 2 ** chosen.randrange(1, 40))
        tiles = inclusion_tiles(chosen.randrange(size), size)
        full = [tile for tile in tiles if tile.index != size >> 8 * (tile.level + 1)]
        # In whole numbers, as a logarithm is not exact: the least k with 256 ** k >= size.
        levels = -(-(size - 1).bit_length() // 8)
        above = max(above, len(full) + 1 - levels)
    return [Result("log-proof-tiles", above, "reads above log256 n", "<= 1")]


def _payload(identifier: object) -> bytes:
    """An entry of the usual length, about 400 bytes."""
    entry = {
        "action": "asset.read",
        "actor": {"id": "0b1c2d3e-5f60-4a7b-8c9d-0e1f2a3b4c5d", "role": "vendor.support"},
        "grantId": "01JDCH3V5Q4X9T6W8Z2Y7R0KSM",
        "id": str(identifier),
        "outcome": "allowed",
        "purpose": "repair of a broken rendition",
        "resource": "assets/01JDCH3V5Q4X9T6W8Z2Y7R0KSM",
        "source": "benchmark",
        "tenant": TENANT,
        "ticket": "SUP-20261124-000017",
        "time": "2026-11-24T06:00:00.000Z",
    }
    return json.dumps(entry, separators=(",", ":")).encode()


def _entry(identifier: object) -> NewEntry:
    return NewEntry("benchmark", str(identifier), _payload(identifier))


def _entries(first: int, count: int) -> list[NewEntry]:
    return [_entry(number) for number in range(first, first + count)]


def _entity(partition: str, key: str) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": key, "e": _payload(key)}


@dataclass
class Counted:
    """Tables that count the bytes of the rows that were committed."""

    tables: Tables
    entries: int = 0
    # The sizes of the values of each row, by column.
    _rows: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tables, name)

    async def commit(self, table: str, operations: Sequence[Operation]) -> Sequence[str | None]:
        """As the tables do."""
        etags = await self.tables.commit(table, operations)
        for operation in operations:
            match operation:
                case Insert(row) | Replace(row) | Upsert(row):
                    self._rows[row.partition, row.row] = _sizes(row)
                case Merge(row):
                    self._rows.setdefault((row.partition, row.row), {}).update(_sizes(row))
                case Delete(partition, name):
                    del self._rows[partition, name]
        return etags

    def over(self, entries: int) -> float:
        """Bytes of keys and values an entry, less its own."""
        kept = sum(sum(map(len, names)) + sum(row.values()) for names, row in self._rows.items())
        return (kept - self.entries) / entries

    def billed_over(self, entries: int) -> float:
        """What Azure bills an entry, less its own bytes."""
        billed = sum(
            4
            + 2 * sum(map(len, names))
            # A binary value has its length beside it; one of 8 bytes is taken for a number.
            + sum(8 + 2 * len(name) + size + (size != 8) * 4 for name, size in row.items())
            for names, row in self._rows.items()
        )
        return (billed - self.entries) / entries


def _sizes(row: Row) -> dict[str, int]:
    return {
        name: len(value) if isinstance(value, bytes) else 8 for name, value in row.values.items()
    }
