"""Look into archives with bounded memory, work and depth."""

import io
import re
import struct
import tempfile
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import IO, Final

from shared.scanning.carriers import EXAMINERS, unlisted_entries
from shared.scanning.carriers.marks import Marks, marks_of
from shared.scanning.carriers.parts import Part
from shared.scanning.png_chunks import SIGNATURE as PNG
from shared.scanning.png_chunks import texts
from shared.scanning.scanner import NotExamined, RefusedArchiveError
from shared.scanning.tar_bzip2_xz import Readable, bzip2, gunzip, is_tar, tar_members, xz
from shared.scanning.windows import Window
from shared.scanning.zips import (
    STARTS,
    ZIP_ENTRY,
    Content,
    check_readable,
    has_directory,
    read_entries,
)

_PIECE: Final = 256 * 1024
_IN_MEMORY: Final = 1024 * 1024
# A file of any type may have a zip directory at its end. A member up to this size is copied, so
# that the end of the member can be searched for a directory.
_MAX_COPY: Final = 512 * 1024 * 1024

_GZIP: Final = b"\x1f\x8b"
_XZ: Final = b"\xfd7zXZ\0"
# The block size, then the magic number of the first block or of the end of the stream.
_BZIP2: Final = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
# Formats that the scanner cannot unpack, by the bytes at an offset.
_UNSUPPORTED: Final = (
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!\x1a\x07"),
    # Zstandard, LZ4, lzip, compress and the older lzma.
    (0, b"\x28\xb5\x2f\xfd"),
    (0, b"\x04\x22\x4d\x18"),
    (0, b"LZIP\x01"),
    *((0, b"\x1f\x9d" + bytes([0x80 | bits])) for bits in range(9, 17)),
    (0, b"\x5d\0\0"),
    # Cabinet, ACE, LHA and xar (Apple's).
    (0, b"MSCF\0\0\0\0"),
    (7, b"**ACE**"),
    (2, b"-lh"),
    (0, b"xar!"),
)
HEAD_SIZE: Final = 512
"""Number of a file's first bytes that `is_archive` needs."""

