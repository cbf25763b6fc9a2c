"""Ranges of a discovery: how a tenant's assets are parted among messages. Pure rules.

The ids of assets are in order of time. One message searches one range. A range with too many assets
is parted at its first part's end: the rest becomes several ranges of equal time, which instances
search side by side. The service therefore needs no count of the assets beforehand.
"""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

import msgspec

from shared.ids import first_id, time_of
from shared.rows import Stored

BATCH: Final = 5000
"""Records that one message searches, and the few more of a page."""
_PARTS: Final = 4
FIRST: Final = "00000000000000000000000000"
"""An id before every id."""
# By how much the clock that made an id may be ahead.
_CLOCK_SKEW: Final = timedelta(hours=1)


class Range(Stored, frozen=True):
    """A range of ids, from after `after` up to `upto`, of one run of discovery.

    `about` is the estimated number of assets in a range that is not searched. `read` and `found`
    count the records that were searched and the assets that were found, `notes` the assets that
    could not be looked into.
    """

    after: str
    upto: str
    about: int = 0
    done: bool = False
    read: int = 0
    found: int = 0
    notes: dict[str, int] = msgspec.field(default_factory=dict)


class DiscoveryProgress(Stored, frozen=True):
    """How far a discovery is. `assets_about` is an estimate until every range is searched.

    `seconds_left` is an estimate too, and None before the first range is searched.
    """

    assets_read: int
    assets_about: int
    found: int
    seconds_left: int | None


def whole(now: datetime) -> Range:
    """Return the range of all assets."""
    return Range(after=FIRST, upto=first_id(now + _CLOCK_SKEW))


def rest_of(searched: Range, last: str, read: int) -> list[Range]:
    """Part the rest of a range whose records up to the id `last` were searched, `read` of them."""
    begin, end = time_of(last), time_of(searched.upto)
    first = time_of(searched.after) if searched.after != FIRST else begin
    step = (end - begin) / _PARTS
    about = _estimate(read, begin - first, end - begin)
    if step < timedelta(milliseconds=1):
        return [Range(after=last, upto=searched.upto, about=about)]
    bounds = [last, *(first_id(begin + step * part) for part in range(1, _PARTS)), searched.upto]
    return [
        Range(after=after, upto=upto, about=about // _PARTS) for after, upto in pairwise(bounds)
    ]


def progress(ranges: list[Range], started: datetime, now: datetime) -> DiscoveryProgress:
    """Return how far a discovery is that began at `started`."""
    read = sum(one.read for one in ranges)
    left = sum(one.about for one in ranges if not one.done)
    seconds = (now - started).total_seconds()
    return DiscoveryProgress(
        assets_read=read,
        assets_about=read + left,
        found=sum(one.found for one in ranges),
        seconds_left=round(seconds * left / read) if read else None,
    )


def _estimate(read: int, searched: timedelta, left: timedelta) -> int:
    """Estimate the assets of the time that is left, as dense as in the time that was searched."""
    if searched <= timedelta(0):
        return read
    return round(read * (left / searched))
