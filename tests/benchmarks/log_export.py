"""The verifiable export of a log: the memory of an instance of the app, and the rate.

A new instance with the stack's settings (`export_instance`) exports a log of at most one entry. The
instance has every library loaded then, and its memory is *idle*. Next the instance exports the
measured log. A short log and a long log are exported, each by a new instance.

The logs are filled in memory and copied to Azurite row by row, as the filling is not measured.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from shared.azure.tables import AzureTables
from shared.ports import Row, Upsert
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.logs import TABLE, entries, new_store
from tests.benchmarks.memory_tables import MAX_OPERATIONS, MemoryTables, size_of
from tests.benchmarks.results import Result
from tests.benchmarks.watch import Watch

FEW: Final = BySize(2_000, 20_000, 100_000)
MANY: Final = BySize(20_000, 100_000, 1_000_000)
CALL: Final = 1_000
# A transaction is at most 4 MiB, with values in base64.
COPIED_BYTES: Final = 2 * 1024 * 1024
COPIES_AT_ONCE: Final = 4
# The time limit of a request over HTTP: "Azure Functions HTTP trigger", learn.microsoft.com.
REQUEST_SECONDS: Final = 230
# An export streams: its memory does not depend on the length of the log (docs/access-log.md).
GOALS: Final = {"log-export-memory": "<= 1.1"}


@dataclass(frozen=True)
class Exported:
    """An export of so many entries. `held` and `idle` are in MiB."""

    entries: int
    seconds: float
    held: float
    idle: float


def run(step: Step, size: Size) -> Iterable[Result]:
    """Fill two logs, and export each by an instance of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder,
        # The instances need the identity and the vault.
        Stack(Path(folder), in_memory=True, processes=["azurite", "identity", "keyvault"]) as stack,
    ):
        done = []
        for tenant, count in (("few", FEW.at(size)), ("many", MANY.at(size))):
            asyncio.run(_fill(stack, tenant, count, step))
            step(f"exporting {count:,} entries", 0, 1)
            done.append(_export(stack, tenant, count))
    return _results(*done)


async def _fill(stack: Stack, tenant: str, count: int, step: Step) -> None:
    made = MemoryTables()
    store = new_store(made)
    for first in range(0, count, CALL):
        step(f"making {count:,} entries", first, count)
        await store.append(tenant, entries(first, min(CALL, count - first)))
    rows = list(made.rows(TABLE))
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    limit = asyncio.Semaphore(COPIES_AT_ONCE)
    copied = 0

    async def copy(group: list[Row]) -> None:
        nonlocal copied
        async with limit:
            await tables.commit(TABLE, [Upsert(row) for row in group])
        copied += len(group)
        step(f"copying {count:,} entries", copied, len(rows))

    try:
        groups = _grouped(rows)
        # The first commit makes the table.
        await copy(next(groups))
        await asyncio.gather(*map(copy, groups))
    finally:
        await tables.close()


def _grouped(rows: list[Row]) -> Iterator[list[Row]]:
    """Yield the rows in groups, each for a transaction."""
    group: list[Row] = []
    held = 0
    for row in rows:
        size = size_of(row.values)
        if group and (len(group) == MAX_OPERATIONS or held + size > COPIED_BYTES):
            yield group
            group, held = [], 0
        group.append(row)
        held += size
    yield group


def _export(stack: Stack, tenant: str, count: int) -> Exported:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.export_instance", tenant],
        cwd=ROOT,
        env=stack.settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as instance:
        try:
            _answer(instance)
            with Watch(instance.pid) as watch:
                seconds = float(_answer(instance))
        except BaseException:
            instance.kill()
            raise
    return Exported(count, seconds, watch.peak, watch.idle)


def _answer(instance: "subprocess.Popen[str]") -> str:
    """Tell an instance to go on, and wait for its line."""
    assert instance.stdin is not None
    assert instance.stdout is not None
    instance.stdin.write("\n")
    instance.stdin.flush()
    if not (answer := instance.stdout.readline()):
        raise StackError("An instance that exports a log has failed.")
    return answer


def _results(few: Exported, many: Exported) -> list[Result]:
    rate = many.entries / many.seconds
    memory, goal = "log-export-memory", GOALS["log-export-memory"]
    return [
        Result(memory, many.held / few.held, f"x {few.entries:,} entries", goal),
        Result("log-export-above-idle", many.held - many.idle, "MiB"),
        Result("log-export-above-idle-few", few.held - few.idle, "MiB"),
        Result("log-export-rate", rate / 1000, "thousand entries/s"),
        Result("log-export-in-a-request", rate * REQUEST_SECONDS / 1e6, "million entries"),
    ]


BENCHMARK: Final = Benchmark(
    "log-export",
    "the export of a short log and a long log: memory of the instance, rate",
    run,
    BySize(8, 40, 400),
    GOALS,
)
