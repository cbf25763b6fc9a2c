"""The loop that loads, decides and commits again when another commit was faster."""

import pytest

from shared.compare_and_set import compare_and_set
from shared.errors import RowConflictError


class Attempts:
    """An attempt that loses the first few times; it counts its runs."""

    def __init__(self, losses, error=None):
        self.losses = losses
        self.error = error or RowConflictError("assets")
        self.runs = 0

    async def __call__(self):
        self.runs += 1
        if self.runs <= self.losses:
            raise self.error
        return self.runs


@pytest.mark.parametrize("losses", [0, 1, 2])
async def test_an_attempt_that_lost_is_made_again(losses):
    attempt = Attempts(losses)
    assert await compare_and_set(attempt, attempts=3) == losses + 1


async def test_the_last_attempt_that_loses_raises():
    attempt = Attempts(3)
    with pytest.raises(RowConflictError):
        await compare_and_set(attempt, attempts=3)
    assert attempt.runs == 3


async def test_ten_attempts_are_made_unless_the_caller_says_otherwise():
    attempt = Attempts(100)
    with pytest.raises(RowConflictError):
        await compare_and_set(attempt)
    assert attempt.runs == 10


async def test_any_other_error_is_raised_at_once():
    attempt = Attempts(1, ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        await compare_and_set(attempt)
    assert attempt.runs == 1
