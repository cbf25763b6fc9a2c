"""Put the streams of a compound file (OLE: .doc, .xls, .ppt, .msg, .msi) together from the sectors.

Every chain of sectors becomes a part, whether or not the directory names the chain: the allocation
table alone decides. So no stream hides behind a forged directory. Source: [MS-CFB].
"""

import re
import struct
from array import array
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO, Final

from shared.scanning.carriers.parts import PIECE, Gathered, Part, region
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
_STREAM: Final = 2
# The label, the name of the file, the length of the name of a copy, that name, and the length.
_PACKAGE: Final = re.compile(
    rb".{4}\x02\0[^\0]{0,1000}\0[^\0]{0,1000}\0\0\0\x03\0.{4}[^\0]{0,1000}\0(.{4})", re.DOTALL
)
# Streams below this size lie in the small table: section 2.1.
_SMALL: Final = 4096
# Entries of tables and directories that are read for one file.
_MAX_WORK: Final = 16 * 1024 * 1024


class Effort:
    """The entries of tables that may still be read for one file with compound files in it."""

    def __init__(self) -> None:
        self._left = _MAX_WORK

    def spend(self, entries: int) -> None:
        """Count entries. Raises RefusedArchiveError."""
        self._left -= entries
        if self._left < 0:
            raise RefusedArchiveError("archive-too-large")


def streams(file: IO[bytes], base: int, size: int, work: Effort) -> Iterator[Part]:
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
    layout = _Layout(file, base, size, 1 << shift, work)
    table = layout.table(header, tables, difat)
    small = array("I")
    for sector in _chain(table, mini):
        work.spend(layout.width // 4)
        small.frombytes(layout.sector(sector)[: (layout.width // 4) * 4])
    listed = _Listed(layout, table, directory)
    gathered = Gathered()
    for start in _starts(table):
        for end in listed.sizes(start, table, layout.width):
            yield from _content(gathered, _upto(_joined(layout, table, start), end))
    yield from gathered.rest()
    if small:
        yield from _small(layout, table, small, listed)


def _content(gathered: Gathered, pieces: Iterator[bytes]) -> Iterator[Part]:
    """Yield a stream. A packaged file ([MS-OLEDS] section 2.3.6) becomes a part of its own."""
    first = next(pieces, b"")
    found = _PACKAGE.match(first)
    if found is None:
        yield from gathered.add(chain((first,), pieces))
        return
    (length,) = struct.unpack("<I", found[1])
    whole = chain((first[found.end() :],), pieces)
    yield from gathered.add(_upto(whole, length), own=True)
    yield from gathered.add((first[: found.end()],))
    # The names of the file may follow.
    yield from gathered.add(whole)


def _small(
    layout: "_Layout", table: array[int], small: array[int], listed: "_Listed"
) -> Iterator[Part]:
    """Yield the small streams, whose sectors of 64 bytes lie in the stream of the root entry."""
    places = array("I", _chain(table, listed.root))
    gathered = Gathered()
    for first in _starts(small):
        for end in listed.sizes(first, small, _MINI_SIZE):
            yield from _content(gathered, _upto(_joined_small(layout, small, first, places), end))
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

    def __init__(self, file: IO[bytes], base: int, size: int, width: int, work: Effort) -> None:
        self._file = file
        self._base = base
        self.width = width
        self.count = max(0, (size - base) // width)
        self.work = work

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
        while difat < _LAST_SECTOR and difat not in visited:
            self.work.spend(each)
            visited.add(difat)
            more = array("I", self.sector(difat).ljust(self.width, b"\xff"))
            places += more[: each - 1]
            difat = more[each - 1]
        table = array("I")
        for place in places[: max(tables, _IN_HEADER)]:
            if place >= _LAST_SECTOR or len(table) > self.count:
                continue
            self.work.spend(each)
            table.frombytes(self.sector(place).ljust(self.width, b"\xff"))
        return table[: self.count + 1]


class _Listed:
    """The sizes that the directory states, by the first sector of a stream.

    A stream ends in the middle of a sector. A zip, say, is read from its end.
    """

    def __init__(self, layout: _Layout, table: array[int], directory: int) -> None:
        self.root = _LAST_SECTOR
        self._work = layout.work
        self._sizes: dict[tuple[int, bool], int] = {}
        for number, sector in enumerate(_chain(table, directory)):
            entries = layout.sector(sector)
            layout.work.spend(len(entries) // 8)
            for at in range(0, len(entries) - _ENTRY_SIZE + 1, _ENTRY_SIZE):
                (kind,) = struct.unpack_from("<66xB", entries, at)
                start, size = struct.unpack_from("<116xII", entries, at)
                if number == 0 and at == 0:
                    self.root = start
                elif kind == _STREAM:
                    self._sizes[start, size < _SMALL] = size

    def sizes(self, start: int, table: array[int], width: int) -> tuple[int | None, ...]:
        """Return the sizes with which to read the chain from `start`; None is the whole chain.

        The whole chain is read as well where the chain goes on after the stated size.
        """
        size = self._sizes.get((start, width == _MINI_SIZE))
        if size is None:
            return (None,)
        sectors = -(-size // width)
        self._work.spend(sectors + 1)
        follows = any(True for _ in islice(_chain(table, start), sectors, None))
        return (size, None) if follows else (size,)


def _upto(pieces: Iterator[bytes], size: int | None) -> Iterator[bytes]:
    """Yield the first `size` bytes; for None, all."""
    for piece in pieces:
        if size is None:
            yield piece
            continue
        yield piece[:size]
        size -= len(piece)
        if size <= 0:
            return


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
