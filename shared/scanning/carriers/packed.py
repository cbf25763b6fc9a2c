"""Packed streams and archives that begin within a file of another type.

Programs such as 7-Zip take a gzip, or a single entry of a zip, out of a picture. Chance makes
beginnings, too: what can be unpacked before the damage is scanned, and no program takes out more.

Sources: RFC 1952 section 2.3.1 (gzip), APPNOTE.TXT 6.3.10 section 4.3.7 (zip).
"""

import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Final, Protocol

from shared.scanning.carriers.parts import PIECE, part, region
from shared.scanning.examiners import Part
from shared.scanning.scanner import NotExamined
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
CLOSED: Final = ("closed_7z", "closed_rar", "closed_cab")
"""The marks of archives that the scanner cannot unpack."""
SURE: Final = frozenset(MARKS) - {"gzip"}
"""The marks that are too long for chance to make one in a film."""

# The flags, the method, and the lengths of the name and of the extra field.
_ENTRY: Final = struct.Struct("<6x2H16x2H")
_METHODS: Final = frozenset((*range(21), *range(93, 100)))


# The dictionary of `xz -6`, the default, takes 8 MiB. Many uploads are unpacked at the same time.
_XZ_MEMORY: Final = 16 * 1024 * 1024


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def gzip_member(file: IO[bytes], place: int, _: int) -> Iterator[Part]:
    """Yield the content of the gzip member at `place`."""
    yield from part(_unpacked(file, place, lambda: zlib.decompressobj(16 + zlib.MAX_WBITS)))


def bzip2_stream(file: IO[bytes], place: int, _: int) -> Iterator[Part]:
    """Yield the content of the bzip2 stream at `place`."""
    yield from part(_unpacked(file, place, bz2.BZ2Decompressor))


def xz_stream(file: IO[bytes], place: int, _: int) -> Iterator[Part]:
    """Yield the content of the xz stream at `place`, or note a stream that takes much memory."""
    try:
        yield from part(_unpacked(file, place, _xz))
    except MemoryError:
        yield NotExamined("packed-part", f"byte {place}")


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
        yield from part(_unpacked(file, start, lambda: zlib.decompressobj(-zlib.MAX_WBITS)))


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


def _unpacked(file: IO[bytes], start: int, begin: Callable[[], _Decompressor]) -> Iterator[bytes]:
    """Yield the content of a stream at `start`, up to its end or its damage."""
    stream = begin()
    for packed in region(file, start):
        data = packed
        while not stream.eof:
            try:
                piece = stream.decompress(data, PIECE)
            except lzma.LZMAError as error:
                if "emory usage limit" in str(error):
                    raise MemoryError from error
                return
            except (zlib.error, OSError, EOFError):
                return
            # zlib gives back what it did not take; bz2 keeps it.
            data = getattr(stream, "unconsumed_tail", b"")
            if piece:
                yield piece
            elif not data:
                break
        if stream.eof:
            return
