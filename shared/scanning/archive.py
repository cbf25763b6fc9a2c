"""Looking into archives with bounded memory, work and depth."""

import gzip
import io
import re
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Final

from shared.scanning.png_chunks import SIGNATURE as PNG
from shared.scanning.png_chunks import packed_texts
from shared.scanning.scanner import RefusedArchiveError
from shared.scanning.unpacking import Readable, bzip2, is_tar, tar_members, xz
from shared.scanning.zips import BROKEN, STARTS, Directory, has_directory, hides_entries

_PIECE: Final = 256 * 1024
_IN_MEMORY: Final = 1024 * 1024
# A member that is no archive by its beginning is looked into up to this size, as a file of any type
# may have one at its end.
_MAX_COPY: Final = 64 * 1024 * 1024

_GZIP: Final = b"\x1f\x8b"
_XZ: Final = b"\xfd7zXZ\0"
# The size of its blocks, and the mark of the first of them or of the end.
_BZIP2: Final = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
# What would have to be unpacked before it could be scanned, by the bytes at an offset.
_UNSUPPORTED: Final = (
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!\x1a\x07"),
    # Zstandard, LZ4, lzip, compress and the older lzma.
    (0, b"\x28\xb5\x2f\xfd"),
    (0, b"\x04\x22\x4d\x18"),
    (0, b"LZIP"),
    (0, b"\x1f\x9d"),
    (0, b"\x5d\0\0"),
    # Cabinet, ACE, LHA, ar (Debian's packages) and xar (Apple's).
    (0, b"MSCF\0\0\0\0"),
    (7, b"**ACE**"),
    (2, b"-lh"),
    (0, b"!<arch>\n"),
    (0, b"xar!"),
)
HEAD_SIZE: Final = 512
"""How many of a file's first bytes `is_archive` wants to see."""

# Members in other methods cannot be unpacked in bounded memory by the standard library.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000


@dataclass(frozen=True, slots=True)
class Limits:
    """What is looked into before an archive is refused."""

    depth: int = 5
    """Archives within archives; an Office document in a zip is at depth 2."""
    members: int = 10_000
    """Members in all, those of inner archives included."""
    size: int = 2 * 1024**3
    """Unpacked bytes in all."""
    ratio: int = 200
    """Unpacked bytes in all for each byte of the outermost archive."""
    free: int = 64 * 1024**2
    """Unpacked bytes that are allowed whatever the ratio."""


def is_archive(head: bytes) -> bool:
    """Whether a file that begins with `head` must be unpacked to be scanned.

    True for zip and all that is a zip (Office and OpenDocument files, EPUB), tar, gzip, bzip2
    and xz.
    """
    return head.startswith((*STARTS, _GZIP, _XZ)) or bool(_BZIP2.match(head)) or is_tar(head)


def refuse_unsupported(head: bytes) -> None:
    """Raise RefusedArchiveError for a file that begins with `head` and cannot be unpacked here."""
    if any(head.startswith(magic, offset) for offset, magic in _UNSUPPORTED):
        raise RefusedArchiveError("archive-unsupported")


def contents(file: IO[bytes], limits: Limits) -> Iterator[bytes]:
    """Yield what is in the archive `file`, in pieces of at most 256 KiB, and b"" after each member.

    Inner archives are yielded as members and then looked into themselves; so is what a PNG has
    packed beside its pixels, of `file` itself too. A file that is no archive
    by its beginning is looked into if a zip directory stands at its end, as unzip would. Reads
    from wherever it likes in `file`. Raises RefusedArchiveError.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_SIZE)
    refuse_unsupported(head)
    if head.startswith(PNG):
        yield from packed_texts(file)
    if is_archive(head) or has_directory(file):
        allowed = min(limits.size, max(limits.free, size * limits.ratio))
        yield from _Walk(limits.depth, limits.members, allowed).archive(file, head, 1)


# An xz may take much memory, so one is unpacked at a time in this process.
_xz_turn: Final = threading.Lock()


class _Walk:
    """One look into one upload; counts what it has cost."""

    def __init__(self, depth: int, members: int, size: int) -> None:
        self._depth = depth
        self._members_left = members
        self._size_left = size
        self._within_xz = False

    def archive(self, file: IO[bytes], head: bytes, depth: int) -> Iterator[bytes]:
        """What is in `file`, which begins with `head`."""
        if depth > self._depth:
            raise RefusedArchiveError("archive-too-deep")
        file.seek(0)
        try:
            yield from self._opened(head)(file, depth)
        except BROKEN as error:
            raise RefusedArchiveError("archive-broken") from error

    def _opened(self, head: bytes) -> Callable[[IO[bytes], int], Iterator[bytes]]:
        if head.startswith(_GZIP):
            return self._gunzip
        if head.startswith(_XZ):
            return self._unxz
        if _BZIP2.match(head):
            return self._bunzip2
        # A zip may begin with anything.
        return self._untar if not head.startswith(STARTS) and is_tar(head) else self._unzip

    def _unzip(self, file: IO[bytes], depth: int) -> Iterator[bytes]:
        with zipfile.ZipFile(Directory(file)) as archive:
            members = archive.infolist()
            self._members_left -= len(members)
            # The sizes are what the archive claims; one that unpacks to more is a broken one.
            if self._members_left < 0 or sum(m.file_size for m in members) > self._size_left:
                raise RefusedArchiveError("archive-too-large")
            if hides_entries(file, members, archive.start_dir):
                raise RefusedArchiveError("archive-broken")
            for member in members:
                if member.flag_bits & _ENCRYPTED:
                    raise RefusedArchiveError("archive-encrypted")
                if member.compress_type not in _METHODS:
                    raise RefusedArchiveError("archive-unsupported")
                with archive.open(member) as source:
                    yield from self._member(source, depth)

    def _gunzip(self, file: IO[bytes], depth: int) -> Iterator[bytes]:
        with gzip.GzipFile(fileobj=file, mode="rb") as source:
            yield from self._member(source, depth)

    def _bunzip2(self, file: IO[bytes], depth: int) -> Iterator[bytes]:
        yield from self._member(bzip2(file), depth)

    def _unxz(self, file: IO[bytes], depth: int) -> Iterator[bytes]:
        if self._within_xz:
            raise RefusedArchiveError("archive-too-deep")
        self._within_xz = True
        with _xz_turn:
            yield from self._member(xz(file), depth)
        self._within_xz = False

    def _untar(self, file: IO[bytes], depth: int) -> Iterator[bytes]:
        for member in tar_members(file):
            self._members_left -= 1
            if self._members_left < 0:
                raise RefusedArchiveError("archive-too-large")
            yield from self._member(member, depth)

    def _member(self, source: Readable, depth: int) -> Iterator[bytes]:
        piece = head = source.read(_PIECE)
        refuse_unsupported(head)
        packed = is_archive(head)
        size = 0
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as inner:
            while piece:
                size += len(piece)
                self._size_left -= len(piece)
                if self._size_left < 0:
                    raise RefusedArchiveError("archive-too-large")
                yield piece
                if packed or size <= _MAX_COPY:
                    inner.write(piece)
                piece = source.read(_PIECE)
            yield b""
            if packed:
                yield from self.archive(inner, head, depth + 1)
            elif size <= _MAX_COPY:
                if head.startswith(PNG):
                    yield from packed_texts(inner)
                if has_directory(inner):
                    yield from self.archive(inner, head, depth + 1)
