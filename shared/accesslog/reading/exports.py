"""Exports of a log: whole and verifiable offline, or a filtered listing.

An export is written to the container `exports` in blocks, with flat memory at any size, and read
through a link that expires after minutes. The log records each export before the export is made.
Exports are deleted a day later, because an export would outlive a redaction.

A damaged log is exported too, because the tenant needs the evidence. The export has every readable
entry, with lines for missing entries and for the end of the signed part. An export is refused only
for a log that takes no more entries, because the export could not be logged.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.accesslog.proofs.checkpoints import Checkpoints, Published
from shared.accesslog.reading.filters import EntryFilter
from shared.accesslog.reading.formats import MEDIA_TYPES, Format, encoded
from shared.accesslog.reading.listing import Reading
from shared.accesslog.service import AccessLog
from shared.accesslog.storage.errors import LogDamagedError
from shared.accesslog.storage.store import LogStore
from shared.catalogue import EXPORTS_CONTAINER
from shared.errors import NotFoundError
from shared.identity.rules import Caller
from shared.ids import new_id
from shared.merkle.export import (
    end_line,
    entry_line,
    header_line,
    missing_line,
    tile_line,
    tiles_before,
    unsigned_line,
)
from shared.ports import Blobs, Clock

CONTAINER: Final = EXPORTS_CONTAINER.name
_FOLDER: Final = "log/"
_LINK_LIFETIME: Final = timedelta(minutes=15)
_KEPT_FOR: Final = timedelta(days=1)
_CHUNK: Final = 256 * 1024
# The export stops at a larger gap: the row that claims entries beyond the gap is wrong.
_LARGEST_GAP: Final = 65_536
_READ_BY_URL: Final = (
    "Read the log where it is served: `verify-log` with its URL says where it is damaged. Report it"
    " to the operator, who has an incident that says where, too."
)


@dataclass(frozen=True, slots=True)
class Export:
    """The URL of an export, and the URL's time of expiry."""

    url: str
    expires: datetime


class Exports:
    """Exports of every tenant's log."""

    def __init__(
        self,
        store: LogStore,
        reading: Reading,
        checkpoints: Checkpoints,
        log: AccessLog,
        blobs: Blobs,
        clock: Clock,
    ) -> None:
        self._store = store
        self._reading = reading
        self._checkpoints = checkpoints
        self._log = log
        self._blobs = blobs
        self._clock = clock

    async def whole(self, tenant: str, caller: Caller) -> Export:
        """Export every entry under a present checkpoint, in the format of `verify-log`."""
        await self._record(tenant, caller, "log/export")
        return await self._write(tenant, "ndjson", _chunks(self._lines(tenant)))

    async def listing(
        self, tenant: str, wanted: EntryFilter, form: Format, caller: Caller
    ) -> Export:
        """Export the entries that pass `wanted`, newest first."""
        await self._record(tenant, caller, "log/entries")
        entries = self._reading.every(tenant, wanted)
        return await self._write(tenant, form, encoded(entries, form))

    async def tidy(self) -> None:
        """Delete exports older than a day."""
        oldest = self._clock() - _KEPT_FOR
        async for blob in self._blobs.scan(CONTAINER):
            if blob.name.startswith(_FOLDER) and blob.last_modified < oldest:
                await self._blobs.delete(CONTAINER, blob.name)

    async def _lines(self, tenant: str) -> AsyncIterator[bytes]:
        published, is_signed = await self._checkpoint(tenant)
        size = published.size
        yield header_line(published.note, self._checkpoints.origin(tenant), size)
        lost = 0
        async for index, entry, check in self._store.read_checked(tenant, size):
            tiles = tiles_before(index, size)
            if lost and (tiles or entry is not None):
                yield missing_line(index - lost, index - 1)
                lost = 0
            for tile in tiles:
                # Without the tile, a verifier only locates a change less exactly.
                with suppress(LogDamagedError, NotFoundError):
                    yield tile_line(tile, await self._store.tile(tenant, tile))
            if entry is None:
                lost += 1
            else:
                yield entry_line(index, entry, check)
        if lost:
            yield missing_line(size - lost, size - 1)
        if not is_signed:
            yield unsigned_line(size)
            async for line in self._lines_beyond(tenant, size):
                yield line
        yield end_line(size)

    async def _lines_beyond(self, tenant: str, size: int) -> AsyncIterator[bytes]:
        """Yield the lines of the readable entries beyond the first `size`."""
        lost = 0
        end = (await self._store.head(tenant)).size
        async for index, entry, check in self._store.read_checked(tenant, end, size):
            if entry is not None:
                yield entry_line(index, entry, check)
            lost = lost + 1 if entry is None else 0
            if lost > _LARGEST_GAP:
                return

    async def _checkpoint(self, tenant: str) -> tuple[Published, bool]:
        """Publish a checkpoint; for a log that cannot be signed, return the newest checkpoint."""
        try:
            published, is_signed = await self._checkpoints.publish(tenant), True
        except LogDamagedError:
            newest = await self._checkpoints.newest(tenant)
            if newest is None:
                raise
            published, is_signed = newest, False
        return await self._checkpoints.witnessed(tenant, published), is_signed

    async def _record(self, tenant: str, caller: Caller, resource: str) -> None:
        try:
            await self._log.record_answer(tenant, caller, "log.exported", resource)
        except LogDamagedError as error:
            raise LogDamagedError(error.index, _READ_BY_URL) from error

    async def _write(self, tenant: str, form: Format, chunks: AsyncIterator[bytes]) -> Export:
        now = self._clock()
        name = f"{_FOLDER}{tenant}/{new_id(now)}.{form}"
        await self._blobs.write_stream(CONTAINER, name, chunks, MEDIA_TYPES[form])
        expires = self._clock() + _LINK_LIFETIME
        filename = f"{tenant}-log-{now:%Y%m%dT%H%M%SZ}.{form}"
        return Export(self._blobs.read_url(CONTAINER, name, expires, filename), expires)


async def _chunks(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    parts: list[bytes] = []
    size = 0
    async for line in lines:
        parts.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)
