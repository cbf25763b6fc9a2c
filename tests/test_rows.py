"""Structs as columns."""

from datetime import UTC, datetime

import pytest

from shared.rows import Stored, from_values, to_values


class Inner(Stored, frozen=True):
    some_name: str


class Example(Stored, frozen=True):
    text: str
    number: int
    flag: bool
    at: datetime
    names: tuple[str, ...] = ()
    inner: Inner | None = None
    maybe: str | None = None


AT = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["a", "", '{"a": 1}', "[1]", "null", "é|/"])
def test_a_struct_comes_back_as_it_was(text):
    example = Example(
        text=text,
        number=2**40,
        flag=True,
        at=AT,
        names=("x", "y"),
        inner=Inner(some_name="z"),
        maybe=text,
    )
    assert from_values(Example, to_values(example)) == example


def test_columns_are_plain_values_in_camel_case():
    example = Example(text="a", number=1, flag=False, at=AT, inner=Inner(some_name="z"))
    assert to_values(example) == {
        "text": "a",
        "number": 1,
        "flag": False,
        "at": "2026-11-23T12:00:00.123Z",
        "names": "[]",
        "inner": '{"someName":"z"}',
    }


def test_columns_that_are_not_known_are_passed_over():
    values = to_values(Example(text="a", number=1, flag=False, at=AT)) | {"later": "x"}
    assert from_values(Example, values).text == "a"
