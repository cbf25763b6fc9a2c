"""Decompress the RTF of an Outlook message. Source: [MS-OXRTFCP]."""

from collections.abc import Iterator
from typing import IO, Final

from shared.scanning.carriers.parts import PIECE, region

_WINDOW: Final = 4096
# Text that stands in the window before the first byte: section 2.1.2.1.
_BEFORE: Final = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript "
    rb"\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
_AFTER_MARK: Final = 8
_MOST: Final = 16 * 1024 * 1024


def text(file: IO[bytes], mark: int) -> Iterator[bytes]:
    """Yield the text whose mark "LZFu" stands at `mark`, at most 16 MiB."""
    window = bytearray(_BEFORE.ljust(_WINDOW, b"\0"))
    position = len(_BEFORE)
    data = b"".join(region(file, mark + _AFTER_MARK, mark + _AFTER_MARK + _MOST))
    content = bytearray()
    at = total = 0
    while at < len(data) and total < _MOST:
        flags = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data):
                break
            if not flags >> bit & 1:
                found = data[at : at + 1]
                at += 1
            else:
                token = int.from_bytes(data[at : at + 2])
                at += 2
                start = token >> 4
                if start == position:
                    yield bytes(content)
                    return
                found = b""
                for offset in range((token & 15) + 2):
                    one = window[(start + offset) % _WINDOW]
                    window[(position + offset) % _WINDOW] = one
                    found += bytes([one])
            for one in found:
                window[position] = one
                position = (position + 1) % _WINDOW
            content += found
        if len(content) >= PIECE:
            total += len(content)
            yield bytes(content)
            content.clear()
    yield bytes(content)
