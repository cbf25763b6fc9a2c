"""The local stack: seconds from its start until every service and the app answer."""

import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from infra.local.stack import Stack
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.results import Result

RUNS: Final = BySize(1, 3, 3)


def run(step: Step, size: Size) -> Iterable[Result]:
    """Start a stack on free ports several times; each stack makes new certificates."""
    taken = []
    runs = RUNS.at(size)
    for number in range(runs):
        step("starting the stack", number, runs)
        with tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder:
            stack = Stack(Path(folder), in_memory=True)
            started = time.perf_counter()
            with stack:
                taken.append(time.perf_counter() - started)
    return [Result("stack-start", statistics.median(taken), "s")]


BENCHMARK: Final = Benchmark(
    "stack-start", "the start of the local stack until the app answers", run, BySize(4, 18, 18)
)
