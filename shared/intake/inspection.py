"""A single pass over an upload's bytes: hash, type, scan, and a copy for random access.

Metadata of pictures and members of archives need random access, and get a temporary file up to a
limit. A film therefore costs neither memory nor disk. Of a file above the limit, the scans read
parts of the stored blob again.

One pass takes at most 512 MiB on disk. Files within an archive take at most 2 GiB more
(`archive.Limits.size`). The end of the pass frees everything. A full disk raises OSError out of the
pass, and so nothing unread is cleared.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import IO

from shared.assets.rules import DocumentFound
from shared.intake.member_metadata import is_document, read_members
from shared.intake.rules import Inspection
from shared.metadata.collector import DOCUMENTS, Collector, needs_copy
from shared.metadata.parsing import Metadata
from shared.metadata.worker.result import TOO_LARGE, UNREADABLE, XMP_ONLY, merged
from shared.scanning.archive import is_archive
from shared.scanning.content_notes import ContentNotes
from shared.scanning.content_type import detect
from shared.scanning.engines import close, finish, is_infected, refusal_of
from shared.scanning.scanner import Scan
from shared.subjects.notes import UNREAD

_SPOOL_IN_MEMORY = 4 * 1024 * 1024
# A file with random access gets a temporary file up to the first limit. Any further file gets a
# temporary file up to the second, because a file of any type may end with an archive.
_SPOOL_LIMIT = 512 * 1024 * 1024
_SPOOL_LIMIT_OTHERS = 64 * 1024 * 1024


class Pass:
    """A pass, for one thread at a time. A pass uses no event loop."""

    def __init__(
        self,
        scans: Sequence[Scan],
        size: int,
        stored: Callable[[], IO[bytes]] | None = None,
    ) -> None:
        """`size` is the blob's, in bytes.

        `stored` opens the blob, for the scans of a file that is too large to be kept.
        The exit from the pass closes every one of `scans`.
        """
        self._scans = scans
        self._size = size
        self._stored = stored
        self._seen = 0
        self._hash = hashlib.sha256()
        self._media_type = "application/octet-stream"
        self._is_archive = False
        self._spool: IO[bytes] | None = None
        self._metadata: Collector | None = None
        self._notes: ContentNotes | None = None

    def __enter__(self) -> "Pass":
        return self

    def __exit__(self, *_: object) -> None:
        close(self._scans)
        if self._spool is not None:
            self._spool.close()

    @property
    def is_whole(self) -> bool:
        """Tell whether the pass has read every byte of the blob."""
        return self._seen == self._size

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._seen == 0:
            self._media_type = detect(chunk, self._size)
            self._is_archive = is_archive(chunk)
            if self._size <= self._spool_limit(chunk):
                self._spool = tempfile.SpooledTemporaryFile(_SPOOL_IN_MEMORY)  # noqa: SIM115 - closed in __exit__
            self._notes = ContentNotes(self._media_type, chunk)
            self._metadata = Collector(self._media_type)
        self._seen += len(chunk)
        self._hash.update(chunk)
        for scan in self._scans:
            scan.feed(chunk)
        if self._notes is not None:
            self._notes.feed(chunk)
        if self._metadata is not None:
            self._metadata.feed(chunk)
        if self._spool is not None:
            self._spool.write(chunk)

    def finish(self) -> Inspection:
        """Return the results after the last byte."""
        sha256 = self._hash.hexdigest()
        with self._file() as file:
            scans = finish(self._scans, file, sha256)
            content_notes = () if self._notes is None else self._notes.finish(file, scans)
        metadata = Metadata(note=UNREAD if is_infected(scans) else None)
        if self._metadata is not None and not is_infected(scans):
            metadata = self._metadata.finish(self._spool)
        if self._is_archive and not is_infected(scans):
            is_refused = refusal_of(scans) is not None
            metadata = self._with_members(metadata, is_refused=is_refused)
        return Inspection(
            size=self._seen,
            sha256=sha256,
            media_type=self._media_type,
            scans=scans,
            texts=metadata.texts,
            people=sorted({person.field for person in metadata.people}),
            documents=[DocumentFound(field=d.field, id=d.identifier) for d in metadata.documents],
            metadata_note=metadata.note,
            content_notes=content_notes,
        )

    def _file(self) -> AbstractContextManager[IO[bytes] | None]:
        """Return the whole file: the copy, or else the stored blob."""
        if self._spool is None and self._stored is not None:
            return self._stored()
        return nullcontext(self._spool)

    def _with_members(self, metadata: Metadata, *, is_refused: bool) -> Metadata:
        """Return the metadata of the archive with the metadata of the files in the archive.

        A refused archive is not unpacked.
        """
        if is_refused:
            return merged((metadata, Metadata(note=UNREADABLE)))
        if self._spool is None:
            return merged((metadata, Metadata(note=TOO_LARGE)))
        if metadata.note == XMP_ONLY:
            # The files are read by the readers of their types.
            metadata = replace(metadata, note=None)
        members = read_members(self._spool)
        document = self._media_type in DOCUMENTS or is_document(self._spool)
        if document and members.note == XMP_ONLY:
            # Parts of a document that are no pictures name nobody.
            members = replace(members, note=None)
        return merged((metadata, members))

    def _spool_limit(self, head: bytes) -> int:
        random_access = needs_copy(self._media_type) or is_archive(head)
        return _SPOOL_LIMIT if random_access else _SPOOL_LIMIT_OTHERS


async def run(inspecting: Pass, chunks: AsyncIterator[bytes]) -> Inspection:
    """Feed `inspecting` with every one of `chunks` and return the results.

    Two chunks are in memory at a time: the chunk under inspection and the incoming chunk. On
    return, and after an error or a cancellation, no thread works on the pass.
    """
    work: asyncio.Future[Inspection | None] | None = None
    found = None
    try:
        async for chunk in chunks:
            if work is not None:
                await asyncio.shield(work)
            work = asyncio.ensure_future(asyncio.to_thread(_take, inspecting, chunk))
        if work is not None:
            found = await asyncio.shield(work)
    finally:
        # After a failed read, the earlier chunk may still be under inspection; report the failed
        # read.
        if work is not None:
            await asyncio.gather(work, return_exceptions=True)
    return await asyncio.to_thread(inspecting.finish) if found is None else found


def _take(inspecting: Pass, chunk: bytes) -> Inspection | None:
    """Feed a chunk; the last chunk also finishes, so that a photo takes one thread once."""
    inspecting.feed(chunk)
    return inspecting.finish() if inspecting.is_whole else None
