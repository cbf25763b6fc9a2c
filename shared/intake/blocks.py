"""How much of a picture its metadata reader would take into memory.

Exiv2 reads TIFF in place and bounds what it takes of JPEG, but reads each block of the formats
below whole, whatever its length; a few hostile pictures could so fill an instance's memory.
"""

import io
import struct
from collections.abc import Iterator
from typing import IO, Final

_MAX_BLOCKS: Final = 1_000_000


def largest_block(file: IO[bytes]) -> int:
    """Return the length in bytes of the largest block that Exiv2 would read of `file`.

    Zero for formats that need no such care. A file of more than a million blocks counts as one
    block of its own size.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        blocks = _png(file)
    elif head.startswith(b"RIFF"):
        blocks = _riff(file)
    elif head[4:8] in (b"ftyp", b"jP  "):
        blocks = _boxes(file, size)
    elif head.startswith(b"8BPS"):
        blocks = _psd(file)
    else:
        return 0
    largest = 0
    for number, block in enumerate(blocks):
        if number == _MAX_BLOCKS:
            return size
        largest = max(largest, min(block, size))
    return largest


def _png(file: IO[bytes]) -> Iterator[int]:
    """The chunks of a PNG (ISO/IEC 15948 section 5.3), but for the pixels."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        yield 0 if kind == b"IDAT" else length
        file.seek(length + 4, io.SEEK_CUR)


def _riff(file: IO[bytes]) -> Iterator[int]:
    """The chunks of a WebP (RFC 9649 section 2.3), pixels included."""
    file.seek(12)
    while len(header := file.read(8)) == 8:
        _, length = struct.unpack("<4sI", header)
        yield length
        file.seek(length + length % 2, io.SEEK_CUR)


def _boxes(file: IO[bytes], size: int) -> Iterator[int]:
    """The outer boxes of HEIF, AVIF, CR3 (ISO/IEC 14496-12 section 4.2) and JPEG 2000."""
    start = 0
    while start < size:
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            return
        length, kind = struct.unpack(">I4s", header[:8])
        if length == 1 and len(header) == 16:
            (length,) = struct.unpack(">Q", header[8:])
        elif length == 0:
            length = size - start
        yield 0 if kind in (b"mdat", b"jp2c") else length
        start += max(length, 8)


def _psd(file: IO[bytes]) -> Iterator[int]:
    """The image resources of a Photoshop file, taken together; they follow the colour table."""
    file.seek(26)
    for _ in range(2):
        header = file.read(4)
        if len(header) < 4:
            return
        (length,) = struct.unpack(">I", header)
        yield length
        file.seek(length, io.SEEK_CUR)
