"""The words and tables of a run for a person: the list, the progress, the figures."""

import time
from collections.abc import Mapping, Sequence
from typing import Final, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

from tests.benchmarks.benchmark import Benchmark, Size
from tests.benchmarks.history import Run, ratio
from tests.benchmarks.record import Record
from tests.benchmarks.results import Result
from tests.benchmarks.runner import seconds_left

_MET: Final = {None: "", True: "yes", False: "[bold red]no[/]"}


class Bars:
    """A bar for the running benchmark, and a line for each finished benchmark; a context manager.

    `expected` has the seconds of every benchmark of the run. Without a terminal the lines alone
    are printed.
    """

    def __init__(self, console: Console, expected: Sequence[float]) -> None:
        self._console = console
        self._expected = expected
        self._taken: list[float] = []
        self._started = self._last_end = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.fields[name]}: {task.description}"),
            BarColumn(),
            _Times(self),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", name="", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @property
    def times(self) -> str:
        """The time since the start, and the estimate of the time until the end."""
        now = time.monotonic()
        left = seconds_left(self._expected, self._taken, now - self._last_end)
        return f"{duration(now - self._started)} so far, about {duration(left)} left"

    def begin(self, benchmark: Benchmark) -> None:
        name = f"{len(self._taken) + 1} of {len(self._expected)}, {benchmark.name}"
        self._progress.reset(self._task, name=name, description="starting", total=None)
        if not self._console.is_terminal:
            self._console.print(f"{name} ...")

    def step(self, what: str, done: int, of: int) -> None:
        self._progress.update(self._task, description=what, completed=done, total=of)

    def end(self, benchmark: Benchmark, seconds: float, failure: str | None) -> None:
        self._taken.append(seconds)
        self._last_end = time.monotonic()
        said = Text(f"{benchmark.name}: {duration(seconds)}; {self.times}")
        if failure is not None:
            said.append(f"\n  failed: {failure}", "bold red")
        self._console.print(said)


class _Times(ProgressColumn):
    """The two times of a run, beside the bar."""

    def __init__(self, bars: Bars) -> None:
        super().__init__()
        self._bars = bars

    def render(self, task: Task) -> Text:
        del task
        return Text(self._bars.times)


def duration(seconds: float) -> str:
    """Return a duration in minutes and seconds, such as "2 min 05 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def listing(benchmarks: Sequence[Benchmark]) -> str:
    """Return the list of the benchmarks for `--help`."""
    lines = []
    for one in benchmarks:
        lines.append(f"{one.name}: {one.measures}")
        times = ", ".join(f"{size} {duration(one.seconds.at(size))}" for size in Size)
        lines.append(f"    {times}")
        lines += [f"    goal: {name} {goal}" for name, goal in one.goals.items()]
    sums = (sum(one.seconds.at(size) for one in benchmarks) for size in Size)
    total = ", ".join(f"{size} {duration(each)}" for size, each in zip(Size, sums, strict=True))
    return "\n".join(["benchmarks, with their expected times on two cores:", *lines, "", total])


def figures(record: Record, before: Mapping[str, float], kept: Run | None) -> Table:
    """Return the figures of a run beside the last kept figures of the same size."""
    title = f"Benchmarks, size {record.origin.size}, {record.origin.cores} cores"
    caption = (
        f"last: {kept['date']}, commit {kept['commit']}, {kept['cores']} cores"
        if kept
        else f"The history has no run of size {record.origin.size}."
    )
    made = Table(title=title, caption=caption)
    made.add_column("figure", no_wrap=True)
    for column in ("value", "last", "ratio"):
        made.add_column(column, justify="right")
    for column in ("unit", "goal", "met"):
        made.add_column(column)
    for result in record.results:
        made.add_row(*_row(result, before.get(result.name)))
    return made


def _row(result: Result, before: float | None) -> tuple[str, ...]:
    compared = ratio(result.value, before)
    return (
        result.name,
        number(result.value),
        "" if before is None else number(before),
        "" if compared is None else f"{compared:.2f}",
        escape(result.unit),
        result.goal or "",
        _MET[result.is_met],
    )


def number(value: float) -> str:
    """Return a figure with three digits, or all digits before the point."""
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def complaints(record: Record, log: str) -> Sequence[str]:
    """Return a line for each failed benchmark and for each missed goal; `log` has the reasons."""
    failed = [
        f"{name} failed: {reason} (traceback in {log})" for name, reason in record.failures.items()
    ]
    missed = [
        f"{result.name} misses its goal: {number(result.value)} {result.unit}, not {result.goal}"
        for result in record.missed
    ]
    return [*failed, *missed]
