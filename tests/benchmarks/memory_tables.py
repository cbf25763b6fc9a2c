"""The port `Tables` in memory, for measurements of the app without an emulator.

The tables keep to the contract of the service. A transaction has at most 100 operations on
different rows of a partition, and takes effect as a whole. A failed precondition is told with its
position. Each write gives the row a new ETag. An entity has at most 1 MiB, and a transaction at
most 4 MiB.

Source: "Performing entity group transactions" and "Understanding the Table service data model",
learn.microsoft.com.
"""

import itertools
import operator
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from shared.errors import RowConflictError
from shared.ports import (
    Condition,
    Delete,
    Insert,
    Merge,
    Operation,
    Page,
    Replace,
    Row,
    Upsert,
    Value,
)

MAX_OPERATIONS: Final = 100
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_ENTITY_BYTES: Final = 1024 * 1024
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
    "le": operator.le,
    "lt": operator.lt,
}


class _Partition:
    """The rows of a partition, and their keys in order.

    New keys are put in order by the next range query: a write costs the same in a long partition.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._ordered: list[str] = []
        self._is_ordered = True

    def put(self, row: Row) -> None:
        if row.row not in self.rows:
            self._ordered.append(row.row)
            self._is_ordered = False
        self.rows[row.row] = row

    def drop(self, key: str) -> None:
        del self.rows[key]
        self._ordered.pop(bisect_left(self._keys(), key))

    def between(self, first: str, last: str | None, *, with_last: bool) -> Sequence[Row]:
        keys = self._keys()
        bisect = bisect_right if with_last else bisect_left
        end = len(keys) if last is None else bisect(keys, last)
        return [self.rows[key] for key in keys[bisect_left(keys, first) : end]]

    def _keys(self) -> list[str]:
        if not self._is_ordered:
            self._ordered.sort()
            self._is_ordered = True
        return self._ordered


class MemoryTables:
    """`shared.ports.Tables` in the memory of this process; no request ever fails."""

    def __init__(self) -> None:
        self._partitions: defaultdict[tuple[str, str], _Partition] = defaultdict(_Partition)
        self._writes = itertools.count()

    def rows(self, table: str) -> Iterator[Row]:
        """Yield every row of `table`, partition after partition, in no order."""
        for (name, _), partition in self._partitions.items():
            if name == table:
                yield from partition.rows.values()

    async def get(self, table: str, partition: str, row: str) -> Row | None:
        """Return an entity, or None."""
        return self._partitions[table, partition].rows.get(row)

    async def commit(self, table: str, operations: Sequence[Operation]) -> Sequence[str | None]:
        """Run a transaction. Raises RowConflictError, and ValueError beyond the limits."""
        keys = [_key(operation) for operation in operations]
        _check(operations, keys)
        partition = self._partitions[table, keys[0][0]]
        for position, operation in enumerate(operations):
            if not _is_allowed(operation, partition.rows.get(keys[position][1])):
                raise RowConflictError(table, position)
        return [self._apply(partition, operation) for operation in operations]

    def _apply(self, partition: _Partition, operation: Operation) -> str | None:
        if isinstance(operation, Delete):
            partition.drop(operation.row)
            return None
        row, values = operation.row, dict(operation.row.values)
        if isinstance(operation, Merge) and (kept := partition.rows.get(row.row)):
            values = {**kept.values, **values}
        # As long as an ETag of the service, since ETags are in requests.
        etag = f"W/\"datetime'2026-11-24T06%3A00%3A00.{next(self._writes):07}Z'\""
        partition.put(Row(row.partition, row.row, values, etag))
        return etag

    async def delete(self, table: str, partition: str, row: str) -> None:
        """Delete an entity; a missing entity is no error."""
        kept = self._partitions[table, partition]
        if row in kept.rows:
            kept.drop(row)

    async def page(
        self,
        table: str,
        partition: str,
        *,
        prefix: str = "",
        size: int = 100,
        continuation: str | None = None,
        between: tuple[str, str] | None = None,
        where: Sequence[Condition] = (),
        columns: Sequence[str] = (),
    ) -> Page:
        """Return a page; its continuation is the key of the first row of the next page."""
        first, last = between or _bounds(prefix)
        kept = self._partitions[table, partition]
        found = kept.between(max(first, continuation or ""), last, with_last=False)
        met = [row for row in found if all(_is_met(row, condition) for condition in where)]
        if columns:
            shown = [
                {name: row.values[name] for name in columns if name in row.values} for row in met
            ]
            met = [replace(row, values=one) for row, one in zip(met, shown, strict=True)]
        return Page(met[:size], met[size].row if len(met) > size else None)

    async def scan(
        self, table: str, partition: str, *, prefix: str = "", where: Sequence[Condition] = ()
    ) -> AsyncIterator[Row]:
        """Yield the rows whose keys begin with `prefix` and that meet `where`, in order."""
        kept = self._partitions[table, partition]
        for row in kept.between(*_bounds(prefix), with_last=False):
            if all(_is_met(row, condition) for condition in where):
                yield row

    async def between(
        self, table: str, partition: str, first: str, last: str, *, size: int = 1000
    ) -> AsyncIterator[Row]:
        """Yield the rows from `first` to `last`, both included, in order."""
        del size
        for row in self._partitions[table, partition].between(first, last, with_last=True):
            yield row


def size_of(values: Mapping[str, Value]) -> int:
    """Return the bytes of the values of an entity: 8 for a number or a boolean."""
    return sum(len(one) if isinstance(one, (bytes, str)) else 8 for one in values.values())


def _key(operation: Operation) -> tuple[str, str]:
    if isinstance(operation, Delete):
        return operation.partition, operation.row
    return operation.row.partition, operation.row.row


def _check(operations: Sequence[Operation], keys: Sequence[tuple[str, str]]) -> None:
    sizes = [0 if isinstance(one, Delete) else size_of(one.row.values) for one in operations]
    if not 1 <= len(operations) <= MAX_OPERATIONS:
        raise ValueError(f"A transaction has 1 to {MAX_OPERATIONS} operations.")
    if len({partition for partition, _ in keys}) > 1 or len(set(keys)) < len(keys):
        raise ValueError("A transaction is on different rows of one partition.")
    if max(sizes) > MAX_ENTITY_BYTES or sum(sizes) > MAX_BYTES:
        raise ValueError("An entity or the transaction is too large.")


def _is_allowed(operation: Operation, kept: Row | None) -> bool:
    match operation:
        case Insert():
            return kept is None
        case Replace(row):
            return kept is not None and kept.etag == row.etag
        case Delete(etag=etag):
            return kept is not None and etag in {None, kept.etag}
        case Upsert() | Merge():
            return True


def _is_met(row: Row, condition: Condition) -> bool:
    value = row.values.get(condition.column)
    return value is not None and _COMPARE[condition.comparison](value, condition.value)


def _bounds(prefix: str) -> tuple[str, str | None]:
    """Return the first key with `prefix`, and the first key behind all keys with `prefix`."""
    return prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else None
