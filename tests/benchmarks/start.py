"""The local stack: seconds from nothing running until every service and the app answer."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from infra.local.stack import Stack
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

RUNS: Final = 3


def run(step: Step) -> list[Result]:
    """Start a stack on free ports, several times; each makes its certificates anew."""
    taken = []
    for number in range(RUNS):
        step("starting the stack", number, RUNS)
        with tempfile.TemporaryDirectory(prefix="vouchsafe-bench-") as folder:
            stack = Stack(Path(folder), in_memory=True)
            started = time.perf_counter()
            with stack:
                taken.append(time.perf_counter() - started)
    return [Result("stack-start", statistics.median(taken), "s")]
