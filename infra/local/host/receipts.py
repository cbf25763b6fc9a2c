"""Receipts: a record of each blob that a function is done with, as long as the blob exists.

A receipt's name is a hash of the blob's name and ETag, so the receipt fits any name and reveals no
name. The receipt also has the number of the function's failures with the blob, so a restarted host
continues the count. Memory holds a copy of the receipts, so a listing costs no look-ups. A receipt
is deleted after the blob is gone, so the receipts do not grow without limit.

The Functions host writes a blob for each receipt. The local host writes a row: after each deletion
of a blob Azurite sorts all its blobs anew, which takes as long as a dozen other requests where
there are ten thousand blobs. Receipts that are due at once share a request.
"""

import asyncio
import contextlib
import functools
import hashlib
from collections.abc import Iterable, Set
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableTransactionError
from azure.data.tables.aio import TableClient

TABLE = "AzureFunctionsBlobReceipts"
# "Performing entity group transactions" (learn.microsoft.com): at most 100 operations.
ROWS_AT_ONCE = 100
_KEYS = 1 << 16


class Receipts:
    """The receipts of one function for one container."""

    def __init__(self, table: TableClient, host: str, function: str, container: str) -> None:
        self._table = table
        self._partition = f"{host}|{function}"
        self._container = container
        self._done: set[str] = set()
        self._failures: dict[str, int] = {}
        self._unwritten: set[str] = set()
        # One request at a time: receipts that come meanwhile wait for the next request together.
        self._request = asyncio.Lock()

    async def load(self) -> None:
        """Read the existing receipts. Call once, before every other method."""
        with contextlib.suppress(ResourceExistsError):
            await self._table.create_table()
        rows = self._table.query_entities(
            "PartitionKey eq @partition", parameters={"partition": self._partition}
        )
        async for row in rows:
            if row["done"]:
                self._done.add(row["RowKey"])
            else:
                self._failures[row["RowKey"]] = row["failures"]

    def key(self, name: str, etag: str) -> str:
        """Return the receipt's name for one version of a blob."""
        return _key(self._container, name, etag.strip('"'))

    def has(self, name: str, etag: str) -> bool:
        """Tell whether the function is done with this version of the blob."""
        return self.key(name, etag) in self._done

    def all(self) -> frozenset[str]:
        """Return the names of the receipts. A receipt whose blob is gone is useless."""
        return frozenset(self._done | self._failures.keys())

    def failures(self, name: str, etag: str) -> int:
        """Return the number of failures of the function with this version of the blob."""
        return self._failures.get(self.key(name, etag), 0)

    async def fail(self, name: str, etag: str) -> int:
        """Record one more failure of the function with this version of the blob."""
        key = self.key(name, etag)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        await self._write(key)
        return failures

    async def write(self, name: str, etag: str) -> None:
        """Record that the function is done with this version of the blob."""
        key = self.key(name, etag)
        # Memory first: should writing fail, at least this host does not run the blob again.
        self._done.add(key)
        self._failures.pop(key, None)
        await self._write(key)

    async def forget(self, keys: Set[str]) -> None:
        """Delete the receipts with these names."""
        async with self._request:
            known = [key for key in keys if key in self._done or key in self._failures]
            for at in range(0, len(known), ROWS_AT_ONCE):
                some = known[at : at + ROWS_AT_ONCE]
                await self._delete(some)
                self._done.difference_update(some)
                self._unwritten.difference_update(some)
                for key in some:
                    self._failures.pop(key, None)

    async def close(self) -> None:
        """Close the connections to the account."""
        await self._table.close()

    async def _write(self, key: str) -> None:
        self._unwritten.add(key)
        async with self._request:
            if key not in self._unwritten:
                # An earlier request wrote the receipt.
                return
            others = self._unwritten - {key}
            some = [key, *others][:ROWS_AT_ONCE]
            # A failure that is counted meanwhile needs a request of its own.
            self._unwritten.difference_update(some)
            try:
                await self._table.submit_transaction([("upsert", self._row(one)) for one in some])
            except BaseException:
                self._unwritten.update(some)
                raise

    async def _delete(self, keys: Iterable[str]) -> None:
        rows = [{"PartitionKey": self._partition, "RowKey": key} for key in keys]
        try:
            await self._table.submit_transaction([("delete", row) for row in rows])
        except TableTransactionError:
            # A row that is missing, because the row was never written, refuses the transaction.
            await asyncio.gather(*map(self._table.delete_entity, rows))

    def _row(self, key: str) -> dict[str, Any]:
        return {
            "PartitionKey": self._partition,
            "RowKey": key,
            "done": key in self._done,
            "failures": self._failures.get(key, 0),
        }


@functools.lru_cache(_KEYS)
def _key(container: str, name: str, etag: str) -> str:
    return hashlib.sha256("\0".join((container, name, etag)).encode()).hexdigest()
