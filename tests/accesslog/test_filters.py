"""What a query asks for, and what of it cannot be."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.accesslog.reading.filters import (
    EntryFilter,
    before_of,
    continuation_of,
    filter_of,
    listed,
)
from shared.errors import InvalidInputError, MalformedInputError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({}, EntryFilter()),
        ({"from": "", "actor": "", "outcome": ""}, EntryFilter()),
        ({"limit": "5", "continuation": "x"}, EntryFilter()),
        ({"from": "2026-11-23T12:00:00Z"}, EntryFilter(since=NOON)),
        ({"from": "2026-11-23T13:00:00+01:00"}, EntryFilter(since=NOON)),
        ({"to": "2026-11-23T13:00:00 01:00"}, EntryFilter(until=NOON)),
        ({"actor": "sven", "action": "asset.read"}, EntryFilter(actor="sven", action="asset.read")),
        ({"grant": "g", "resource": "assets/"}, EntryFilter(grant="g", resource="assets/")),
        ({"outcome": "failed"}, EntryFilter(outcome="failed")),
    ],
    ids=str,
)
def test_a_query_is_read(parameters, wanted):
    assert filter_of(parameters) == wanted
    assert filter_of(parameters).is_empty is (wanted == EntryFilter())


@pytest.mark.parametrize(
    "parameters",
    [
        {"from": "2026-11-23"},
        {"from": "2026-11-23T12:00:00"},
        {"to": "noon"},
        {"to": "0001-01-01T00:00:00+14:00"},
        {"outcome": "Allowed"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_its_name(parameters):
    with pytest.raises(InvalidInputError) as refused:
        filter_of(parameters)
    assert refused.value.code == "filter-invalid"
    assert f"`{next(iter(parameters))}`" in refused.value.detail


def test_a_time_is_compared_whatever_its_zone():
    zone = timezone(timedelta(hours=5, minutes=30))
    wanted = filter_of({"from": NOON.astimezone(zone).isoformat()})
    assert wanted.since == NOON


@pytest.mark.parametrize("before", [0, 1, 256, (1 << 63) - 1])
def test_a_continuation_says_where_to_read_on(before):
    assert before_of(continuation_of(before)) == before
    assert before_of(None) is None


@pytest.mark.parametrize("token", ["x", "====", "AAAAAAAAAAA+", "é", "A" * 500])
def test_another_token_is_refused(token):
    with pytest.raises(MalformedInputError):
        before_of(token)


@pytest.mark.parametrize("payload", [b"", b"{", b"{}", b"\xff", b"nonsense\n\n", b'{"id":1}'])
def test_what_cannot_be_read_is_shown_as_damaged(payload):
    shown = listed(3, payload)
    assert (shown.index, shown.damaged, shown.actor) == (3, True, None)
