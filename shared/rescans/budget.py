"""The day's budget of bytes, and the time at which the stamp first had its signatures."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.catalogue import RESCANS_TABLE
from shared.compare_and_set import compare_and_set
from shared.errors import RowConflictError
from shared.ids import key, rfc3339
from shared.ports import Clock, Insert, Operation, Replace, Row, Tables
from shared.rescans.rules import has_room
from shared.scanning.scanner import Engine

_TABLE: Final = RESCANS_TABLE.name
_DAYS: Final = key("days")
_SIGNATURES: Final = key("signatures")
_PRESENT: Final = key("present")


class Budget:
    """The bytes that rescans may read in a day (UTC), of all tenants together."""

    def __init__(self, tables: Tables, clock: Clock, limit: int) -> None:
        """`limit` is in bytes; 0 for no rescans."""
        self._tables = tables
        self._clock = clock
        self._limit = limit

    @property
    def is_none(self) -> bool:
        """Tell whether the stamp scans nothing again."""
        return self._limit == 0

    async def has_room(self) -> bool:
        """Tell whether the day's budget takes a further asset."""
        _, spent = await self._read()
        return has_room(spent, self._limit)

    async def take(self, size: int) -> bool:
        """Take `size` bytes of the day's budget; False where nothing is left.

        The bytes of a scan that a crash ends stay taken.
        """

        async def attempt() -> bool:
            row, spent = await self._read()
            if not has_room(spent, self._limit):
                return False
            values = {"bytes": spent + size}
            after = Row(_DAYS, self._day(), values, None if row is None else row.etag)
            operation: Operation = Insert(after) if row is None else Replace(after)
            await self._tables.commit(_TABLE, [operation])
            return True

        return await compare_and_set(attempt)

    async def _read(self) -> tuple[Row | None, int]:
        row = await self._tables.get(_TABLE, _DAYS, self._day())
        return row, 0 if row is None else int(row.values["bytes"])

    def _day(self) -> str:
        return key(self._clock().date().isoformat())


class PresentSignatures:
    """The signatures of the engines, with the time at which the stamp first had them."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def since(self, engines: Sequence[Engine], now: datetime) -> datetime:
        """Return the time at which the stamp first had the signatures of `engines`, at most `now`.

        Older signatures that return count as new.
        """
        text = "\n".join(f"{one.name} {one.version} {one.signatures}" for one in engines)
        digest = hashlib.sha256(text.encode()).hexdigest()
        row = await self._tables.get(_TABLE, _SIGNATURES, _PRESENT)
        if row is not None and row.values["signatures"] == digest:
            return datetime.fromisoformat(str(row.values["since"]))
        values = {"signatures": digest, "since": rfc3339(now)}
        after = Row(_SIGNATURES, _PRESENT, values, None if row is None else row.etag)
        operation: Operation = Insert(after) if row is None else Replace(after)
        try:
            await self._tables.commit(_TABLE, [operation])
        except RowConflictError:
            # Another instance has just kept the time.
            return now
        return now
