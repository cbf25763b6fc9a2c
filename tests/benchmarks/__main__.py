"""`python -m tests.benchmarks [name ...]`: run all benchmarks, or those named.

Prints a table and writes build/bench.json. Ends with status 1 when a goal is missed, and leaves
no process behind, however it ends.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra.local.errors import StackError
from infra.local.settings import ROOT
from tests.benchmarks import (
    accesslog,
    broker,
    cold_start,
    depth,
    film,
    invocations,
    memory,
    metadata,
    start,
    uploads,
    verify_log,
)
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result, table, write

FILE: Final = ROOT / "build/bench.json"
BENCHMARKS: Final[Mapping[str, Callable[[Step], list[Result]]]] = {
    "cold-start": cold_start.run,
    "stack-start": start.run,
    "http": invocations.run,
    "broker": broker.run,
    "broker-depth": depth.run,
    "uploads": uploads.run,
    "film": film.run,
    "memory": memory.run,
    "metadata": metadata.run,
    "access-log": accesslog.run,
    "access-log-growth": accesslog.grow,
    "verify-log": verify_log.run,
}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"one of: {', '.join(BENCHMARKS)}; all if none"
    )
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    # As with Ctrl-C, whatever was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Terminated."))
    console = Console()
    try:
        results = _run(names, console)
    except StackError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    write(results, FILE)
    console.print(table(results))
    console.print(f"Written to {FILE.relative_to(ROOT)}.")
    if missed := [result for result in results if result.holds is False]:
        sys.exit(
            "\n".join(
                f"{result.name} misses its goal: {result.value:.3g} {result.unit},"
                f" not {result.goal}"
                for result in missed
            )
        )


def _run(names: list[str], console: Console) -> list[Result]:
    results = []
    columns = (TextColumn("{task.fields[name]}: {task.description}"), BarColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        for name in names:
            task = progress.add_task("starting", name=name, total=None)

            def step(what: str, done: int, of: int, task: int = task) -> None:
                progress.update(task, description=what, completed=done, total=of)

            results += BENCHMARKS[name](step)
            progress.update(task, description="done", completed=1, total=1)
    return results


if __name__ == "__main__":
    main()
