"""Blobs that a function still has to process, found by listing the blobs' container."""

import asyncio
import time
from dataclasses import dataclass, replace

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobProperties, BlobType
from azure.storage.blob.aio import ContainerClient

from infra.local.host.patterns import BlobPattern
from infra.local.host.receipts import Receipts

# After a whole listing, names alone are listed for this many times the listing's duration.
NAMES_FOR_LISTING = 20
MOST_NEW = 100


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
        self._found: dict[str, BlobVersion] = {}
        self._whole_until = 0.0

    async def load(self) -> None:
        """Read the receipts. Call once, before every other method."""
        await self._receipts.load()

    async def waiting(self) -> list[BlobVersion]:
        """Return the blobs that are not done."""
        known = self._receipts.settled()
        if time.monotonic() >= self._whole_until or not await self._add_new():
            await self._find_all()
        found = list(self._found.values())
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

    async def _find_all(self) -> None:
        began = time.monotonic()
        blobs = self._source.list_blobs(name_starts_with=self._pattern.prefix or None)
        try:
            self._found = {
                blob.name: _version(blob)
                async for blob in blobs
                if self._pattern.match(blob.name) is not None
            }
        except ResourceNotFoundError:
            # A missing container has no blobs, and may be created later.
            self._found = {}
        ended = time.monotonic()
        self._whole_until = ended + NAMES_FOR_LISTING * (ended - began)

    async def _add_new(self) -> bool:
        """Add the blobs of new names, by a listing of names alone; False for too many new names.

        A list of properties costs ten times the processor's time of a list of names. The next
        whole listing finds a blob that was written over.
        """
        names = self._source.list_blob_names(name_starts_with=self._pattern.prefix or None)
        try:
            present = {name async for name in names if self._pattern.match(name) is not None}
        except ResourceNotFoundError:
            return False
        new = present - self._found.keys()
        if len(new) > MOST_NEW:
            return False
        listed = time.monotonic()
        found = {name: replace(self._found[name], listed=listed) for name in present - new}
        added = await asyncio.gather(*map(self._head, sorted(new)))
        self._found = found | {version.name: version for version in added if version is not None}
        return True

    async def _head(self, name: str) -> BlobVersion | None:
        try:
            return _version(await self._source.get_blob_client(name).get_blob_properties())
        except ResourceNotFoundError:
            return None


def _version(blob: BlobProperties) -> BlobVersion:
    return BlobVersion(blob.name, blob.etag, BlobType(blob.blob_type).value, time.monotonic())
