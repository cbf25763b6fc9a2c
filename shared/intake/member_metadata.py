"""Read the metadata of the files in an archive, as of files that are uploaded one by one."""

import tempfile
import time
import zipfile
from collections.abc import Iterator
from typing import IO, Final

from shared.intake.archive_names import names_in
from shared.metadata.collector import DOCUMENTS, Collector, needs_copy
from shared.metadata.parsing import Metadata
from shared.metadata.worker.result import TOO_LARGE, UNREADABLE, Merging
from shared.scanning.archive import Limits, contents, is_archive
from shared.scanning.content_type import HEAD_SIZE, detect
from shared.scanning.scanner import NotExamined, RefusedArchiveError

MAX_MEMBERS: Final = 1000
"""Files of one archive whose metadata is read."""
MAX_BYTES: Final = 1024**3
"""Unpacked bytes of one archive that are searched for metadata."""
MAX_SECONDS: Final = 60.0
"""Seconds after which no further file of an archive is read."""

_MAX_COPY: Final = 64 * 1024 * 1024
_IN_MEMORY: Final = 4 * 1024 * 1024
# The parts of an Office file. A sidecar and a drawing have types of their own.
_NO_METADATA: Final = frozenset({"application/xml"})
# Entries that only documents have: ECMA-376 part 2, OpenDocument 1.3 part 2, EPUB 3.3.
_MARKS: Final = frozenset(
    {"META-INF/container.xml", "META-INF/manifest.xml", "[Content_Types].xml"}
)


def read_members(archive: IO[bytes], limits: Limits | None = None) -> Metadata:
    """Return the metadata of every file in `archive`, and in archives within, as one.

    The note is "metadata-too-large" for an archive with more files, or bytes, than are read, or
    whose files take too long. Blocks, and raises OSError, as `parsing.read`.
    """
    found = Merging()
    until = time.monotonic() + MAX_SECONDS
    members = size = 0
    try:
        within = is_document(archive)
        for member in _members(archive, limits or Limits(), is_part=within):
            members += 1
            size += member.size
            found.add(member.metadata())
            if members == MAX_MEMBERS or size > MAX_BYTES or time.monotonic() > until:
                found.add(Metadata(note=TOO_LARGE))
                break
        found.add(names_in(archive, is_document=within))
    except RefusedArchiveError:
        found.add(Metadata(note=UNREADABLE))
    return found.metadata()


def is_document(archive: IO[bytes]) -> bool:
    """Tell whether `archive` is an Office, OpenDocument or EPUB file, by the entries of a zip."""
    try:
        with zipfile.ZipFile(archive) as package:
            return not _MARKS.isdisjoint(package.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


class _Member:
    """Take a member's bytes in pieces, and return the metadata after the last piece."""

    def __init__(self, *, is_part: bool) -> None:
        """`is_part` tells that the archive is a document, whose XML has a reader of its own."""
        self.size = 0
        self._is_part = is_part
        self._head = b""
        self._collector: Collector | None = None
        self._media_type = ""
        self._copy: IO[bytes] | None = None

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        self.size += len(piece)
        if self._collector is None:
            self._head += piece
            if len(self._head) < HEAD_SIZE:
                return
            piece = self._begin()
        self._take(piece)

    def metadata(self) -> Metadata:
        """Return the metadata, after the last byte; of an inner archive the names alone."""
        if self._collector is None:
            self._take(self._begin())
        if is_archive(self._head) and self._media_type not in DOCUMENTS:
            return Metadata(note=TOO_LARGE) if self._copy is None else names_in(self._copy)
        if self._collector is None or (self._is_part and self._media_type in _NO_METADATA):
            return Metadata()
        return self._collector.finish(self._copy)

    def close(self) -> None:
        """Remove the copy."""
        if self._copy is not None:
            self._copy.close()

    def _begin(self) -> bytes:
        start, self._head = self._head, self._head[:HEAD_SIZE]
        self._media_type = detect(start, self.size)
        self._collector = Collector(self._media_type)
        if needs_copy(self._media_type) or is_archive(self._head):
            self._copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed in close
        return start

    def _take(self, piece: bytes) -> None:
        if self._collector is not None:
            self._collector.feed(piece)
        if self._copy is not None:
            if self.size > _MAX_COPY:
                self.close()
                self._copy = None
            else:
                self._copy.write(piece)


def _members(archive: IO[bytes], limits: Limits, *, is_part: bool) -> Iterator[_Member]:
    """Yield each member after the last byte. The next step of the iteration closes the member."""
    member = _Member(is_part=is_part)
    try:
        for piece in contents(archive, limits):
            if isinstance(piece, NotExamined):
                continue
            if piece:
                member.feed(piece)
                continue
            if member.size:
                yield member
            member.close()
            member = _Member(is_part=is_part)
    finally:
        member.close()
