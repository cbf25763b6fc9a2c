"""Put the streams of a compound file (OLE: .doc, .xls, .ppt, .msg, .msi) together from the sectors.

Every chain of sectors becomes a part, whether or not the directory names the chain: the allocation
table alone decides. So no stream hides behind a forged directory. Source: [MS-CFB].
"""

import struct
from array import array
from collections.abc import Iterator
from typing import IO, Final

from shared.scanning.carriers.parts import PIECE, Gathered, region
from shared.scanning.examiners import Part
from shared.scanning.scanner import NotExamined, RefusedArchiveError

MARK: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Section 2.2: versions, sizes of sectors, the number of sectors of the table, the start of the
# directory, the start of the small table, and of the table of the table (DIFAT).
_HEADER: Final = struct.Struct("<8s16xHHHHH6xIII4xIIIII")
_HEADER_SIZE: Final = 512
_IN_HEADER: Final = 109
_LAST_SECTOR: Final = 0xFFFFFFFA
_MINI_SIZE: Final = 64
_ENTRY_SIZE: Final = 128
# Entries of an allocation table: 2 GiB in sectors of 512 bytes.
_MAX_SECTORS: Final = 4 * 1024 * 1024


def streams(file: IO[bytes], base: int, size: int) -> Iterator[Part]:
    """Yield the chains of the compound file that begins at `base` of a file of `size` bytes.

    A part that cannot be put together is noted. Raises RefusedArchiveError.
    """
    file.seek(base)
    header = file.read(_HEADER_SIZE)
    if len(header) < _HEADER_SIZE:
        return
    found = _HEADER.unpack_from(header)
    shift, tables, directory, mini, difat = found[4], found[7], found[8], found[10], found[12]
    if found[3] != 0xFFFE or shift not in (9, 12):
        yield NotExamined("ole-broken", f"byte {base}")
        return
    layout = _Layout(file, base, size, 1 << shift)
    table = layout.table(header, tables, difat)
    small = array("I")
    for sector in _chain(table, mini):
        small.frombytes(layout.sector(sector)[: (layout.width // 4) * 4])
    gathered = Gathered()
    for start in _starts(table):
        yield from gathered.add(_joined(layout, table, start))
    yield from gathered.rest()
    if small:
        yield from _small(layout, table, small, directory)


def _small(
    layout: "_Layout", table: array[int], small: array[int], directory: int
) -> Iterator[Part]:
    """Yield the small streams, whose sectors of 64 bytes lie in the stream of the root entry."""
    root = layout.sector(directory)[:_ENTRY_SIZE]
    if len(root) < _ENTRY_SIZE:
        return
    (start,) = struct.unpack_from("<I", root, 116)
    places = array("I", _chain(table, start))
    gathered = Gathered()
    for first in _starts(small):
        yield from gathered.add(_joined_small(layout, small, first, places))
    yield from gathered.rest()


def _joined_small(
    layout: "_Layout", small: array[int], first: int, places: array[int]
) -> Iterator[bytes]:
    content = bytearray()
    each = layout.width // _MINI_SIZE
    for number in _chain(small, first):
        if number // each >= len(places):
            break
        at = (number % each) * _MINI_SIZE
        content += layout.sector(places[number // each], at, _MINI_SIZE)
        if len(content) >= PIECE:
            yield bytes(content)
            content.clear()
    yield bytes(content)


class _Layout:
    """The sectors of a compound file."""

    def __init__(self, file: IO[bytes], base: int, size: int, width: int) -> None:
        self._file = file
        self._base = base
        self.width = width
        self.count = max(0, (size - base) // width)
        if self.count > _MAX_SECTORS:
            raise RefusedArchiveError("archive-too-large")

    def sector(self, number: int, at: int = 0, length: int | None = None) -> bytes:
        """Return a sector, or `length` bytes of the sector from `at`; b"" beyond the file."""
        self._file.seek(self._base + (number + 1) * self.width + at)
        return self._file.read(self.width if length is None else length)

    def run(self, number: int, length: int) -> Iterator[bytes]:
        """Yield `length` sectors that follow each other."""
        start = self._base + (number + 1) * self.width
        yield from region(self._file, start, start + length * self.width)

    def table(self, header: bytes, tables: int, difat: int) -> array[int]:
        """Return the allocation table: for each sector the sector that follows."""
        places = list(struct.unpack_from(f"<{_IN_HEADER}I", header, 76))
        each = self.width // 4
        # Each sector of the DIFAT has the places of further sectors of the table.
        visited: set[int] = set()
        while difat < _LAST_SECTOR and difat not in visited and len(visited) <= _MAX_SECTORS // 128:
            visited.add(difat)
            more = array("I", self.sector(difat).ljust(self.width, b"\xff"))
            places += more[: each - 1]
            difat = more[each - 1]
        table = array("I")
        for place in places[: max(tables, _IN_HEADER)]:
            if place >= _LAST_SECTOR or len(table) > self.count:
                continue
            table.frombytes(self.sector(place).ljust(self.width, b"\xff"))
        return table[: self.count + 1]


def _starts(table: array[int]) -> Iterator[int]:
    """Yield the sectors with which a chain begins: sectors in use that follow no sector."""
    followers = bytearray(len(table))
    for following in table:
        if following < len(table):
            followers[following] = 1
    for number, following in enumerate(table):
        if not followers[number] and (following < len(table) or following == 0xFFFFFFFE):
            yield number


def _chain(table: array[int], start: int) -> Iterator[int]:
    """Yield the sectors of the chain that begins at `start`, each at most once."""
    left = len(table)
    while start < len(table) and left > 0:
        yield start
        start = table[start]
        left -= 1


def _joined(layout: _Layout, table: array[int], start: int) -> Iterator[bytes]:
    """Yield the content of a chain; neighbouring sectors are read at once."""
    first, length = start, 0
    for number in _chain(table, start):
        if number == first + length:
            length += 1
            continue
        yield from layout.run(first, length)
        first, length = number, 1
    yield from layout.run(first, length)
