"""Inflate streams of hostile bytes, piece by piece.

Damage ends the streams of `inflated` and `unpacked` in silence. Whoever opens a damaged stream gets
the bytes before the damage, and so these bytes are scanned. `GzipDecompressor` raises at damage.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zlib import _Decompress

RAW: Final = -zlib.MAX_WBITS
"""A deflated stream without a header, for `unpacked`."""
GZIP: Final = 16 + zlib.MAX_WBITS
"""A member of gzip, with its sums, for `unpacked`: zlib.h, inflateInit2."""

_PIECE: Final = 256 * 1024


def inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of one deflated stream, with the header of zlib or without.

    The checksum at the end is not checked.
    """
    following = iter(pieces)
    start = next(following, b"")
    while len(start) < 2 and (more := next(following, b"")):
        start += more
    # The method and the check bits of the header: RFC 1950 section 2.2.
    has_header = len(start) >= 2 and start[0] & 15 == 8 and int.from_bytes(start[:2]) % 31 == 0
    return unpacked(chain((start[2:] if has_header else start,), following), RAW)


def unpacked(pieces: Iterable[bytes], container: int) -> Iterator[bytes]:
    """Yield the content of one deflated stream in a `container`: RAW or GZIP."""
    stream = zlib.decompressobj(container)
    for packed in pieces:
        while not stream.eof:
            before = stream.copy()
            try:
                piece = stream.decompress(packed, _PIECE)
            except zlib.error:
                yield _salvaged(before, packed)
                return
            packed = stream.unconsumed_tail  # noqa: PLW2901 - what is left of it
            if piece:
                yield piece
            elif not packed:
                break
        if stream.eof:
            return


class GzipDecompressor:
    """Inflate one member of gzip, and check the sums: like `bz2.BZ2Decompressor`."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(GZIP)

    @property
    def eof(self) -> bool:
        """True behind the last byte of the stream."""
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """True where `decompress` must be given further bytes."""
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """The bytes behind the stream."""
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        """Return at most `max_length` bytes of content. Raises zlib.error."""
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def _salvaged(stream: "_Decompress", packed: bytes) -> bytes:
    """Return the bytes before the damage, which zlib drops with the error."""
    content = b""
    while len(packed) > 1:
        middle = len(packed) // 2
        advanced = stream.copy()
        try:
            content += advanced.decompress(packed[:middle], _PIECE)
        except zlib.error:
            packed = packed[:middle]
        else:
            stream, packed = advanced, packed[middle:]
    # The last symbol may end within the damaged byte.
    for bits in range(7, 0, -1):
        try:
            return content + stream.copy().decompress(bytes([packed[0] & (1 << bits) - 1]), _PIECE)
        except zlib.error:
            continue
    return content
