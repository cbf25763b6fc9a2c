"""Blobs that a function still has to process, found by listing the blobs' container."""

import time
from dataclasses import dataclass

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobType
from azure.storage.blob.aio import ContainerClient

from infra.local.host.patterns import BlobPattern
from infra.local.host.receipts import Receipts


@dataclass(frozen=True)
class BlobVersion:
    """One version of one blob. ``listed`` is the time of the listing (monotonic clock, seconds)."""

    name: str
    etag: str
    kind: str
    listed: float


class Listing:
    """Find blobs by listing. A receipt keeps a blob that is done from being found again."""

    def __init__(self, source: ContainerClient, pattern: BlobPattern, receipts: Receipts) -> None:
        self._source = source
        self._pattern = pattern
        self._receipts = receipts

    async def load(self) -> None:
        """Read the receipts. Call once, before every other method."""
        await self._receipts.load()

    async def waiting(self) -> list[BlobVersion]:
        """Return the blobs that are not done."""
        known = self._receipts.settled()
        found = await self._list()
        await self._receipts.forget(
            known - {self._receipts.key(version.name, version.etag) for version in found}
        )
        return [version for version in found if not self._receipts.has(version.name, version.etag)]

    def failures(self, version: BlobVersion) -> int:
        """Return the number of failures of the function with this blob."""
        return self._receipts.failures(version.name, version.etag)

    async def fail(self, version: BlobVersion) -> int:
        """Record one more failure of the function with this blob; return the number of failures."""
        return await self._receipts.fail(version.name, version.etag)

    async def finish(self, version: BlobVersion) -> None:
        """Record that the function is done with this blob."""
        await self._receipts.write(version.name, version.etag)

    async def drop(self, version: BlobVersion) -> None:
        """Do nothing: the next listing lacks a blob that is gone."""

    async def _list(self) -> list[BlobVersion]:
        blobs = self._source.list_blobs(name_starts_with=self._pattern.prefix or None)
        try:
            return [
                BlobVersion(blob.name, blob.etag, BlobType(blob.blob_type).value, time.monotonic())
                async for blob in blobs
                if self._pattern.match(blob.name) is not None
            ]
        except ResourceNotFoundError:
            # A missing container has no blobs, and may be created later.
            return []
