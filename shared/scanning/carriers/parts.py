"""The pieces of which the readers of carriers make parts."""

import re
from collections.abc import Iterable, Iterator
from typing import IO, Final

from shared.scanning.scanner import NotExamined

type Part = bytes | NotExamined
"""A piece of at most 256 KiB; b"" after the last piece of a member; or a part not examined."""

PIECE: Final = 256 * 1024
"""Greatest number of bytes of a piece."""

# Decoded bytes that are gathered before they become a part.
_GATHERED: Final = 4 * 1024 * 1024
# Beginnings of files that become a part of their own: zip, gzip, bzip2, xz, OLE, PDF, PNG, RTF, 7z,
# RAR, cabinets, zstd. Any further archive is found by its marks, also within gathered bytes.
_OWN: Final = re.compile(
    # Thousands of sums in a text, such as those of a signed Java archive, begin with any bytes.
    rb"PK(?:\x03\x04|\x05\x06|\x07\x08|00)|\x1f\x8b\x08[\0-\x1f]|\x1f\x9d[\x89-\x90]"
    rb"|BZh[1-9](?:1AY|\x17rE)|\xfd7zXZ|\xd0\xcf\x11\xe0|%PDF|\x89PNG|\{\\rt|7z\xbc\xaf"
    rb"|Rar!|MSCF|\x28\xb5\x2f\xfd|<(?:\?xml|svg|!DOCTYPE|html)|From |Received:|Return-Path:",
    re.IGNORECASE,
)


def region(file: IO[bytes], start: int, end: int | None = None) -> Iterator[bytes]:
    """Yield the bytes of `file` from `start` to `end` (or to the end of the file) in pieces."""
    while end is None or start < end:
        file.seek(start)
        piece = file.read(PIECE if end is None else min(PIECE, end - start))
        if not piece:
            return
        yield piece
        start += len(piece)


def cut(data: bytes) -> Iterator[bytes]:
    """Yield `data` in pieces."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


def part(pieces: Iterable[bytes]) -> Iterator[Part]:
    """Yield `pieces` as one part. Of no bytes there is no part."""
    some = False
    for piece in pieces:
        if piece:
            some = True
            yield from cut(piece)
    if some:
        yield b""


class Gathered:
    """Make few parts of many small contents: a document has thousands of streams.

    A content that begins like a file, or that is large, becomes a part of its own.
    """

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._size = 0

    def add(self, pieces: Iterable[bytes], *, own: bool = False) -> Iterator[Part]:
        """Take a content, and yield the parts that are complete."""
        following = (piece for piece in pieces if piece)
        first = next(following, b"")
        second = next(following, None) if first else None
        if own or second is not None or len(first) > PIECE or _OWN.match(first):
            yield from part(_chained(first, second, following))
        elif first:
            self._waiting.append(first)
            self._size += len(first)
            if self._size > _GATHERED:
                yield from self.rest()

    def rest(self) -> Iterator[Part]:
        """Yield the contents that were gathered, as one part."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        yield from part(cut(b"\n".join(waiting)))


def _chained(first: bytes, second: bytes | None, others: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    if second is not None:
        yield second
        yield from others
