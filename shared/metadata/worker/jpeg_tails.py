"""The texts of a JPEG behind the first pixels: comments, private segments, and a trailer.

Source: ISO/IEC 10918-1, section B.1.1: among pixels a byte of 0xFF is followed by zero or by a
restart's mark. A mark of a segment is therefore no pixel.
"""

import mmap
import re
import struct
from collections.abc import Iterable
from typing import IO, Final

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import MetadataBuilder
from shared.metadata.worker.unknown_parts import MAX_TEXT, add_unknown

# A table, a scan, a segment of a program, a comment, or the end.
_MARK: Final = re.compile(rb"\xff[\xc4\xd9-\xdd\xe0-\xef\xfe]")
_END: Final = 0xD9
_COMMENT: Final = 0xFE
_PROGRAMS: Final = range(0xE0, 0xF0)
_NO_PADDING: Final = re.compile(rb"[^\0\xff \t\r\n]")
_MAX_MARKS: Final = 100_000


def add_tail(
    file: IO[bytes], place: int, elsewhere: Iterable[tuple[int, int]], found: MetadataBuilder
) -> None:
    """Add the texts behind `place`, the mark of the first scan.

    `elsewhere` are the first byte and the size of each further picture, which has an own reader.
    """
    data = _whole(file)
    for _ in range(_MAX_MARKS):
        match = _MARK.search(data, place)
        if match is None:
            return
        start = match.start()
        kind = data[start + 1]
        if kind == _END:
            _add_trailer(data, start + 2, elsewhere, found)
            return
        if start + 4 > len(data):
            return
        (length,) = struct.unpack_from(">H", data, start + 2)
        place = start + 2 + max(length, 2)
        segment = bytes(data[start + 4 : place])
        if kind == _COMMENT:
            found.text("JPEG:Comment", *decoded(segment))
        elif kind in _PROGRAMS:
            add_unknown(f"JPEG:APP{kind - _PROGRAMS.start}", segment, found)
    found.cut = True


def _add_trailer(
    data: bytes | mmap.mmap,
    place: int,
    elsewhere: Iterable[tuple[int, int]],
    found: MetadataBuilder,
) -> None:
    for start, size in (*sorted(elsewhere), (len(data), 0)):
        first = _NO_PADDING.search(data, place, max(place, start))
        if first is not None:
            # A longer trailer is marked as partial.
            end = min(start, first.start() + 2 * MAX_TEXT)
            add_unknown("JPEG:Trailer", bytes(data[first.start() : end]), found)
        place = max(place, start + size)


def _whole(file: IO[bytes]) -> bytes | mmap.mmap:
    """Return the file's bytes: in place where the file is a real file."""
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        file.seek(0)
        return file.read()
