"""Decompress the source of a VBA module. Source: [MS-OVBA] section 2.4.1."""

from collections.abc import Iterator
from typing import IO, Final

_CHUNK: Final = 4096
_MAX_CHUNKS: Final = 16_384


def source_text(file: IO[bytes], start: int) -> Iterator[bytes]:
    """Yield the text of the compressed container at `start`, up to the first damage."""
    start += 1
    for _ in range(_MAX_CHUNKS):
        file.seek(start)
        header = int.from_bytes(file.read(2), "little")
        size = (header & 0x0FFF) + 1
        if (header >> 12) & 0x7 != 0x3:
            return
        data = file.read(size)
        yield _chunk(data) if header & 0x8000 else data
        if len(data) < size:
            return
        start += 2 + size


def _chunk(data: bytes) -> bytes:
    """Return the text of one chunk: literals, and copies of what stands before."""
    text = bytearray()
    position = 0
    while position < len(data):
        flags = data[position]
        position += 1
        for bit in range(8):
            if position >= len(data) or len(text) >= _CHUNK:
                break
            if not flags >> bit & 1:
                text.append(data[position])
                position += 1
                continue
            token = int.from_bytes(data[position : position + 2], "little")
            position += 2
            width = max((len(text) - 1).bit_length(), 4)
            length = (token & (0xFFFF >> width)) + 3
            offset = (token >> (16 - width)) + 1
            if offset > len(text):
                return bytes(text)
            for _ in range(length):
                text.append(text[-offset])
        if len(text) >= _CHUNK:
            break
    return bytes(text)
