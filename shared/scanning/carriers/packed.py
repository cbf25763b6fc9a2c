"""Packed streams and archives that begin within a file of another type.

Programs such as 7-Zip take a gzip, or a single entry of a zip, out of a picture. Chance makes
beginnings, too: what can be unpacked before the damage is scanned, and no program takes out more.

Sources: RFC 1952 section 2.3.1 (gzip), APPNOTE.TXT 6.3.10 section 4.3.7 (zip).
"""

import struct
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from typing import IO, Final

from shared.scanning.carriers.parts import PIECE, Part, part, region
from shared.scanning.scanner import NotExamined, RefusedArchiveError
from shared.scanning.streams import GZIP, RAW, unpacked
from shared.scanning.tar_bzip2_xz import BrokenArchiveError, Readable, bzip2, xz
from shared.scanning.windows import Window
from shared.scanning.zips import DEFLATED, ENCRYPTED, STORED

MARKS: Final[Mapping[str, str]] = {
    "zip_entry": "{ 50 4B 03 04 [5] 00 [16] ?? 0? }",
    "gzip": "{ 1F 8B 08 (0? | 1?) [4] (00 | 02 | 04) (0? | FF) }",
    "bzip2": r"/BZh[1-9](1AY&SY|\x17rE8P\x90)/",
    "xz": "{ FD 37 7A 58 5A 00 00 (00 | 01 | 04 | 0A) }",
    "closed_7z": "{ 37 7A BC AF 27 1C 00 }",
    "closed_rar": "{ 52 61 72 21 1A 07 (00 | 01) }",
    "closed_cab": "{ 4D 53 43 46 00 00 00 00 [4] 00 00 00 00 }",
}
"""The marks of the beginnings, as patterns of yara-x."""
SURE: Final = frozenset(MARKS) - {"gzip"}
"""The marks that are too long for chance to make one in a film."""

# The flags, the method, and the lengths of the name and of the extra field.
_ENTRY: Final = struct.Struct("<6x2H16x2H")
_METHODS: Final = frozenset((*range(21), *range(93, 100)))
# The dictionary of `xz -6`, the default, takes 8 MiB. Many uploads are unpacked at the same time.
_XZ_MEMORY: Final = 16 * 1024 * 1024


def gzip_member(file: IO[bytes], place: int, _: int) -> Iterator[Part]:
    """Yield the content of the gzip member at `place`."""
    yield from part(unpacked(region(file, place), GZIP))


def bzip2_stream(file: IO[bytes], place: int, size: int) -> Iterator[Part]:
    """Yield the content of the bzip2 stream at `place` of a file of `size` bytes."""
    yield from part(_until_damage(bzip2(Window(file, place, size - place))))


def xz_stream(file: IO[bytes], place: int, size: int) -> Iterator[Part]:
    """Yield the content of the xz stream at `place`, or note a stream that takes much memory."""
    content = _until_damage(xz(Window(file, place, size - place), _XZ_MEMORY))
    try:
        first = next(content, b"")
    except RefusedArchiveError:
        yield NotExamined("packed-part", f"byte {place}")
        return
    yield from part(chain((first,), content))


def zip_entry(file: IO[bytes], place: int, _: int) -> Iterator[Part]:
    """Yield the content of a deflated entry that no directory lists, or note a closed entry.

    A stored entry needs no unpacking.
    """
    file.seek(place)
    header = file.read(_ENTRY.size)
    if len(header) < _ENTRY.size:
        return
    flags, method, name_size, extra_size = _ENTRY.unpack(header)
    if method not in _METHODS or not 0 < name_size < 4096:
        return
    if flags & ENCRYPTED or method not in (STORED, DEFLATED):
        yield NotExamined("packed-part", f"byte {place}")
    elif method == DEFLATED:
        start = place + _ENTRY.size + name_size + extra_size
        yield from part(unpacked(region(file, start), RAW))


def _until_damage(source: Readable) -> Iterator[bytes]:
    """Yield the content of a stream, and of the streams that follow, up to the damage."""
    try:
        yield from iter(partial(source.read, PIECE), b"")
    except BrokenArchiveError:
        return
