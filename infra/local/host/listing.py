"""Blobs that a function still has to process, found by listing the blobs' container.

The listing goes by top folders. Each listing takes at most a tenth of the time, as a listing delays
every other request to the store. The listing of a folder with many blobs therefore comes seldom,
runs in the background, and delays no other folder's listing.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobProperties, BlobType
from azure.storage.blob.aio import BlobPrefix, ContainerClient

from infra.local.host.patterns import BlobPattern
from infra.local.host.receipts import Receipts

# After a listing the next listing waits for this many times the listing's duration.
PAUSE_FOR_LISTING: Final = 9
# After a whole listing, names alone are listed for this many times the listing's duration.
NAMES_FOR_LISTING: Final = 20
MOST_NEW: Final = 100
# The trigger takes only a few blobs of each folder before the trigger asks again.
MOST_WAITING: Final = 1000
# The trigger waits this long for the listings; a longer listing goes on in the background.
WAIT_SECONDS: Final = 0.25


@dataclass(frozen=True)
class BlobVersion:
    """One version of one blob. ``listed`` is the time of the listing (monotonic clock, seconds)."""

    name: str
    etag: str
    kind: str
    listed: float


type BlobsByName = dict[str, BlobVersion]
"""Blobs by name."""


class _Folder:
    """The blobs whose names begin with a prefix, as listed last."""

    def __init__(self, source: ContainerClient, pattern: BlobPattern, prefix: str) -> None:
        self._source = source
        self._pattern = pattern
        self._prefix = prefix
        self.found: BlobsByName = {}
        self.waiting: BlobsByName = {}
        self._whole_until = 0.0
        self._due = 0.0
        self._task: asyncio.Task[BlobsByName] | None = None

    def begin(self) -> asyncio.Task[BlobsByName] | None:
        """Begin a listing when due. Returns the listing under way."""
        if self._task is None and time.monotonic() >= self._due:
            self._task = asyncio.create_task(self._list())
        return self._task

    def end(self, receipts: Receipts) -> list[BlobVersion]:
        """Take over a listing that ended. Returns the versions that are gone. Raises AzureError."""
        if self._task is None or not self._task.done():
            return []
        task, self._task = self._task, None
        return self.take_over(task.result(), receipts)

    def take_over(self, found: BlobsByName, receipts: Receipts) -> list[BlobVersion]:
        """Take over the blobs of a listing. Returns the versions that are gone."""
        before, self.found = self.found, found
        self.waiting = {
            name: version for name, version in found.items() if not receipts.has(name, version.etag)
        }
        return [version for version in before.values() if not self.has(version)]

    def has(self, version: BlobVersion) -> bool:
        """Tell whether the last listing had this version of the blob."""
        found = self.found.get(version.name)
        return found is not None and found.etag == version.etag

    async def stop(self) -> None:
        """End a listing under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _list(self) -> BlobsByName:
        began = time.monotonic()
        found = await self._with_new() if began < self._whole_until else None
        if found is None:
            found = await self._whole()
        ended = time.monotonic()
        self._due = ended + PAUSE_FOR_LISTING * (ended - began)
        return found

    async def _whole(self) -> BlobsByName:
        began = time.monotonic()
        found = {
            blob.name: _version(blob)
            async for blob in self._source.list_blobs(name_starts_with=self._prefix)
            if self._pattern.match(blob.name) is not None
        }
        ended = time.monotonic()
        self._whole_until = ended + NAMES_FOR_LISTING * (ended - began)
        return found

    async def _with_new(self) -> BlobsByName | None:
        """Add the blobs of new names, by a listing of names alone; None for too many new names.

        A list of properties costs ten times the processor's time of a list of names. The next
        whole listing finds a blob that was written over.
        """
        names = self._source.list_blob_names(name_starts_with=self._prefix)
        present = {name async for name in names if self._pattern.match(name) is not None}
        new = present - self.found.keys()
        if len(new) > MOST_NEW:
            return None
        listed = time.monotonic()
        found = {name: replace(self.found[name], listed=listed) for name in present - new}
        added = await asyncio.gather(*map(self._head, sorted(new)))
        return found | {version.name: version for version in added if version is not None}

    async def _head(self, name: str) -> BlobVersion | None:
        try:
            return _version(await self._source.get_blob_client(name).get_blob_properties())
        except ResourceNotFoundError:
            return None


