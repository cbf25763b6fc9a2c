"""Typed structs as the columns of a table row, a column for each field.

Numbers, booleans and strings are columns of the same kind; times are RFC 3339 strings; lists, maps
and structs are JSON strings. None is no column.
"""

from collections.abc import Mapping
from datetime import datetime
from types import UnionType
from typing import Any, get_args

import msgspec

from shared.ids import rfc3339
from shared.ports import Value


class Stored(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the records in tables: camelCase columns. Unknown columns are ignored."""


def to_values(stored: Stored) -> dict[str, Value]:
    """The columns of `stored`."""
    values: dict[str, Value] = {}
    for field in msgspec.structs.fields(stored):
        value = getattr(stored, field.name)
        if value is None:
            continue
        values[field.encode_name] = _to_value(value)
    return values


def from_values[T: Stored](kind: type[T], values: Mapping[str, Value]) -> T:
    """Read a struct of `kind`. Raises msgspec.ValidationError for columns of any other kind."""
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        value = values.get(field.encode_name)
        if value is None:
            continue
        is_json = isinstance(value, str) and value[:1] in ("[", "{") and not _is_text(field.type)
        fields[field.encode_name] = msgspec.json.decode(str(value)) if is_json else value
    return msgspec.convert(fields, kind)


def readable[T: Stored](kind: type[T], values: Mapping[str, Value]) -> T | None:
    """Return the struct that `from_values` reads; None for columns of any other kind.

    For rows that may have been changed past the app, where the reader reports the change.
    """
    try:
        return from_values(kind, values)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _is_text(kind: object) -> bool:
    return kind is str or (isinstance(kind, UnionType) and str in get_args(kind))


def _to_value(value: object) -> Value:
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, datetime):
        return rfc3339(value)
    return msgspec.json.encode(value).decode()
