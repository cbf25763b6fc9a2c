"""Identifiers and table keys."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}$(?!\n)"
"""The form of each id from outside: up to 128 plain characters, the first a letter or a digit.

A ULID, a UUID and a decimal number have the form. So do most ids of CloudEvents. An id with a slash
(Kafka's `partition:1/offset:9`), an at sign or a space has not: the sender chooses another id, such
as a UUID. The characters are unreserved in a URI, but for the colon, and valid in every key, header
and blob name of Azure. A key has at most 512 characters, so every id fits.
"""
_ID: Final = re.compile(ID_PATTERN)
_KEY_SAFE = "-._~@:=,"
# Crockford's Base32 in capitals, of which the first character has three bits: the ULID
# specification, "Canonical String Representation".
_ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(now: datetime) -> str:
    """Return a new ULID whose time part is `now`."""
    # Imported here: the module reads package metadata, and would slow every cold start.
    from ulid import ULID

    return str(ULID.from_datetime(now))


def time_of(identifier: str) -> datetime:
    """Return the time part of a ULID, in UTC. Raises ValueError for any text but a ULID."""
    from ulid import ULID

    return ULID.from_str(identifier).datetime


def is_ulid(text: str) -> bool:
    """Tell whether `text` is a ULID in its canonical spelling."""
    return bool(_ULID.fullmatch(text))


def first_id(at: datetime) -> str:
    """Return the first ULID, in order, of the millisecond `at`."""
    from ulid import ULID

    # A ULID counts from 1970.
    return str(ULID.from_bytes(max(_milliseconds(at), 0).to_bytes(6, "big") + bytes(10)))


def derived_id(at: datetime, *parts: str) -> str:
    """The ULID of something that already has an identity of its own.

    The time part is `at`; the random part is the head of SHA-256 over `parts`. The same thing
    met twice (a redelivered message, a second run of a trigger) gets the same id.
    """
    from ulid import ULID

    milliseconds = _milliseconds(at)
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + digest[:10]))


def numbered_ids(identifier: str, count: int) -> list[str]:
    """Return `count` ULIDs derived from a ULID, with its time: the same for the same arguments."""
    at = time_of(identifier)
    return [derived_id(at, identifier, str(number)) for number in range(count)]


def key(*parts: str) -> str:
    """Build a PartitionKey or RowKey of Table Storage from `parts`, joined by `|`.

    What the service forbids in keys (`/`, `\\`, `#`, `?`, control characters), `%` and `|` are
    percent-encoded with `^` for the percent sign, so that no two lists of parts share a key.
    Source: "Understanding the Table service data model", learn.microsoft.com.
    """
    return "|".join(quote(part, safe=_KEY_SAFE).replace("%", "^") for part in parts)


def is_id(text: str) -> bool:
    """Tell whether `text` has the form of an id from outside."""
    return _ID.match(text) is not None


def _milliseconds(at: datetime) -> int:
    """Milliseconds since 1970, exactly: a float of seconds loses some."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def in_milliseconds(at: datetime) -> datetime:
    """Return `at` in UTC, as precise as `rfc3339`, so that an answer equals the kept value."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def rfc3339(at: datetime) -> str:
    """`at` in UTC as RFC 3339 with milliseconds, e.g. `2026-11-23T15:04:05.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
