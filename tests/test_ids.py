"""Identifiers and table keys."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from shared.ids import derived_id, first_id, in_milliseconds, key, new_id, rfc3339

NOW = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


def test_a_new_id_carries_the_time():
    assert ULID.from_str(new_id(NOW)).datetime == NOW
    assert new_id(NOW) != new_id(NOW)


def test_a_derived_id_is_the_same_for_the_same_thing():
    assert derived_id(NOW, "a", "b") == derived_id(NOW, "a", "b")
    assert ULID.from_str(derived_id(NOW, "a", "b")).datetime == NOW
    assert derived_id(NOW, "a", "b") != derived_id(NOW, "ab")
    assert derived_id(NOW, "a", "b") != derived_id(NOW + timedelta(seconds=1), "a", "b")


FORBIDDEN = set("/\\#?") | {chr(n) for n in range(0x20)} | {chr(n) for n in range(0x7F, 0xA0)}


@given(st.lists(st.text(), min_size=1))
def test_a_key_has_nothing_that_table_storage_forbids(parts):
    assert not FORBIDDEN & set(key(*parts))


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_other_parts_make_another_key(some, others):
    assert (key(*some) == key(*others)) == (some == others)


@pytest.mark.parametrize(
    ("parts", "made"),
    [
        (("acme", "01J"), "acme|01J"),
        (("a|b",), "a^7Cb"),
        (("a/b",), "a^2Fb"),
        (("a^b",), "a^5Eb"),
        (("é",), "^C3^A9"),
    ],
)
def test_keys(parts, made):
    assert key(*parts) == made


def test_what_is_answered_is_as_exact_as_what_is_kept():
    at = datetime.fromisoformat("2026-11-23T13:00:00.123999+01:00")
    assert in_milliseconds(at).isoformat() == "2026-11-23T12:00:00.123000+00:00"
    assert rfc3339(in_milliseconds(at)) == rfc3339(at)


def test_times_are_utc_with_milliseconds():
    assert rfc3339(NOW) == "2026-11-23T12:00:00.123Z"
    assert (
        rfc3339(datetime.fromisoformat("2026-11-23T13:00:00+01:00")) == "2026-11-23T12:00:00.000Z"
    )


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 - made aware below
def test_the_first_id_of_a_time_sorts_before_all_of_it_and_after_all_before(at):
    at = in_milliseconds(at.replace(tzinfo=UTC))
    assert first_id(at) <= derived_id(at, "a")
    if at > datetime(1970, 1, 1, tzinfo=UTC):
        assert derived_id(at - timedelta(milliseconds=1), "a") < first_id(at)


def test_no_id_is_of_a_time_before_1970():
    assert first_id(datetime(1900, 1, 1, tzinfo=UTC)) == "0" * 26
