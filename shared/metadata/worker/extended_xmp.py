"""Join the extended XMP of a JPEG: XMP longer than a segment, which Exiv2 does not join.

The main packet then holds a part of the XMP. Segments of another name hold the rest, in portions:
XMP Specification part 3, "Extended XMP in JPEG".
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

NAME: Final = b"http://ns.adobe.com/xmp/extension/\0"
"""First bytes of a segment with a portion."""

# The digest that the portions of one packet share, the packet's length, and the portion's place.
_PORTION: Final = struct.Struct(">32sII")
_APP1: Final = 0xE1
_END_OF_HEADERS: Final = (0xD9, 0xDA)
_MAX_LENGTH: Final = 1024 * 1024


class Extended:
    """The packets of a JPEG. `broken` marks a missing portion, `cut` a packet that is too long."""

    def __init__(self, path: str) -> None:
        self.packets: list[bytes] = []
        self.broken = False
        self.cut = False
        portions: dict[tuple[bytes, int], dict[int, bytes]] = {}
        left = _MAX_LENGTH
        with Path(path).open("rb") as file:
            for segment in _segments(file):
                digest, length, place = _PORTION.unpack_from(segment)
                left -= len(segment)
                if length > _MAX_LENGTH or left < 0:
                    self.cut = True
                    break
                portions.setdefault((digest, length), {})[place] = segment[_PORTION.size :]
        for (_, length), parts in portions.items():
            packet = b"".join(part for _, part in sorted(parts.items()))
            self.broken |= len(packet) != length
            self.packets.append(packet)


def _segments(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the portions with their headers, up to the pixels (ISO/IEC 10918-1 B.1.1.4)."""
    if file.read(2) != b"\xff\xd8":
        return
    while len(header := file.read(4)) == 4:
        mark, kind, length = struct.unpack(">BBH", header)
        if mark != 0xFF or kind < 0xC0 or kind in _END_OF_HEADERS or length < 2:
            return
        start = file.tell()
        if kind == _APP1 and length - 2 >= len(NAME) + _PORTION.size:
            segment = file.read(length - 2)
            if segment.startswith(NAME) and len(segment) == length - 2:
                yield segment[len(NAME) :]
        file.seek(start + length - 2)
