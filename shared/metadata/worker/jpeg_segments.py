"""The segments of a JPEG that Exiv2 leaves out: comments, further IPTC, and the rest of long XMP.

Exiv2 reads the first comment and the first whole record of Photoshop's. XMP that is longer than a
segment stands in the main packet and in segments of another name, in portions: XMP Specification
part 3, "Extended XMP in JPEG".
"""

import struct
from collections.abc import Iterator
from typing import IO, Final

EXTENDED: Final = b"http://ns.adobe.com/xmp/extension/\0"
"""First bytes of a segment with a portion of extended XMP."""

# The digest that the portions of one packet share, the packet's length, and the portion's place.
_PORTION: Final = struct.Struct(">32sII")
_APP1: Final = 0xE1
_APP2: Final = 0xE2
_APP12: Final = 0xEC
_APP13: Final = 0xED
_COMMENT: Final = 0xFE
_PHOTOSHOP: Final = b"Photoshop 3.0\0"
# The web address of a picture: "Adobe Photoshop File Formats", image resource 1035.
_URL: Final = b"8BIM\x04\x0b"
# The index of further pictures behind the first: CIPA DC-007, "Multi-Picture Format".
_MULTI_PICTURE: Final = b"MPF\0"
# Photoshop's "Save for Web": the quality, in as many bytes; then a comment or a notice.
_DUCKY: Final = b"Ducky"
_QUALITY_ALONE: Final = 15
_STUFFING: Final = 0xFF
_END_OF_HEADERS: Final = (0xD9, 0xDA)
_SCAN: Final = 0xDA
_PROGRAMS: Final = range(0xE0, 0xF0)
# The first bytes of segments that Exiv2 or a reader here reads, or that have no text.
_KNOWN: Final = (
    *(b"JFIF\0", b"JFXX\0", b"AVI1", b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0", EXTENDED),
    *(b"ICC_PROFILE\0", _MULTI_PICTURE, _DUCKY, _PHOTOSHOP, b"Adobe\0", b"Adobe_CM"),
    b"urn:iso:std:iso:ts:21496:-1",
)
_MAX_LENGTH: Final = 1024 * 1024


class JpegSegments:
    """Segments of the JPEG in `file`; nothing of any other file.

    `comments` are all comments, `packets` the packets of extended XMP, and `photoshop` the further
    records of Photoshop's, each as a JPEG of one segment. `unknown` are the segments of unknown
    form, each behind its kind; `pixels` is the place of the first scan. `is_png` tells that the
    file is a PNG instead. `is_multiple` tells that further pictures follow, and `is_unread` that a
    segment has texts of Photoshop's that no reader reads. `broken` marks a missing portion of XMP,
    and `cut` a packet or records that are too long.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.comments: list[bytes] = []
        self.packets: list[bytes] = []
        self.photoshop: list[bytes] = []
        self.broken = False
        self.cut = False
        self.pixels: int | None = None
        self.unknown: list[tuple[int, bytes]] = []
        self.is_multiple = False
        self.is_unread = False
        self._portions: dict[tuple[bytes, int], dict[int, bytes]] = {}
        self._left = dict.fromkeys((_APP1, _APP13), _MAX_LENGTH)
        self._left[_COMMENT] = 16 * _MAX_LENGTH
        self.is_png = file.read(4) == b"\x89PNG"
        file.seek(0)
        for kind, segment in _segments(file):
            if kind == _SCAN:
                self.pixels = file.tell()
            elif _is_unknown(kind, segment):
                self.unknown.append((kind, segment))
            elif not _is_wanted(kind, segment):
                continue
            elif kind in self._left:
                self._take(kind, segment)
            else:
                self.is_multiple |= segment.startswith(_MULTI_PICTURE)
                self.is_unread |= segment.startswith(_DUCKY) and len(segment) > _QUALITY_ALONE
        for (_, length), parts in self._portions.items():
            packet = b"".join(part for _, part in sorted(parts.items()))
            self.broken |= len(packet) != length
            self.packets.append(packet)
        # Exiv2 reads the first.
        del self.photoshop[:1]

    def _take(self, kind: int, segment: bytes) -> None:
        self._left[kind] -= len(segment)
        if self._left[kind] < 0:
            self.cut = True
        elif kind == _COMMENT:
            self.comments.append(segment)
        elif kind == _APP13:
            self.is_unread |= _URL in segment
            self.photoshop.append(
                b"\xff\xd8\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + b"\xff\xd9"
            )
        else:
            digest, length, place = _PORTION.unpack_from(segment, len(EXTENDED))
            if length > _MAX_LENGTH:
                self.cut = True
                return
            start = len(EXTENDED) + _PORTION.size
            self._portions.setdefault((digest, length), {})[place] = segment[start:]


def _segments(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the segments with text, up to the pixels (ISO/IEC 10918-1 B.1.1.4)."""
    if file.read(2) != b"\xff\xd8":
        return
    while len(header := file.read(4)) == 4:
        mark, kind, length = struct.unpack(">BBH", header)
        if mark == 0xFF and kind == _STUFFING:
            file.seek(-3, 1)
            continue
        if mark == 0xFF and kind == _SCAN:
            file.seek(-4, 1)
            yield kind, b""
            return
        if mark != 0xFF or kind < 0xC0 or kind in _END_OF_HEADERS or length < 2:
            return
        following = file.tell() + length - 2
        if kind in _PROGRAMS or kind == _COMMENT:
            segment = file.read(length - 2)
            if len(segment) == length - 2:
                yield kind, segment
        file.seek(following)


def _is_unknown(kind: int, segment: bytes) -> bool:
    """Tell whether no reader knows the form of a program's segment."""
    return kind in _PROGRAMS and not segment.startswith(_KNOWN)


def _is_wanted(kind: int, segment: bytes) -> bool:
    if kind == _APP13:
        return segment.startswith(_PHOTOSHOP)
    if kind == _APP1:
        return segment.startswith(EXTENDED) and len(segment) >= len(EXTENDED) + _PORTION.size
    return True
