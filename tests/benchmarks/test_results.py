"""What a goal means, and what is written of it."""

import json
from pathlib import Path

import pytest

from tests.benchmarks.results import Result, write


@pytest.mark.parametrize(
    ("value", "goal", "holds"),
    [
        (1.5, "<= 1.5", True),
        (1.51, "<= 1.5", False),
        (0.7, ">= 0.7", True),
        (0.69, ">= 0.7", False),
        (99.0, None, None),
    ],
)
def test_a_goal_is_held_to(value: float, goal: str | None, holds: bool | None) -> None:
    assert Result("it", value, "of another", goal).holds is holds


@pytest.mark.parametrize("goal", ["1.5", "< 1.5", "<=1.5", "<= much"])
def test_a_goal_that_is_none_is_refused(goal: str) -> None:
    with pytest.raises(ValueError, match=r"is not a goal|could not convert"):
        _ = Result("it", 1.0, "of another", goal).holds


def test_the_file_holds_every_figure_and_its_goal(tmp_path: Path) -> None:
    file = tmp_path / "build/bench.json"
    write([Result("a", 1.25, "of b", "<= 1.5"), Result("c", 3.0, "s")], file)
    assert json.loads(file.read_text()) == [
        {"name": "a", "value": 1.25, "unit": "of b", "goal": "<= 1.5", "holds": True},
        {"name": "c", "value": 3.0, "unit": "s", "goal": None, "holds": None},
    ]
