"""Limits on callers: a token bucket each, in bounded memory."""

import pytest

from shared.rate_limits import Bucket, Limiter, Rate, take

RATE = Rate(per_second=2, burst=4)


@pytest.mark.parametrize(
    ("bucket", "now", "after", "wait"),
    [
        (None, 10.0, Bucket(3, 10.0), 0),
        (Bucket(4, 10.0), 10.0, Bucket(3, 10.0), 0),
        (Bucket(1, 10.0), 10.0, Bucket(0, 10.0), 0),
        (Bucket(0, 10.0), 10.0, Bucket(0, 10.0), 0.5),
        (Bucket(0, 10.0), 10.25, Bucket(0.5, 10.25), 0.25),
        (Bucket(0, 10.0), 10.5, Bucket(0, 10.5), 0),
        (Bucket(0, 10.0), 1e9, Bucket(3, 1e9), 0),
        # A clock that goes back gives nothing, and takes nothing.
        (Bucket(0, 10.0), 9.0, Bucket(0, 10.0), 0.5),
        (Bucket(2, 10.0), 0.0, Bucket(1, 10.0), 0),
    ],
)
def test_a_token_is_taken_or_waited_for(bucket, now, after, wait):
    assert take(bucket, RATE, now) == (after, wait)


def test_a_burst_then_the_rate():
    now = 0.0
    limiter = Limiter(RATE, lambda: now)
    assert [limiter.wait_of("mia") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert limiter.wait_of("noor") == 0
    now = 0.5
    assert [limiter.wait_of("mia") for _ in range(2)] == [0, 0.5]


def test_who_asks_on_without_waiting_is_served_at_the_rate_all_the_same():
    now = 0.0
    limiter = Limiter(RATE, lambda: now)
    served = 0
    for step in range(1000):
        now = step / 100
        served += limiter.wait_of("mia") == 0
    assert served == 4 + 2 * 10 - 1


def test_memory_is_bounded_and_the_last_callers_are_remembered():
    limiter = Limiter(Rate(1, 1), lambda: 0.0, most_callers=3)
    for number in range(100):
        assert limiter.wait_of(f"c{number}") == 0
    assert len(limiter._buckets) == 3
    assert [limiter.wait_of(f"c{number}") > 0 for number in (97, 98, 99)] == [True] * 3
    assert limiter.wait_of("c0") == 0
