"""The meaning of a goal."""

import pytest

from tests.benchmarks.results import Result


@pytest.mark.parametrize(
    ("value", "goal", "is_met"),
    [
        (1.5, "<= 1.5", True),
        (1.51, "<= 1.5", False),
        (0.7, ">= 0.7", True),
        (0.69, ">= 0.7", False),
        (99.0, None, None),
    ],
)
def test_a_figure_is_held_to_its_goal(value: float, goal: str | None, is_met: bool | None) -> None:
    assert Result("it", value, "of another", goal).is_met is is_met


@pytest.mark.parametrize("goal", ["1.5", "< 1.5", "<=1.5", "<= much"])
def test_a_goal_that_is_no_bound_is_refused(goal: str) -> None:
    with pytest.raises(ValueError, match=r"is not a goal|could not convert"):
        _ = Result("it", 1.0, "of another", goal).is_met
