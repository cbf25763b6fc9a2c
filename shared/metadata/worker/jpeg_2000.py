"""The texts of a JPEG 2000 file that Exiv2 leaves out: XML, labels, and comments of the pixels.

Source: ISO/IEC 15444-1, annexes A.9.2 (comment) and I; 15444-2, annex M (labels, associations).
"""

import struct
from typing import IO, Final

from shared.metadata.worker.encodings import decoded, markup
from shared.metadata.worker.result import MetadataBuilder
from shared.metadata.worker.unknown_parts import MAX_TEXT, add_unknown

_SIGNATURE: Final = b"\0\0\0\x0cjP  \r\n\x87\n"
_HEADER: Final = 8
_CONTAINERS: Final = (b"asoc", b"res ", b"uinf")
# Numbers, colours and pixels; and the boxes that Exiv2 reads.
_NO_TEXTS: Final = (b"jP  ", b"ftyp", b"jp2h", b"uuid", b"free", b"skip", b"rreq", b"ulst", b"jumb")
_PIXELS: Final = b"jp2c"
_MAX_BOXES: Final = 10_000
_COMMENT: Final = 0xFF64
_START_OF_TILE: Final = 0xFF90


def add_jpeg_2000(file: IO[bytes], found: MetadataBuilder) -> None:
    """Add the texts of a JPEG 2000 file; nothing of any other file."""
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        return
    for _ in range(_MAX_BOXES):
        header = file.read(_HEADER)
        if len(header) < _HEADER:
            return
        length, kind = struct.unpack(">I4s", header)
        if kind in _CONTAINERS:
            continue
        if length == 1:
            length = int.from_bytes(file.read(8)) - 8
        place = file.tell()
        size = max(length - _HEADER, 0) if length else 1 << 62
        if kind == _PIXELS:
            _add_comments(file, found)
        elif kind not in _NO_TEXTS:
            _add_box(kind, file.read(min(size, MAX_TEXT + 1)), found)
        if not length:
            return
        file.seek(place + size)
    found.cut = True


def _add_box(kind: bytes, content: bytes, found: MetadataBuilder) -> None:
    found.cut |= len(content) > MAX_TEXT
    if kind == b"xml ":
        found.text("JP2:xml", markup(content))
    else:
        add_unknown(f"JP2:{kind.decode('latin-1').strip()}", content, found)


def _add_comments(file: IO[bytes], found: MetadataBuilder) -> None:
    file.seek(2, 1)
    while len(header := file.read(4)) == 4:
        mark, length = struct.unpack(">HH", header)
        if mark == _START_OF_TILE or length < 2:
            return
        content = file.read(length - 2)
        if mark == _COMMENT:
            # Behind the form of the comment: Latin text, or bytes.
            found.text("JP2:Comment", *decoded(content[2:]))
