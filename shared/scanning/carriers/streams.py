"""Inflate and decode streams of hostile bytes, piece by piece; damage ends a stream in silence.

Whoever opens a damaged stream gets the bytes before the damage, and so these bytes are scanned.
"""

import bz2
import zlib
from collections.abc import Iterable, Iterator

from shared.scanning.carriers.parts import PIECE

RAW, ZLIB, GZIP = -15, 15, 31
"""Forms of a deflated stream, as zlib names the forms (`wbits`)."""


def inflated(pieces: Iterable[bytes], form: int) -> Iterator[bytes]:
    """Yield the content of one deflated stream."""
    stream = zlib.decompressobj(form)
    for packed in pieces:
        while not stream.eof:
            before = stream.copy()
            try:
                piece = stream.decompress(packed, PIECE)
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


def _salvaged(stream: "zlib._Decompress", packed: bytes) -> bytes:
    """Return the bytes before the damage, which zlib drops with the error."""
    content = bytearray()
    try:
        while piece := stream.decompress(packed, 1):
            content += piece
            packed = stream.unconsumed_tail
    except zlib.error:
        pass
    return bytes(content)


def unpacked_bzip2(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of one bzip2 stream."""
    stream = bz2.BZ2Decompressor()
    try:
        for packed in pieces:
            piece = stream.decompress(packed, PIECE)
            while piece:
                yield piece
                if stream.eof or stream.needs_input:
                    break
                piece = stream.decompress(b"", PIECE)
            if stream.eof:
                return
    except (OSError, ValueError):
        # bz2 raises OSError for bad data; no file is read here.
        return
