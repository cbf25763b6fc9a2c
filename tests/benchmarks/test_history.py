"""The history of kept runs, and a run's figures beside the last kept figures."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.benchmarks import history
from tests.benchmarks.benchmark import Size
from tests.benchmarks.record import Origin, Record
from tests.benchmarks.report import complaints, duration, figures
from tests.benchmarks.results import Result


def kept(date: str, size: str, **values: float) -> dict[str, object]:
    """A kept run."""
    run = {"date": date, "commit": "abc1234", "cores": 2, "size": size}
    return run | {"figures": values, "seconds": dict.fromkeys(values, 1.0)}


RUNS = [
    kept("2026-11-01", "default", a=1.0, b=10.0),
    kept("2026-11-02", "full", a=5.0),
    kept("2026-11-03", "default", a=2.0),
]


@pytest.fixture
def record(tmp_path):
    made = Record(Origin("2026-11-24", "def5678", 4, Size.DEFAULT), tmp_path / "bench.json")
    made.add(Result("a", 3.0, "s", "<= 2"))
    made.add(Result("c", 1234.5678, "messages/s"))
    made.seconds["one"] = 1.23456
    return made


@pytest.mark.parametrize(
    ("size", "values"),
    [
        (Size.DEFAULT, {"a": 2.0, "b": 10.0}),
        (Size.FULL, {"a": 5.0}),
        (Size.SMALL, {}),
    ],
)
def test_the_newest_value_of_each_figure_is_of_the_same_size(size, values) -> None:
    assert history.newest(RUNS, size, "figures") == values


def test_the_last_run_is_of_the_same_size() -> None:
    assert history.last(RUNS, Size.FULL) == RUNS[1]
    assert history.last(RUNS, Size.SMALL) is None


@pytest.mark.parametrize(
    ("value", "before", "ratio"), [(3.0, 2.0, 1.5), (3.0, None, None), (3.0, 0.0, None)]
)
def test_a_figure_is_compared_as_a_ratio(value, before, ratio) -> None:
    assert history.ratio(value, before) == ratio


def test_a_run_is_added_behind_the_others(tmp_path: Path, record: Record) -> None:
    file = tmp_path / "history.json"
    file.write_text(json.dumps(RUNS))
    history.keep(record, file)
    *before, added = history.load(file)
    assert before == RUNS
    assert added == {
        "date": "2026-11-24",
        "commit": "def5678",
        "cores": 4,
        "size": "default",
        "seconds": {"one": 1.235},
        "figures": {"a": 3.0, "c": 1235.0},
    }


def test_a_missing_history_has_no_runs(tmp_path: Path, record: Record) -> None:
    file = tmp_path / "history.json"
    assert history.load(file) == []
    history.keep(record, file)
    assert len(history.load(file)) == 1


def test_the_history_of_the_repository_is_complete() -> None:
    for run in history.load():
        assert run.keys() == {"date", "commit", "cores", "size", "seconds", "figures"}
        assert run["size"] in set(Size)


def test_the_table_has_the_last_figures_beside_those_of_the_run(record: Record) -> None:
    out = StringIO()
    before = history.newest(RUNS, Size.DEFAULT, "figures")
    table = figures(record, before, history.last(RUNS, Size.DEFAULT))
    Console(file=out, width=120).print(table)
    rows = {cells[0]: cells[1:] for cells in map(_cells, out.getvalue().splitlines()) if cells}
    assert rows["a"] == ["3", "2", "1.50", "s", "<= 2", "no"]
    assert rows["c"] == ["1,235", "", "", "messages/s", "", ""]
    assert "last: 2026-11-03, commit abc1234, 2 cores" in out.getvalue()


def test_a_narrow_table_has_the_whole_name_of_a_figure(record: Record) -> None:
    name = "log-growth-operations-alone"
    record.add(Result(name, 1.0, "x an entry of a new log that is told in many words", "<= 1.1"))
    out = StringIO()
    Console(file=out, width=80).print(figures(record, {}, None))
    assert name in out.getvalue()


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_failures_and_missed_goals_are_complaints(record: Record) -> None:
    record.failures["two"] = "ValueError: no"
    assert complaints(record, "bench.log") == [
        "two failed: ValueError: no (traceback in bench.log)",
        "a misses its goal: 3 s, not <= 2",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (605, "10 min 05 s")]
)
def test_a_duration_is_in_minutes_and_seconds(seconds: float, text: str) -> None:
    assert duration(seconds) == text
