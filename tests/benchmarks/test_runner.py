"""The runner: failures, interruptions, the file of figures, and the estimate of the time left."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.benchmark import Benchmark, BySize, Size
from tests.benchmarks.record import Origin, Record
from tests.benchmarks.registry import BENCHMARKS
from tests.benchmarks.results import Result
from tests.benchmarks.runner import expected_seconds, reason_of, run_all, seconds_left

ORIGIN = Origin("2026-11-24T06:00:00Z", "abc1234", 2, Size.DEFAULT)
SECONDS = BySize(1.0, 10.0, 100.0)


class Seen:
    """A display that keeps the events."""

    def __init__(self):
        self.events = []

    def begin(self, benchmark):
        self.events.append(("begin", benchmark.name))

    def step(self, what, done, of):
        self.events.append(("step", what, done, of))

    def end(self, benchmark, seconds, failure):
        self.events.append(("end", benchmark.name, failure))


def benchmark(name, *results, error=None):
    """A benchmark that yields `results` and then raises `error`."""

    def run(step, size):
        for number, result in enumerate(results):
            step("working", number, len(results))
            yield result
        if error is not None:
            raise error

    return Benchmark(name, "a test", run, SECONDS)


@pytest.fixture
def record(tmp_path):
    return Record(ORIGIN, tmp_path / "build/bench.json")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "build/bench.log"


def written(record: Record) -> list[str]:
    """The names of the figures in the file."""
    return [figure["name"] for figure in json.loads(record.file.read_text())]


def test_the_others_run_after_a_failed_benchmark(record: Record, log: Path) -> None:
    display = Seen()
    failing = benchmark("b", Result("b1", 2.0, "s"), error=ValueError("no blob\nmore"))
    others = [benchmark(name, Result(f"{name}1", 1.0, "s")) for name in ("a", "c")]
    run_all([others[0], failing, others[1]], record, display, log)
    assert written(record) == ["a1", "b1", "c1"]
    assert record.failures == {"b": "ValueError: no blob"}
    assert record.seconds.keys() == {"a", "c"}
    assert ("end", "b", "ValueError: no blob") in display.events
    assert ("end", "c", None) in display.events
    assert "Traceback" in log.read_text()


def test_a_figure_is_in_the_file_when_the_next_is_not_yet_known(record: Record, log: Path) -> None:
    found = []

    def run(step, size):
        for name in ("first", "second"):
            found.append(written(record))
            yield Result(name, 1.0, "s")

    run_all([Benchmark("a", "a test", run, SECONDS)], record, Seen(), log)
    assert found == [[], ["first"]]


def test_an_interruption_keeps_the_figures_until_then(record: Record, log: Path) -> None:
    interrupted = benchmark("b", Result("b1", 2.0, "s"), error=KeyboardInterrupt())
    never = benchmark("c", Result("c1", 3.0, "s"))
    with pytest.raises(KeyboardInterrupt):
        run_all([benchmark("a", Result("a1", 1.0, "s")), interrupted, never], record, Seen(), log)
    assert written(record) == ["a1", "b1"]
    assert not record.failures


def test_the_figures_and_the_log_of_an_earlier_run_are_replaced(record: Record, log: Path) -> None:
    log.parent.mkdir()
    log.write_text("an old traceback")
    record.file.write_text('[{"name": "old"}]')
    run_all([], record, Seen(), log)
    assert written(record) == []
    assert log.read_text() == ""


def test_each_figure_tells_its_goal_and_its_run(record: Record, log: Path) -> None:
    run_all([benchmark("a", Result("a1", 1.25, "of b", "<= 1.5"))], record, Seen(), log)
    assert json.loads(record.file.read_text()) == [
        {
            "name": "a1",
            "value": 1.25,
            "unit": "of b",
            "goal": "<= 1.5",
            "holds": True,
            "date": "2026-11-24T06:00:00Z",
            "commit": "abc1234",
            "size": "default",
        }
    ]


@pytest.mark.parametrize(("size", "missed"), [(Size.SMALL, []), (Size.DEFAULT, ["a1"])])
def test_a_small_run_is_held_to_no_goal(tmp_path: Path, size: Size, missed: list[str]) -> None:
    record = Record(Origin("", "", 2, size), tmp_path / "bench.json")
    failing = benchmark("a", Result("a1", 2.0, "of b", "<= 1.5"))
    run_all([failing], record, Seen(), tmp_path / "bench.log")
    assert [result.name for result in record.missed] == missed


def test_a_goal_that_is_no_bound_fails_the_benchmark(record: Record, log: Path) -> None:
    run_all([benchmark("a", Result("a1", 1.0, "s", "about 1"))], record, Seen(), log)
    assert record.failures == {"a": "ValueError: 'about 1' is not a goal such as '<= 1.5'"}
    assert written(record) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("one\ntwo"), "ValueError: one"),
        (ValueError("\n  one\ntwo"), "ValueError: one"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_reason_is_one_line(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    ("expected", "taken", "running", "left"),
    [
        ([10, 20, 30], [], 0, 60),
        ([10, 20, 30], [], 4, 56),
        # Twice as slow as expected: 40 and 60 seconds are left, less the 5 that have passed.
        ([10, 20, 30], [20], 5, 95),
        # A benchmark may take longer than expected.
        ([10, 20, 30], [10], 25, 30),
        ([10, 20, 30], [10, 20, 30], 0, 0),
        ([], [], 0, 0),
    ],
)
def test_the_time_left_follows_the_pace(
    expected: list[float], taken: list[float], running: float, left: float
) -> None:
    assert seconds_left(expected, taken, running) == left


def test_a_kept_duration_goes_before_the_declared_one() -> None:
    chosen = [benchmark("a"), benchmark("b")]
    assert expected_seconds(chosen, Size.FULL, {"a": 3.5}) == [3.5, 100.0]


def test_the_names_of_the_benchmarks_differ() -> None:
    names = [one.name for one in BENCHMARKS]
    assert len(names) == len(set(names))


def test_all_benchmarks_together_end_within_ten_minutes_by_default() -> None:
    assert sum(one.seconds.at(Size.DEFAULT) for one in BENCHMARKS) < 600
