"""Reading a zip's directory in bounded memory, and holding it to what the zip has."""

import gzip
import io
import struct
import zipfile
import zlib
from typing import IO, Final

from shared.intake.refused import RefusedArchiveError

STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""What a zip begins with: an entry, an empty directory, or the first of several parts."""

# What the standard library raises on bytes that are not what they should be.
BROKEN: Final = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
)

_PIECE: Final = 256 * 1024
# A zip's directory is read as one: this is room for the most members that are allowed.
_MAX_READ: Final = 4 * 1024 * 1024
# A local header, of which the lengths of the name and of the extra field count here: APPNOTE.TXT
# section 4.3.7.
_ENTRY: Final = struct.Struct("<26xHH")


def hides_entries(file: IO[bytes], members: list[zipfile.ZipInfo], end: int) -> bool:
    """Whether a zip, whose directory begins at `end`, has entries that the directory leaves out.

    Some programs read the entries from the start and not by the directory at the end; of two zips
    one after the other they show the first.
    """
    position = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if _has_entry(file, position, member.header_offset):
            return True
        file.seek(member.header_offset)
        header = file.read(_ENTRY.size)
        if len(header) < _ENTRY.size:
            raise zipfile.BadZipFile("an entry is cut off")
        follows = member.header_offset + _ENTRY.size + sum(_ENTRY.unpack(header))
        position = max(position, follows + member.compress_size)
    return _has_entry(file, position, end)


def _has_entry(file: IO[bytes], start: int, end: int) -> bool:
    """Whether an entry of a zip begins in that part of `file`."""
    file.seek(start)
    tail = b""
    while start < end and (piece := file.read(min(_PIECE, end - start))):
        if STARTS[0] in tail + piece:
            return True
        start += len(piece)
        tail = piece[-3:]
    return False


def has_directory(file: IO[bytes]) -> bool:
    """Whether a readable zip directory that lists anything stands at the end of `file`.

    The mark that `zipfile.is_zipfile` looks for occurs in pictures by chance; a directory does not.
    """
    file.seek(0)
    try:
        with zipfile.ZipFile(Directory(file)) as archive:
            return bool(archive.infolist())
    except BROKEN:
        return False


class Directory:
    """A file as `zipfile` wants it, that refuses to read a giant directory into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.tell = file.tell
        self.seekable = file.seekable

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_SET and offset < 0:
            raise zipfile.BadZipFile("negative offset")
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(_MAX_READ + 1 if size < 0 else min(size, _MAX_READ + 1))
        if len(data) > _MAX_READ:
            raise RefusedArchiveError("archive-too-large")
        return data
