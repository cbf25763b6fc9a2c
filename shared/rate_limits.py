"""Limits on how often a caller asks: a token bucket for each caller, in an instance's memory.

A bucket holds up to `burst` tokens and gains `per_second`; a request takes one. Each instance of
the app limits for itself, so a caller of several instances gets as many times the rate. A limit for
the whole service is API Management's (policy `rate-limit-by-key`, learn.microsoft.com).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

PER_SECOND: Final = 100
"""Requests a second of a caller, where no setting says otherwise."""
BURST: Final = 2000
"""Requests of a caller at once: a bulk tool asks for a thousand URLs."""
_MOST_CALLERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate in requests a second, and how many requests may come at once."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True)
class Bucket:
    """The tokens in a caller's bucket at a time, in seconds of a clock that only grows."""

    tokens: float
    at: float


def take(bucket: Bucket | None, rate: Rate, now: float) -> tuple[Bucket, float]:
    """Take a token at `now`. Return the bucket, and the seconds until the next token.

    The seconds are 0 where a token was taken. A caller without a bucket has a full bucket.
    """
    if bucket is None:
        return Bucket(rate.burst - 1, now), 0.0
    # A request that was stamped earlier and comes later gains nothing.
    now = max(now, bucket.at)
    tokens = min(rate.burst, bucket.tokens + (now - bucket.at) * rate.per_second)
    if tokens >= 1:
        return Bucket(tokens - 1, now), 0.0
    return Bucket(tokens, now), (1 - tokens) / rate.per_second


class Limiter:
    """The buckets of the callers who asked last; a caller who is forgotten has a full bucket."""

    def __init__(
        self, rate: Rate, clock: Callable[[], float], most_callers: int = _MOST_CALLERS
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._most_callers = most_callers
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def wait_of(self, caller: str) -> float:
        """Take a token of a caller's; return the seconds to wait where there is none, or 0."""
        bucket, seconds = take(self._buckets.pop(caller, None), self._rate, self._clock())
        self._buckets[caller] = bucket
        if len(self._buckets) > self._most_callers:
            self._buckets.popitem(last=False)
        return seconds