class Listing:
    """Find blobs by listing. A receipt keeps a blob that is done from being found again."""

    def __init__(self, source: ContainerClient, pattern: BlobPattern, receipts: Receipts) -> None:
        self._source = source
        self._pattern = pattern
        self._receipts = receipts
        # The blobs beside the folders.
        self._top = _Folder(source, pattern, pattern.prefix)
        self._folders: dict[str, _Folder] = {}
        self._due = 0.0
        # False until each folder was listed.
        self._complete = False
        # Receipts of blobs that are gone.
        self._useless: set[str] = set()

    async def load(self) -> None:
        """Read the receipts. Call once, before every other method."""
        await self._receipts.load()

    async def waiting(self) -> list[BlobVersion]:
        """Return blobs that are not done, a limited number of each folder."""
        if time.monotonic() >= self._due:
            await self._find_folders()
        listings = [task for folder in self._folders.values() if (task := folder.begin())]
        if listings:
            await asyncio.wait(listings, timeout=WAIT_SECONDS if self._complete else None)
        for folder in self._folders.values():
            self._forget_later(folder.end(self._receipts))
        if not self._complete:
            self._useless |= self._receipts.all() - {
                self._receipts.key(version.name, version.etag)
                for folder in self._all()
                for version in folder.found.values()
            }
            self._complete = True
        await self._receipts.forget(self._useless)
        self._useless.clear()
        return [
            version
            for folder in self._all()
            for version in itertools.islice(folder.waiting.values(), MOST_WAITING)
        ]

    def failures(self, version: BlobVersion) -> int:
        """Return the number of failures of the function with this blob."""
        return self._receipts.failures(version.name, version.etag)

    async def fail(self, version: BlobVersion) -> int:
        """Record one more failure of the function with this blob; return the number of failures."""
        failures = await self._receipts.fail(version.name, version.etag)
        self._forget_if_gone(version)
        return failures

    async def finish(self, version: BlobVersion) -> None:
        """Record that the function is done with this blob."""
        await self._receipts.write(version.name, version.etag)
        await self.drop(version)
        self._forget_if_gone(version)

    async def drop(self, version: BlobVersion) -> None:
        """Leave out a blob that is gone; the next listing lacks the blob."""
        folder = self._folder(version)
        waiting = None if folder is None else folder.waiting.get(version.name)
        if folder is not None and waiting is not None and waiting.etag == version.etag:
            del folder.waiting[version.name]

    async def close(self) -> None:
        """End the listings under way, and close the connections to the receipts."""
        await asyncio.gather(*(folder.stop() for folder in self._folders.values()))
        await self._receipts.close()

    async def _find_folders(self) -> None:
        began = time.monotonic()
        items = self._source.walk_blobs(self._pattern.prefix or None, delimiter="/")
        prefixes = set()
        beside: BlobsByName = {}
        # A missing container has no blobs, and may be created later.
        with contextlib.suppress(ResourceNotFoundError):
            async for item in items:
                if isinstance(item, BlobPrefix):
                    prefixes.add(item.name)
                elif self._pattern.match(item.name) is not None:
                    beside[item.name] = _version(item)
        ended = time.monotonic()
        self._due = ended + PAUSE_FOR_LISTING * (ended - began)
        self._forget_later(self._top.take_over(beside, self._receipts))
        for prefix in self._folders.keys() - prefixes:
            folder = self._folders.pop(prefix)
            await folder.stop()
            self._forget_later(folder.found.values())
        for prefix in prefixes - self._folders.keys():
            self._folders[prefix] = _Folder(self._source, self._pattern, prefix)

    def _all(self) -> list[_Folder]:
        return [self._top, *self._folders.values()]

    def _folder(self, version: BlobVersion) -> _Folder | None:
        prefix = self._pattern.prefix
        top, slash, _ = version.name.removeprefix(prefix).partition("/")
        return self._folders.get(f"{prefix}{top}/") if slash else self._top

    def _forget_if_gone(self, version: BlobVersion) -> None:
        folder = self._folder(version)
        if folder is None or not folder.has(version):
            self._forget_later([version])

    def _forget_later(self, gone: Iterable[BlobVersion]) -> None:
        self._useless |= {self._receipts.key(version.name, version.etag) for version in gone}


def _version(blob: BlobProperties) -> BlobVersion:
    return BlobVersion(blob.name, blob.etag, BlobType(blob.blob_type).value, time.monotonic())
