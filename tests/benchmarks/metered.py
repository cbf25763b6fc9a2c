"""A meter before the port `Tables`: service operations and bytes."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

# The adapter's own encoder: the bytes are the bytes of the requests.
from shared.azure.transactions import _encode, _entity
from shared.ports import Operation, Row, Tables

# As long as the identifiers of a request, which are UUIDs.
_BATCH = f"batch_{'0' * 36}"
_CHANGESET = f"changeset_{'0' * 36}"
_ENDPOINT = "https://vouchsafe.table.core.windows.net"


@dataclass
class Metered:
    """Tables that count operations and bytes.

    `operations` has every operation of a transaction, every read of a row, and every page of a
    query. `bytes` has the bodies of the requests, from the adapter's own encoder, and the JSON of
    every row that was read. A write without a transaction counts as a transaction of one operation.
    HTTP headers and the answers to writes are not counted. `LogStore.append` needs no further
    method of the port.
    """

    tables: Tables
    operations: int = 0
    bytes: int = 0

    async def get(self, table: str, partition: str, row: str) -> Row | None:
        """Read a row, and count the read."""
        self.operations += 1
        found = await self.tables.get(table, partition, row)
        self._read(found)
        return found

    async def commit(self, table: str, operations: Sequence[Operation]) -> Sequence[str | None]:
        """Run a transaction, and count the operations and the encoded bytes."""
        self.operations += len(operations)
        self.bytes += len(_encode(f"{_ENDPOINT}/{table}", _BATCH, _CHANGESET, operations))
        return await self.tables.commit(table, operations)

    async def between(
        self, table: str, partition: str, first: str, last: str, *, size: int = 1000
    ) -> AsyncIterator[Row]:
        """Read a range of rows, and count its pages of `size`."""
        number = 0
        self.operations += 1
        async for row in self.tables.between(table, partition, first, last, size=size):
            if number and number % size == 0:
                self.operations += 1
            number += 1
            self._read(row)
            yield row

    def _read(self, row: Row | None) -> None:
        self.bytes += len(_entity(row)) if row else 0
