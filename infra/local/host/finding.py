"""Which blobs a function has not been run for yet, found by listing their container."""

import time
from dataclasses import dataclass

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobType
from azure.storage.blob.aio import ContainerClient

from infra.local.host.patterns import BlobPattern
from infra.local.host.receipts import Receipts


@dataclass(frozen=True)
class Found:
    """One version of one blob, and when (monotonic clock, seconds) it was known to be there."""

    name: str
    etag: str
    kind: str
    listed: float


class Listing:
    """Finds blobs by listing; a receipt for each that is done keeps it from being found again."""

    def __init__(self, source: ContainerClient, pattern: BlobPattern, receipts: Receipts) -> None:
        self._source = source
        self._pattern = pattern
        self._receipts = receipts

    async def load(self) -> None:
        """Recall what was done before; to be called once before all else."""
        await self._receipts.load()

    async def waiting(self) -> list[Found]:
        """The blobs that are not done."""
        known = self._receipts.settled()
        found = await self._list()
        await self._receipts.forget(
            known - {self._receipts.key(one.name, one.etag) for one in found}
        )
        return [one for one in found if not self._receipts.has(one.name, one.etag)]

    def failures(self, one: Found) -> int:
        """How often the function has failed with it."""
        return self._receipts.failures(one.name, one.etag)

    async def fail(self, one: Found) -> int:
        """Record that the function has failed with it once more; returns how often it has."""
        return await self._receipts.fail(one.name, one.etag)

    async def finish(self, one: Found) -> None:
        """Record that the function is done with it."""
        await self._receipts.write(one.name, one.etag)

    async def drop(self, one: Found) -> None:
        """It is gone: the next listing has it no more."""

    async def _list(self) -> list[Found]:
        blobs = self._source.list_blobs(name_starts_with=self._pattern.prefix or None)
        try:
            return [
                Found(blob.name, blob.etag, BlobType(blob.blob_type).value, time.monotonic())
                async for blob in blobs
                if self._pattern.match(blob.name) is not None
            ]
        except ResourceNotFoundError:
            # No container, no blobs: it may be made later.
            return []
