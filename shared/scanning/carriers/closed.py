"""Tell the beginning of an archive that stays closed from its mark in a program's data.

Programs that read archives hold the marks of many formats, as numbers and as text. A mark within a
file of another type counts only where a program opens an archive at the place of the mark.

Sources: 7zFormat.txt of the LZMA SDK; RAR 5.0 and RAR 4 technotes; [MS-CAB] section 2.1; the header
of xar; LHA header levels 0 to 3.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Final

# The mark, the version, the sum of what follows, and the place of the directory.
_SEVEN_ZIP: Final = 32
_BLOCK4: Final = struct.Struct("<HBHH")
_RAR4_MAIN: Final = 0x73
# Text has no such numbers for sizes.
_MOST_RAR4_MAIN: Final = 0x2000
_RAR4_ADDED: Final = 0x8000
_RAR5_FIRST: Final = (1, 4)
_RAR5_EXTRA, _RAR5_DATA = 1, 2
_MOST_RAR5_BLOCK: Final = 2 * 1024 * 1024
# Unrar skips unknown blocks before the main block, also blocks with a wrong sum.
_MOST_BLOCKS: Final = 16
_VINT: Final = 10


def _is_7z(file: IO[bytes], place: int, _: int) -> bool:
    """Tell a 7z by the sum of the header, or by the empty header that 7-Zip recovers from."""
    header = _read(file, place, _SEVEN_ZIP)
    if len(header) < _SEVEN_ZIP:
        return False
    if not any(header[8:]):
        return header[7] != 0
    return zlib.crc32(header[12:]) == int.from_bytes(header[8:12], "little")


def _is_rar(file: IO[bytes], place: int, _: int) -> bool:
    """Tell a RAR by a main block, or by any block with the right sum."""
    version5 = _read(file, place + 6, 1) == b"\1"
    return any(_rar5_blocks(file, place + 8) if version5 else _rar4_blocks(file, place + 7))


def _rar4_blocks(file: IO[bytes], place: int) -> Iterator[bool]:
    """Yield, for each block, whether the block is the main block or has the right sum."""
    for _ in range(_MOST_BLOCKS):
        data = _read(file, place, _BLOCK4.size + 4)
        if len(data) < _BLOCK4.size:
            return
        checked, kind, flags, size = _BLOCK4.unpack_from(data)
        if size < _BLOCK4.size:
            return
        is_main = kind == _RAR4_MAIN and size < _MOST_RAR4_MAIN
        yield is_main or zlib.crc32(_read(file, place + 2, size - 2)) & 0xFFFF == checked
        added = int.from_bytes(data[_BLOCK4.size :], "little") if flags & _RAR4_ADDED else 0
        place += size + added


def _rar5_blocks(file: IO[bytes], place: int) -> Iterator[bool]:
    """Yield, for each block, whether the block is a first block or has the right sum."""
    for _ in range(_MOST_BLOCKS):
        data = _read(file, place, 4 + 5 * _VINT)
        size, start = _vint(data, 4)
        kind, at = _vint(data, start)
        flags, at = _vint(data, at)
        if not 1 < size <= _MOST_RAR5_BLOCK:
            return
        content = _read(file, place + 4, start - 4 + size)
        yield kind in _RAR5_FIRST or zlib.crc32(content) == int.from_bytes(data[:4], "little")
        if flags & _RAR5_EXTRA:
            _, at = _vint(data, at)
        place += start + size + (_vint(data, at)[0] if flags & _RAR5_DATA else 0)


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of variable length at `at`, and the offset behind. Zero behind the end."""
    number = 0
    for index, byte in enumerate(data[at : at + _VINT]):
        number |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return number, at + index + 1
    return 0, at + _VINT


def _is_cabinet(file: IO[bytes], place: int, _: int) -> bool:
    """Tell a cabinet by its folders and files; without both there is nothing to take out."""
    counts = _read(file, place + 26, 4)
    return len(counts) == 4 and counts[:2] != b"\0\0" != counts[2:]


def _is_xar(file: IO[bytes], place: int, size: int) -> bool:
    """Tell a xar by a table of contents that ends within the file of `size` bytes."""
    length = int.from_bytes(_read(file, place + 8, 8))
    return 0 < length <= size - place - 28


def _is_lha(file: IO[bytes], place: int, _: int) -> bool:
    """Tell an LHA by the size, the sum and the level of a header. The mark is a method."""
    if place < 2:
        return False
    # The size and the sum of the header, or the size alone; the method; and the level.
    header = _read(file, place - 2, 24)
    if len(header) < 24 or header[20] > 3 or header[7:11] == b"    " or not any(header[:2]):
        return False
    return header[20] >= 2 or sum(_read(file, place, header[0])) & 0xFF == header[1]


def _read(file: IO[bytes], place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


CLOSED: Final[Mapping[str, Callable[[IO[bytes], int, int], bool]]] = {
    "closed_7z": _is_7z,
    "closed_rar": _is_rar,
    "closed_cab": _is_cabinet,
    "xar": _is_xar,
    "lha": _is_lha,
}
"""For each mark of an archive that the scanner cannot open: tell an archive at a place.

The functions take the file, the place of the mark, and the size of the file.
"""
