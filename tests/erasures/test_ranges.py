"""The parting of a tenant's assets among messages."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from shared.erasures.ranges import FIRST, Range, progress, rest_of, whole
from shared.ids import first_id, new_id, time_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_first_range_has_every_asset():
    one = whole(NOW)
    assert one.after == FIRST
    assert time_of(one.upto) == NOW + timedelta(hours=1)
    assert new_id(NOW) <= one.upto


@pytest.mark.parametrize("after", [FIRST, first_id(NOW - timedelta(days=20))])
def test_the_rest_of_a_range_is_parted_without_a_gap(after):
    last, upto = new_id(NOW - timedelta(days=10)), first_id(NOW)
    rest = rest_of(Range(after=after, upto=upto), last, 1000)
    assert len(rest) == 4
    assert (rest[0].after, rest[-1].upto) == (last, upto)
    assert all(one.upto == other.after for one, other in pairwise(rest))
    assert all(one.after < one.upto for one in rest)
    lengths = [time_of(one.upto) - time_of(one.after) for one in rest]
    assert max(lengths) - min(lengths) <= timedelta(milliseconds=1)


def test_the_rest_is_estimated_as_dense_as_what_was_searched():
    searched = Range(after=first_id(NOW - timedelta(days=3)), upto=first_id(NOW))
    rest = rest_of(searched, first_id(NOW - timedelta(days=2)), 1000)
    assert [one.about for one in rest] == [500] * 4
    # No time tells how dense the first asset's millisecond is.
    first = rest_of(Range(after=FIRST, upto=first_id(NOW)), first_id(NOW - timedelta(days=2)), 80)
    assert [one.about for one in first] == [20] * 4


@pytest.mark.parametrize(("milliseconds", "parts"), [(0, 1), (3, 1), (4, 4)])
def test_assets_of_one_moment_stay_in_one_range(milliseconds, parts):
    begin = first_id(NOW)
    upto = first_id(NOW + timedelta(milliseconds=milliseconds))
    rest = rest_of(Range(after=begin, upto=upto), begin, 10)
    assert len(rest) == parts
    assert (rest[0].after, rest[-1].upto) == (begin, upto)


def test_progress_counts_what_is_read_and_estimates_what_is_left():
    ranges = [
        Range(after="A", upto="B", done=True, read=100, found=3, about=999),
        Range(after="B", upto="C", about=300),
    ]
    told = progress(ranges, NOW, NOW + timedelta(seconds=10))
    assert (told.assets_read, told.assets_about, told.found) == (100, 400, 3)
    assert told.seconds_left == 30
    assert progress([Range(after="A", upto="B")], NOW, NOW).seconds_left is None
