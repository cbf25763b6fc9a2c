"""Run benchmarks in turn: record every figure at once, and go on after a failed benchmark."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from tests.benchmarks.benchmark import Benchmark, Size
from tests.benchmarks.record import Record


class Display(Protocol):
    """The progress that a person sees."""

    def begin(self, benchmark: Benchmark) -> None:
        """Show the benchmark that starts."""

    def step(self, what: str, done: int, of: int) -> None:
        """Show the place within the benchmark, as `Step` has it."""

    def end(self, benchmark: Benchmark, seconds: float, failure: str | None) -> None:
        """Show the duration of the benchmark, and the reason of a failure."""


def run_all(
    benchmarks: Sequence[Benchmark],
    record: Record,
    display: Display,
    log: Path,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Run `benchmarks` and fill `record`.

    A failed benchmark is noted with the reason in one line. The traceback goes to `log`, the
    figures until then stay in the record, and the next benchmark follows. KeyboardInterrupt
    passes through; the record has every figure until then.
    """
    record.start()
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    for benchmark in benchmarks:
        display.begin(benchmark)
        started = clock()
        try:
            for result in benchmark.run(display.step, record.origin.size):
                is_held = record.origin.size is not Size.SMALL
                record.add(result if is_held else replace(result, goal=None))
        except Exception as error:  # noqa: BLE001 - the other benchmarks must run
            record.failures[benchmark.name] = reason_of(error)
            with log.open("a") as file:
                file.write(f"{benchmark.name}\n{traceback.format_exc()}\n")
        else:
            record.seconds[benchmark.name] = clock() - started
        display.end(benchmark, clock() - started, record.failures.get(benchmark.name))


def reason_of(error: BaseException) -> str:
    """Return the type of an error and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def expected_seconds(
    benchmarks: Sequence[Benchmark], size: Size, kept: Mapping[str, float]
) -> Sequence[float]:
    """Return the last kept duration of each benchmark, or the declared duration."""
    return [kept.get(one.name, one.seconds.at(size)) for one in benchmarks]


def seconds_left(expected: Sequence[float], taken: Sequence[float], running: float) -> float:
    """Estimate the seconds until the end of a run.

    `expected` has a duration for every benchmark, `taken` the durations of the finished
    benchmarks, and `running` the seconds since the last end. The pace of the finished benchmarks
    scales the expectation for the others.
    """
    done, ahead = expected[: len(taken)], expected[len(taken) :]
    pace = sum(taken) / sum(done) if sum(done) else 1.0
    if not ahead:
        return 0.0
    return max(ahead[0] * pace - running, 0.0) + sum(ahead[1:]) * pace
