"""Identifiers and table keys."""

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

_KEY_SAFE = "-._~@:=,"


def new_id(now: datetime) -> str:
    """A new ULID whose time part is `now`."""
    # Imported here: it reads package metadata, which would slow every cold start.
    from ulid import ULID

    return str(ULID.from_datetime(now))


def time_of(identifier: str) -> datetime:
    """The time part of a ULID, in UTC. Raises ValueError for what is not a ULID."""
    from ulid import ULID

    return ULID.from_str(identifier).datetime


def derived_id(at: datetime, *parts: str) -> str:
    """The ULID of something that already has an identity of its own.

    The time part is `at`; the random part is the head of SHA-256 over `parts`. The same thing
    met twice (a redelivered message, a second run of a trigger) gets the same id.
    """
    from ulid import ULID

    milliseconds = int(at.timestamp() * 1000)
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + digest[:10]))


def key(*parts: str) -> str:
    """Build a PartitionKey or RowKey of Table Storage from `parts`, joined by `|`.

    What the service forbids in keys (`/`, `\\`, `#`, `?`, control characters), `%` and `|` are
    percent-encoded with `^` for the percent sign, so that no two lists of parts share a key.
    Source: "Understanding the Table service data model", learn.microsoft.com.
    """
    return "|".join(quote(part, safe=_KEY_SAFE).replace("%", "^") for part in parts)


def newest_first(at: datetime, identifier: str) -> str:
    """A RowKey that sorts younger entries before older ones, unique by `identifier`."""
    milliseconds = int(at.timestamp() * 1000)
    return key(f"{(1 << 48) - 1 - milliseconds:012x}", identifier)


def in_milliseconds(at: datetime) -> datetime:
    """`at` in UTC and as exact as `rfc3339` keeps it, so that what is answered is what is kept."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def rfc3339(at: datetime) -> str:
    """`at` in UTC as RFC 3339 with milliseconds, e.g. `2026-11-23T15:04:05.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