# Exceptions of the standard library for malformed bytes.
_BROKEN: Final = (zlib.error, struct.error, EOFError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits above which an archive is refused."""

    depth: int = 8
    """Archives within archives; an Office document in a zip is at depth 2."""
    members: int = 20_000
    """Members in total, with the members of inner archives."""
    size: int = 2 * 1024**3
    """Unpacked bytes in total."""
    ratio: int = 200
    """Unpacked bytes in total for each byte of the outermost archive."""
    free: int = 64 * 1024**2
    """Unpacked bytes that are allowed at any ratio."""


def is_archive(head: bytes) -> bool:
    """Tell whether a file that begins with `head` must be unpacked to be scanned.

    True for zip and for every format built on zip (Office and OpenDocument files, EPUB), tar, gzip,
    bzip2 and xz.
    """
    return head.startswith((*STARTS, _GZIP, _XZ)) or bool(_BZIP2.match(head)) or is_tar(head)


def refuse_unsupported(head: bytes) -> None:
    """Raise RefusedArchiveError for a file that begins with `head` and cannot be unpacked here."""
    if any(head.startswith(magic, offset) for offset, magic in _UNSUPPORTED):
        raise RefusedArchiveError("archive-unsupported")


def contents(file: IO[bytes], limits: Limits, marks: Marks | None = None) -> Iterator[Part]:
    """Yield the content of the archive `file`: pieces of at most 256 KiB, b"" after each member.

    An inner archive is yielded as a member, and then unpacked in turn. The texts of a PNG are
    yielded as well, also where `file` itself is the PNG; and so are the parts that an examiner
    finds. A file without an archive's magic number is unpacked if a zip directory stands at the
    end, as unzip does. `marks` are those of `file`, where they are known: the file is then not read
    for them again. Moves the position in `file`. Raises RefusedArchiveError.
    """
    size = file.seek(0, io.SEEK_END)
    allowed = min(limits.size, max(limits.free, size * limits.ratio))
    yield from _ArchiveWalk(limits.depth, limits.members, allowed).within(file, 0, marks)


# One xz may take much memory, so the process unpacks one xz at a time.
_xz_turn: Final = threading.Lock()


class _ArchiveWalk:
    """Walk through the archives of one upload, and count the cost."""

    def __init__(self, depth: int, members: int, size: int) -> None:
        self._depth = depth
        self._members_left = members
        self._size_left = size

    def within(self, file: IO[bytes], depth: int, marks: Marks | None = None) -> Iterator[Part]:
        """Yield the content of a file at `depth`: of an archive, a picture, or an embedded part."""
        file.seek(0)
        head = file.read(HEAD_SIZE)
        refuse_unsupported(head)
        if head.startswith(PNG):
            yield from self._parts(texts(file), depth + 1)
        if is_archive(head):
            yield from self.archive(file, head, depth + 1)
            if not head.startswith(STARTS) and has_directory(file):
                # Headers of tar and gzip, and the padding of tar, have room for a zip.
                yield from self._parts(unlisted_entries(file, marks), depth + 1)
            return
        if has_directory(file):
            yield from self.archive(file, head, depth + 1)
        for examiner in EXAMINERS:
            yield from self._parts(examiner(file, head, marks), depth + 1)

    def _parts(self, parts: Iterator[Part], depth: int) -> Iterator[Part]:
        for part in parts:
            if isinstance(part, NotExamined):
                yield part
                continue
            if not part:
                continue
            if depth > self._depth:
                raise RefusedArchiveError("archive-too-deep")
            self._members_left -= 1
            if self._members_left < 0:
                raise RefusedArchiveError("archive-too-large")
            yield from self._member(_until_the_end(part, parts), depth)

    def archive(self, file: IO[bytes], head: bytes, depth: int) -> Iterator[Part]:
        """Yield the content of `file`, which begins with `head`."""
        if depth > self._depth:
            raise RefusedArchiveError("archive-too-deep")
        file.seek(0)
        try:
            yield from self._opened(head)(file, depth)
        except _BROKEN as error:
            raise RefusedArchiveError("archive-broken") from error

    def _opened(self, head: bytes) -> Callable[[IO[bytes], int], Iterator[Part]]:
        if head.startswith(_GZIP):
            return self._gunzip
        if head.startswith(_XZ):
            return self._unxz
        if _BZIP2.match(head):
            return self._bunzip2
        # A zip may begin with any bytes.
        return self._untar if not head.startswith(STARTS) and is_tar(head) else self._unzip

    def _unzip(self, file: IO[bytes], depth: int) -> Iterator[Part]:
        entries, gaps = read_entries(file, self._members_left)
        self._members_left -= len(entries)
        # The sizes are the archive's claims; the content of an entry has its own end.
        if sum(entry.listed.size for entry in entries) > self._size_left:
            raise RefusedArchiveError("archive-too-large")
        for entry in entries:
            check_readable(entry)
        for entry in entries:
            yield from self._member(_pieces(Content(file, entry)), depth)
        file.seek(0)
        if file.read(len(ZIP_ENTRY)) == ZIP_ENTRY:
            # The examiners read any other file that holds a zip, as a whole.
            for start, end in gaps:
                yield from self._member(_pieces(Window(file, start, end - start)), depth)

    def _gunzip(self, file: IO[bytes], depth: int) -> Iterator[Part]:
        yield from self._member(_pieces(gunzip(file)), depth)

    def _bunzip2(self, file: IO[bytes], depth: int) -> Iterator[Part]:
        yield from self._member(_pieces(bzip2(file)), depth)

    def _unxz(self, file: IO[bytes], depth: int) -> Iterator[Part]:
        with closing(_xz_pieces(file)) as pieces:
            yield from self._member(pieces, depth)

    def _untar(self, file: IO[bytes], depth: int) -> Iterator[Part]:
        for member in tar_members(file):
            self._members_left -= 1
            if self._members_left < 0:
                raise RefusedArchiveError("archive-too-large")
            yield from self._member(_pieces(member), depth)

    def _member(self, pieces: Iterator[Part], depth: int) -> Iterator[Part]:
        size = 0
        unread: Marks | None = None
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as inner:
            head = b""
            for piece in pieces:
                yield piece
                if isinstance(piece, NotExamined):
                    continue
                size += len(piece)
                self._size_left -= len(piece)
                if self._size_left < 0:
                    raise RefusedArchiveError("archive-too-large")
                if len(head) < HEAD_SIZE:
                    head += piece
                if size <= _MAX_COPY or is_archive(head):
                    inner.write(piece)
                else:
                    # The marks of a smaller member are looked for by the examiners.
                    unread = unread or marks_of(inner)
                    unread.feed(piece)
            yield b""
            if unread is None:
                yield from self.within(inner, depth)
            else:
                refuse_unsupported(head)
                yield from unread.judge_unread()


def _pieces(source: Readable) -> Iterator[bytes]:
    return iter(partial(source.read, _PIECE), b"")


def _xz_pieces(file: IO[bytes]) -> Generator[bytes]:
    """Yield the content of an xz. The turn ends with the content, and so before an inner xz."""
    with _xz_turn:
        yield from _pieces(xz(file))


def _until_the_end(first: Part, parts: Iterator[Part]) -> Iterator[Part]:
    """Yield `first` and the parts that follow, up to the end of the member."""
    part = first
    while part != b"":
        yield part
        part = next(parts, b"")
