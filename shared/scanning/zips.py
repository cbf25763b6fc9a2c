"""Read a zip's directory in bounded memory, and compare the directory with the entries."""

import gzip
import io
import struct
import zipfile
import zlib
from typing import IO, Final

from shared.scanning.scanner import RefusedArchiveError

STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""First bytes of a zip: an entry, an empty directory, or the first of several parts."""

# Exceptions of the standard library for malformed bytes.
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
# A zip's directory is read at once: this is room for the greatest number of members.
_MAX_READ: Final = 4 * 1024 * 1024
# A local header, with the lengths of the name and of the extra field: APPNOTE.TXT section 4.3.7.
_ENTRY: Final = struct.Struct("<26xHH")
# The end record has the size and the place of the directory, and a comment of at most 64 KiB
# follows the record. The marks are those of the end record, of a directory entry, and of the
# locator before the end record of a large zip: APPNOTE.TXT sections 4.3.16, 4.3.12 and 4.3.15.
_END: Final = struct.Struct("<12xLLH")
_END_MARK: Final = b"PK\x05\x06"
_MAX_END: Final = _END.size + 0xFFFF
_LISTED_MARK: Final = b"PK\x01\x02"
_LOCATOR_MARK: Final = b"PK\x06\x07"
_LOCATOR_SIZE: Final = 20


def hides_entries(file: IO[bytes], members: list[zipfile.ZipInfo], end: int) -> bool:
    """Tell whether a zip, whose directory begins at `end`, has entries outside the directory.

    Some programs read the entries from the start, and not by the directory at the end. Of two zips
    in a row these programs show the first.
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
    """Tell whether an entry of a zip begins between `start` and `end` of `file`."""
    file.seek(start)
    tail = b""
    while start < end and (piece := file.read(min(_PIECE, end - start))):
        if STARTS[0] in tail + piece:
            return True
        start += len(piece)
        tail = piece[-3:]
    return False


def has_directory(file: IO[bytes]) -> bool:
    """Tell whether a readable, non-empty zip directory stands at the end of `file`.

    The mark that `zipfile.is_zipfile` looks for occurs in pictures by chance; a directory does not.
    Raises RefusedArchiveError, "archive-broken", for a directory that cannot be read, or that an
    empty directory follows: other programs may well read it.
    """
    file.seek(0)
    try:
        with zipfile.ZipFile(Directory(file)) as archive:
            if archive.infolist():
                return True
    except BROKEN as error:
        if _has_end(file):
            raise RefusedArchiveError("archive-broken") from error
        return False
    if _has_end(file):
        raise RefusedArchiveError("archive-broken")
    return False


def _has_end(file: IO[bytes]) -> bool:
    """Tell whether a zip ends in the last 64 KiB of `file`, and its directory stands in place.

    A directory's place counts from the start of the zip, and other bytes may precede the zip.
    """
    size = file.seek(0, io.SEEK_END)
    start = max(0, size - _MAX_END)
    file.seek(start)
    tail = file.read(_MAX_END)
    at = tail.rfind(_END_MARK, 0, max(0, len(tail) - _END.size + len(_END_MARK)))
    while at >= 0:
        length, place, _ = _END.unpack_from(tail, at)
        if any(_stands(file, _LISTED_MARK, one) for one in (start + at - length, place)):
            return True
        if _stands(file, _LOCATOR_MARK, start + at - _LOCATOR_SIZE):
            return True
        at = tail.rfind(_END_MARK, 0, at)
    return False


def _stands(file: IO[bytes], mark: bytes, place: int) -> bool:
    if place < 0:
        return False
    file.seek(place)
    return file.read(len(mark)) == mark


class Directory:
    """A file for `zipfile` that refuses to read a giant directory into memory."""

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
