"""The bytes of a picture that Exiv2, the metadata reader, would take into memory.

Of a JPEG Exiv2 takes one segment of each kind, but every segment of Photoshop's. Of a TIFF Exiv2
takes the values of the tags. Of every further format Exiv2 reads each block whole, at any length. A
few hostile pictures could therefore fill an instance's memory, or keep the instance busy for hours.
"""

import io
import struct
from collections.abc import Iterator
from typing import IO, Final

from shared.metadata.worker.jpeg_segments import EXTENDED as EXTENDED_XMP

_MAX_BLOCKS: Final = 1_000_000

_WEBP_PIXELS: Final = (b"VP8 ", b"VP8L", b"ALPH", b"ANMF")
# Exiv2 joins Photoshop's segments, 0xED. `jpeg_segments` joins the segments of extended XMP, in
# 0xE1. Of every further kind of segment Exiv2 reads at most one, and the rest counts as pixels.
_PHOTOSHOP: Final = 0xED
_APP1: Final = 0xE1
_END_OF_HEADERS: Final = (0xD9, 0xDA)


def largest_block(file: IO[bytes]) -> int:
    """Return the length in bytes of the largest block that Exiv2 would read of `file`.

    Zero for formats whose blocks need no limit. A file of more than a million blocks counts as one
    block of the file's size.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        blocks = _png(file)
    elif head.startswith(b"RIFF"):
        blocks = (length for _, length in _webp(file))
    elif head[4:8] in (b"ftyp", b"jP  ", b"JXL "):
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


def metadata_size(file: IO[bytes]) -> int:
    """Return an upper bound of the bytes of `file` that Exiv2 takes as metadata.

    For a format without a known place of the pixels, the bound is the size of the file. Exiv2
    unpacks at most 128 KiB of a PNG's compressed text.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\xff\xd8"):
        blocks = _segments(file, size)
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        blocks = (12 + length for length in _png(file))
    elif head.startswith(b"RIFF"):
        blocks = (0 if kind in _WEBP_PIXELS else 8 + length for kind, length in _webp(file))
    else:
        return size
    total = 0
    for block in blocks:
        total += block
        if total >= size:
            return size
    return total


def _segments(file: IO[bytes], size: int) -> Iterator[int]:
    """Yield the sizes of a JPEG's joined segments (ISO/IEC 10918-1 B.1.1.4), up to the pixels.

    A JPEG with a gap between the segments counts as a whole.
    """
    file.seek(2)
    while len(header := file.read(4)) == 4:
        mark, kind, length = struct.unpack(">BBH", header)
        if mark == 0xFF and kind in _END_OF_HEADERS:
            return
        if mark != 0xFF or kind < 0xC0 or length < 2:
            break
        following = file.tell() + length - 2
        extended = kind == _APP1 and file.read(len(EXTENDED_XMP)) == EXTENDED_XMP
        yield length if extended or kind == _PHOTOSHOP else 0
        file.seek(following)
    yield size


def _png(file: IO[bytes]) -> Iterator[int]:
    """Yield the sizes of a PNG's chunks (ISO/IEC 15948 section 5.3); pixels count as zero."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        yield 0 if kind == b"IDAT" else length
        file.seek(length + 4, io.SEEK_CUR)


def _webp(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield the names and sizes of a WebP's chunks (RFC 9649 section 2.3)."""
    file.seek(12)
    while len(header := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", header)
        yield kind, length
        file.seek(length + length % 2, io.SEEK_CUR)


def _boxes(file: IO[bytes], size: int) -> Iterator[int]:
    """Yield the sizes of the outer boxes of HEIF, AVIF, CR3, JPEG 2000 and JPEG XL.

    Source: ISO/IEC 14496-12 section 4.2. Of JPEG XL Exiv2 reads the pixels too.
    """
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
    """Yield the sizes of a Photoshop file's colour table and image resources."""
    file.seek(26)
    for _ in range(2):
        header = file.read(4)
        if len(header) < 4:
            return
        (length,) = struct.unpack(">I", header)
        yield length
        file.seek(length, io.SEEK_CUR)
