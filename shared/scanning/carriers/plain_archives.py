"""Take the members out of ar (Debian packages) and cpio, which keep the members as they are.

Sources: ar(5), cpio(5).
"""

import re
import struct
from collections.abc import Iterator
from typing import IO, Final

from shared.scanning.carriers.parts import Gathered, Part, region

_MAX: Final = 100_000
_AR_HEADER: Final = 60
# "New" ASCII headers have 8 hexadecimal digits a field, and "odc" headers 6 or 11 octal digits.
_NEW: Final = re.compile(rb"07070[12][0-9A-Fa-f]{104}")
_ODC: Final = re.compile(rb"070707[0-7]{70}")
# An old binary header: 13 numbers of 16 bits, of which two pairs are numbers of 32 bits.
_BINARY: Final = {b"\xc7\x71": "<13H", b"\x71\xc7": ">13H"}


def ar_members(file: IO[bytes], start: int, size: int) -> Iterator[Part]:
    """Yield the members of the ar archive that begins at `start`, up to the first damage."""
    gathered = Gathered()
    position = start + 8
    for _ in range(_MAX):
        file.seek(position)
        header = file.read(_AR_HEADER)
        length = header[48:58].strip()
        if len(header) < _AR_HEADER or not length.isdigit():
            break
        position += _AR_HEADER
        end = min(size, position + int(length))
        yield from gathered.add(region(file, position, end))
        position = end + (end - start) % 2
    yield from gathered.rest()


def cpio_members(file: IO[bytes], start: int, size: int) -> Iterator[Part]:
    """Yield the members of the cpio archive that begins at `start`, up to the first damage."""
    gathered = Gathered()
    position = start
    for _ in range(_MAX):
        file.seek(position)
        found = _cpio_header(file.read(110))
        if found is None:
            break
        header, name, length, unit = found
        # Name and content each end at a multiple of `unit` from the start.
        content = _padded(position + header + name - start, unit) + start
        end = min(size, content + length)
        yield from gathered.add(region(file, content, end))
        position = _padded(end - start, unit) + start
    yield from gathered.rest()


def _cpio_header(data: bytes) -> tuple[int, int, int, int] | None:
    """Return the lengths of header, name and content, and the unit of padding."""
    if _NEW.match(data):
        return 110, int(data[94:102], 16), int(data[54:62], 16), 4
    if _ODC.match(data):
        return 76, int(data[59:65], 8), int(data[65:76], 8), 1
    if form := _BINARY.get(data[:2]):
        if len(data) < 26:
            return None
        numbers = struct.unpack_from(form, data)
        return 26, numbers[10], numbers[11] << 16 | numbers[12], 2
    return None


def _padded(length: int, unit: int) -> int:
    return -(-length // unit) * unit
