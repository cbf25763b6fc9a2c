"""Read the texts and profiles of a PNG: zlib hides the content, and a text may hold base64.

Source: Portable Network Graphics (PNG) Specification, 3rd edition, sections 5 and 11.3.
"""

import io
import re
from collections.abc import Iterator
from typing import IO, Final

from shared.scanning.scanner import RefusedArchiveError
from shared.scanning.streams import inflated

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

_MAX_CHUNKS: Final = 1_000_000
# Unpacked bytes of the texts in total; metadata has far less. Each text is scanned, then dropped.
_MAX_UNPACKED: Final = 256 * 1024 * 1024
# Bytes of a profile in hexadecimal, which is joined before the scan.
_MAX_PROFILE: Final = 16 * 1024 * 1024
_PIECE: Final = 256 * 1024

_KEYWORD: Final = rb"(?P<keyword>[^\0]{1,79})\0"
# The bytes before the text. The group `packed` matches where zlib compressed the text.
_LAYOUTS: Final = {
    b"tEXt": re.compile(_KEYWORD, re.DOTALL),
    b"zTXt": re.compile(_KEYWORD + rb"\0(?P<packed>)", re.DOTALL),
    b"iCCP": re.compile(_KEYWORD + rb"\0(?P<packed>)", re.DOTALL),
    b"iTXt": re.compile(
        _KEYWORD + rb"(\x01\0(?P<packed>)|\0[\0\x01])[^\0]{0,255}\0[^\0]{0,65535}\0", re.DOTALL
    ),
}
# More than the bytes before a text.
_MAX_LAYOUT: Final = 80 + 2 + 256 + 65536
# ImageMagick and Exiv2 write other kinds of metadata as hexadecimal text under a keyword with this
# prefix: a name, a length and the digits.
_PROFILE: Final = b"Raw profile type "
_DIGITS: Final = re.compile(rb"\s*\S+\s+[0-9]+\s(?P<digits>[0-9A-Fa-f\s]*)")


def texts(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of a PNG's texts and profiles, in pieces, and b"" after each text.

    Broken chunks are skipped, as viewers do. Raises RefusedArchiveError, "archive-too-large", for
    more than belongs to a picture.
    """
    left = _MAX_UNPACKED
    file.seek(len(SIGNATURE))
    for _ in range(_MAX_CHUNKS):
        header = file.read(8)
        if len(header) < 8 or header[4:] == b"IEND":
            return
        length, layout = int.from_bytes(header[:4]), _LAYOUTS.get(header[4:])
        following = file.tell() + length + 4
        if layout is not None:
            for piece in _text(file, length, layout):
                left -= len(piece)
                if left < 0:
                    raise RefusedArchiveError("archive-too-large")
                yield piece
            yield b""
        file.seek(following, io.SEEK_SET)
    raise RefusedArchiveError("archive-too-large")


def _text(file: IO[bytes], length: int, layout: re.Pattern[bytes]) -> Iterator[bytes]:
    """Yield the text of a chunk of `length` bytes, in pieces."""
    start = file.read(min(length, _MAX_LAYOUT))
    found = layout.match(start)
    if found is None:
        return
    pieces = _following(file, start[found.end() :], length - len(start))
    if found.groupdict().get("packed") is not None:
        pieces = inflated(pieces)
    if not found["keyword"].startswith(_PROFILE):
        yield from pieces
        return
    text = b"".join(_bounded(pieces))
    profile = _DIGITS.match(text)
    digits = b"".join(profile["digits"].split()) if profile else b""
    yield bytes.fromhex(digits[: len(digits) & ~1].decode()) if digits else text


def _following(file: IO[bytes], start: bytes, left: int) -> Iterator[bytes]:
    yield start
    while left and (piece := file.read(min(_PIECE, left))):
        yield piece
        left -= len(piece)


def _bounded(pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = _MAX_PROFILE
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise RefusedArchiveError("archive-too-large")
        yield piece
