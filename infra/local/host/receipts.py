"""Receipts: a record of each blob that a function is done with, as long as the blob exists.

A receipt's name is a hash of the blob's name and ETag, so the receipt fits any name and reveals no
name. The number of a blob's failures is stored in the same way, so a restarted host continues the
count. Memory holds a copy of both records, so a listing costs no look-ups. Both records are deleted
after the blob is gone, so neither grows without limit.
"""

import asyncio
import hashlib
from collections.abc import Set

from infra.local.host.storage import HostStorage

DELETES_AT_ONCE = 16


class Receipts:
    """The receipts of one function for one container."""

    def __init__(self, storage: HostStorage, function: str, container: str) -> None:
        self._storage = storage
        self._function = function
        self._container = container
        self._prefix = f"blobreceipts/{storage.host}/Host.Functions.{function}/"
        self._failures_prefix = f"blobfailures/{storage.host}/Host.Functions.{function}/"
        self._done: set[str] = set()
        self._failures: dict[str, int] = {}
        self._writing: set[str] = set()

    async def load(self) -> None:
        """Read the existing receipts. Call once, before every other method."""
        await self._storage.open()
        self._done = {
            name.removeprefix(self._prefix) async for name in self._storage.names(self._prefix)
        }
        async for name in self._storage.names(self._failures_prefix):
            counted = await self._storage.read(name) or {"failures": 0}
            self._failures[name.removeprefix(self._failures_prefix)] = counted["failures"]

    def key(self, name: str, etag: str) -> str:
        """Return the receipt's name for one version of a blob."""
        text = "\0".join((self._container, name, etag.strip('"')))
        return hashlib.sha256(text.encode()).hexdigest()

    def has(self, name: str, etag: str) -> bool:
        """Tell whether the function is done with this version of the blob."""
        return self.key(name, etag) in self._done

    def settled(self) -> frozenset[str]:
        """Return the written records. A record without a blob in a later listing is useless."""
        return frozenset((self._done | self._failures.keys()) - self._writing)

    def failures(self, name: str, etag: str) -> int:
        """Return the number of failures of the function with this version of the blob."""
        return self._failures.get(self.key(name, etag), 0)

    async def fail(self, name: str, etag: str) -> int:
        """Record one more failure of the function with this version of the blob."""
        key = self.key(name, etag)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self._writing.add(key)
        try:
            await self._storage.write(self._failures_prefix + key, {"failures": failures})
        finally:
            self._writing.discard(key)
        return failures

    async def write(self, name: str, etag: str) -> None:
        """Record that the function is done with this version of the blob."""
        key = self.key(name, etag)
        # Memory first: should writing fail, at least this host does not run the blob again.
        self._done.add(key)
        self._writing.add(key)
        try:
            await self._storage.write(self._prefix + key, {})
            if self._failures.pop(key, 0):
                await self._storage.delete(self._failures_prefix + key)
        finally:
            self._writing.discard(key)

    async def forget(self, keys: Set[str]) -> None:
        """Delete the records with these names."""
        at_once = asyncio.Semaphore(DELETES_AT_ONCE)

        async def delete(key: str) -> None:
            async with at_once:
                if key in self._done:
                    await self._storage.delete(self._prefix + key)
                    self._done.discard(key)
                if key in self._failures:
                    await self._storage.delete(self._failures_prefix + key)
                    self._failures.pop(key, None)

        # A record whose deletion fails stays known. The next listing tries again.
        results = await asyncio.gather(*map(delete, keys), return_exceptions=True)
        for error in filter(None, results):
            raise error
