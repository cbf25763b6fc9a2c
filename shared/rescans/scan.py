"""The scan of a stored blob: the bytes are hashed and fed to each engine, off the event loop."""

import asyncio
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

from shared.ports import BlobInfo, Blobs
from shared.scanning.content_notes import ContentNotes
from shared.scanning.engines import Engines, Scanned, close, finish
from shared.scanning.scanner import Scan
from shared.scanning.stored_file import open_stored

_IN_MEMORY: Final = 4 * 1024 * 1024
# As much of a file as intake keeps for its archives.
_SPOOL_LIMIT: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredScan:
    """The hash of the stored bytes, the findings of each engine, and the notes on the content."""

    sha256: str
    results: Sequence[Scanned]
    content_notes: Sequence[str]


async def scan_stored(
    engines: Engines, blobs: Blobs, asset: str, blob: BlobInfo, media_type: str
) -> StoredScan:
    """Scan the given version of a blob, of the given type. Takes at most 512 MiB on disk.

    Raises UnavailableError, BlobChangedError and BlobArchivedError.
    """
    scans = await engines.begin(asset, blob)
    digest = hashlib.sha256()
    spool: IO[bytes] | None = None
    notes: ContentNotes | None = None
    try:
        if blob.size <= _SPOOL_LIMIT:
            spool = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed below

        def feed(chunk: bytes) -> None:
            nonlocal notes
            notes = notes or ContentNotes(media_type, chunk)
            notes.feed(chunk)
            digest.update(chunk)
            for scan in scans:
                scan.feed(chunk)
            if spool is not None:
                spool.write(chunk)

        async with blobs.read(blob) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(feed, chunk)
        sha256 = digest.hexdigest()
        file = open_stored(blobs, blob, asyncio.get_running_loop()) if spool is None else spool
        results = await asyncio.to_thread(finish, scans, file, sha256)
        found = () if notes is None else await asyncio.to_thread(notes.finish, file, results)
        return StoredScan(sha256, results, found)
    finally:
        await asyncio.shield(asyncio.to_thread(_release, scans, spool))


def _release(scans: Sequence[Scan], spool: IO[bytes] | None) -> None:
    close(scans)
    if spool is not None:
        spool.close()
