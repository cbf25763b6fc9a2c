"""Appends to one tenant's access log on Azurite by many callers at once.

32 callers append an entry each and wait until the entry is durable. Beside the appends are bare
inserts of the same bytes by 32 callers, as single entities and as transactions of 100. The three
take turns.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from azure.data.tables.aio import TableClient, TableServiceClient

from infra.local.stack import Stack
from shared.azure.tables import AzureTables
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.logs import TABLE, TENANT, entry, new_store, payload
from tests.benchmarks.resent import create_row, create_rows
from tests.benchmarks.results import Result

CALLERS: Final = 32
TURNS: Final = BySize(1, 6, 6)
OF_EACH: Final = 10
TRANSACTION: Final = 100
# Group commit must pay: several times the rate of single inserts, and most of the rate that the
# service's largest transaction allows ("Performing entity group transactions": 100 operations).
GOALS: Final = {"log-append-32-of-single": ">= 3", "log-append-32-of-100": ">= 0.6"}


def run(step: Step, size: Size) -> Iterable[Result]:
    """Append and insert on an Azurite of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        Stack(Path(folder), in_memory=True, processes=["azurite"]) as stack,
    ):
        connection = stack.info["connection_strings"]["storage"]
        return asyncio.run(_measure(connection, step, TURNS.at(size)))


async def _measure(connection: str, step: Step, turns: int) -> list[Result]:
    tables = AzureTables(connection)
    try:
        async with TableServiceClient.from_connection_string(connection) as service:
            client = await service.create_table_if_not_exists(TABLE)
            return await _take_turns(tables, client, step, turns)
    finally:
        await tables.close()


async def _take_turns(
    tables: AzureTables, client: TableClient, step: Step, turns: int
) -> list[Result]:
    store = new_store(tables)
    latencies: list[float] = []

    async def append(caller: int, turn: int) -> None:
        for number in range(OF_EACH):
            started = time.perf_counter()
            await store.append(TENANT, [entry(f"{turn}-{caller}-{number}")])
            latencies.append(time.perf_counter() - started)

    async def insert(caller: int, turn: int) -> None:
        for number in range(OF_EACH):
            await create_row(client, _entity("single", f"{turn}-{caller}-{number}"))

    async def transact(caller: int, turn: int) -> None:
        keys = (f"{turn}-{caller}-{number}" for number in range(TRANSACTION))
        await create_rows(client, [_entity("many", key) for key in keys])

    works = {append: OF_EACH, insert: OF_EACH, transact: TRANSACTION}
    seconds = dict.fromkeys(works, 0.0)
    for turn in range(-1, turns):
        step("32 at once", turn + 1, turns + 1)
        for work in works:
            started = time.perf_counter()
            await asyncio.gather(*(work(caller, turn) for caller in range(CALLERS)))
            # The first turn opens the connections and does not count.
            seconds[work] += (time.perf_counter() - started) if turn >= 0 else 0
    rates = {work: turns * CALLERS * of / seconds[work] for work, of in works.items()}
    counted = sorted(latencies[CALLERS * OF_EACH :])
    of_single, of_100 = "log-append-32-of-single", "log-append-32-of-100"
    return [
        Result("log-append-32", rates[append], "entries/s"),
        Result("log-append-32-p99", counted[len(counted) * 99 // 100] * 1000, "ms"),
        Result(of_single, rates[append] / rates[insert], "x single", GOALS[of_single]),
        Result(of_100, rates[append] / rates[transact], "x transactions", GOALS[of_100]),
    ]


def _entity(partition: str, key: str) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": key, "e": payload(key)}


BENCHMARK: Final = Benchmark(
    "log-append",
    "appends to one log by 32 callers at once, against bare inserts",
    run,
    BySize(6, 10, 10),
    GOALS,
)
