"""The filters of PDF, piece by piece. Source: ISO 32000-1 section 7.4."""

import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Final

from shared.scanning.carriers.parts import PIECE
from shared.scanning.streams import inflated

type Filter = Callable[[Iterator[bytes], Mapping[str, int], "Spending"], Iterator[bytes]]

# Bytes of one document that the slow filters decode: LZW, run lengths, ASCII85 and predictions.
_SLOW: Final = 64 * 1024 * 1024
# Bytes of one document's pictures from which a prediction is taken.
_PIXELS: Final = 8 * 1024 * 1024
_MAX_ROW: Final = 1024 * 1024


class StreamTooLongError(Exception):
    """A document with more content than the slow filters decode."""


class Spending:
    """The work that the slow filters may do for one document."""

    def __init__(self) -> None:
        self._left = _SLOW
        self.pixels = _PIXELS

    def spend(self, count: int) -> None:
        """Count decoded bytes. Raises StreamTooLongError."""
        self._left -= count
        if self._left < 0:
            raise StreamTooLongError


def _flate(pieces: Iterator[bytes], _: Mapping[str, int], __: Spending) -> Iterator[bytes]:
    first = next(pieces, b"")
    content = inflated(chain((first,), pieces))
    piece = next(content, b"")
    if piece:
        yield piece
        yield from content
        return
    # The header of zlib may be broken.
    yield from inflated((first[2:],))


def _hexadecimal(pieces: Iterator[bytes], _: Mapping[str, int], __: Spending) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        digits, end, _after = piece.partition(b">")
        digits = rest + re.sub(rb"[^0-9A-Fa-f]", b"", digits)
        if end and len(digits) % 2:
            digits += b"0"
        whole = len(digits) & ~1
        yield binascii.unhexlify(digits[:whole])
        rest = digits[whole:]
        if end:
            return


def _ascii85(pieces: Iterator[bytes], _: Mapping[str, int], budget: Spending) -> Iterator[bytes]:
    rest = b""
    for number, piece in enumerate(pieces):
        data = piece.removeprefix(b"<~") if number == 0 else piece
        data, end, _after = data.partition(b"~")
        # `z` stands for five zeros' worth.
        data = rest + re.sub(rb"[^!-u]", b"", data.replace(b"z", b"!!!!!"))
        whole = len(data) - len(data) % 5
        budget.spend(whole)
        yield _groups(data[:whole])
        rest = data[whole:]
        if end:
            break
    if len(rest) > 1:
        yield _groups(rest.ljust(5, b"u"))[: len(rest) - 1]


def _groups(data: bytes) -> bytes:
    decoded = bytearray()
    for start in range(0, len(data), 5):
        number = 0
        for digit in data[start : start + 5]:
            number = number * 85 + digit - 33
        decoded += (number & 0xFFFFFFFF).to_bytes(4)
    return bytes(decoded)


def _run_length(pieces: Iterator[bytes], _: Mapping[str, int], budget: Spending) -> Iterator[bytes]:
    decoded = bytearray()
    literal = 0
    repeat = 0
    for piece in pieces:
        for byte in piece:
            if literal:
                decoded.append(byte)
                literal -= 1
            elif repeat:
                decoded += bytes([byte]) * repeat
                repeat = 0
            elif byte == 128:
                yield bytes(decoded)
                return
            elif byte < 128:
                literal = byte + 1
            else:
                repeat = 257 - byte
        budget.spend(len(decoded))
        yield bytes(decoded)
        decoded.clear()
    yield bytes(decoded)


def _lzw(pieces: Iterator[bytes], numbers: Mapping[str, int], budget: Spending) -> Iterator[bytes]:
    early = numbers.get("EarlyChange", 1)
    table = [bytes([byte]) for byte in range(256)] + [b"", b""]
    previous = b""
    width, held, bits = 9, 0, 0
    decoded = bytearray()
    for piece in pieces:
        for byte in piece:
            held = held << 8 | byte
            bits += 8
            if bits < width:
                continue
            bits -= width
            code = held >> bits
            held &= (1 << bits) - 1
            if code == 256:
                del table[258:]
                previous, width = b"", 9
                continue
            if code == 257 or code > len(table) or (code == len(table) and not previous):
                yield bytes(decoded)
                return
            entry = table[code] if code < len(table) else previous + previous[:1]
            decoded += entry
            if previous and len(table) < 4096:
                table.append(previous + entry[:1])
            previous = entry
            width = min(12, max(9, (len(table) + early).bit_length()))
            if len(decoded) > PIECE:
                budget.spend(len(decoded))
                yield bytes(decoded)
                decoded.clear()
    yield bytes(decoded)


def unpredicted(
    pieces: Iterable[bytes], numbers: Mapping[str, int], budget: Spending, *, is_picture: bool
) -> Iterator[bytes]:
    """Yield bytes without the prediction of PNG or TIFF (8 bits a component).

    The pixels of pictures are many, so the first of them have to do. Raises StreamTooLongError.
    """
    colors = min(numbers.get("Colors", 1), 64)
    depth = min(numbers.get("BitsPerComponent", 8), 32)
    unit = max(1, colors * depth // 8)
    row = (numbers.get("Columns", 1) * colors * depth + 7) // 8
    if not 0 < row <= _MAX_ROW:
        return
    is_png = numbers["Predictor"] >= 10
    above = bytes(row)
    for line in _lines(pieces, row + is_png):
        if is_picture:
            budget.pixels -= len(line)
            if budget.pixels < 0:
                return
        else:
            budget.spend(len(line))
        kind, data = (line[0], line[1:]) if is_png else (1, line)
        above = _row(kind, bytearray(data), above.ljust(len(data), b"\0"), unit)
        yield above


def _lines(pieces: Iterable[bytes], length: int) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) - len(data) % length
        for start in range(0, whole, length):
            yield data[start : start + length]
        rest = data[whole:]
    if rest:
        yield rest


def _row(kind: int, row: bytearray, above: bytes, unit: int) -> bytes:
    """Return a row without its prediction. Source: PNG Specification section 9."""
    if kind == 2:
        return bytes((byte + up) & 255 for byte, up in zip(row, above, strict=False))
    if kind not in (1, 3, 4):
        return bytes(row)
    for place in range(len(row)):
        left = row[place - unit] if place >= unit else 0
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + above[place]) // 2
        else:
            guess = _paeth(left, above[place], above[place - unit] if place >= unit else 0)
        row[place] = (row[place] + guess) & 255
    return bytes(row)


def _paeth(left: int, up: int, corner: int) -> int:
    estimate = left + up - corner
    distances = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
    return (left, up, corner)[distances.index(min(distances))]


FILTERS: Final[Mapping[str, Filter]] = {
    "FlateDecode": _flate,
    "Fl": _flate,
    "ASCIIHexDecode": _hexadecimal,
    "AHx": _hexadecimal,
    "ASCII85Decode": _ascii85,
    "A85": _ascii85,
    "RunLengthDecode": _run_length,
    "RL": _run_length,
    "LZWDecode": _lzw,
    "LZW": _lzw,
}
PICTURES: Final = frozenset(
    ("DCTDecode", "DCT", "JPXDecode", "CCITTFaxDecode", "CCF", "JBIG2Decode")
)
"""Filters of pictures, whose pixels are not unpacked."""
