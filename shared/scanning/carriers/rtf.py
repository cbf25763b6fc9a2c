"""Decode the hexadecimal objects of an RTF. Source: Rich Text Format Specification 1.9.1."""

import binascii
import re
from collections.abc import Iterator
from typing import IO, Final

from shared.scanning.carriers.parts import PIECE, Gathered, Part, region

_CONTROL: Final = re.compile(rb"\\[A-Za-z]{1,40}(?:-?[0-9]{1,12})? ?|\\'..|\\[^A-Za-z]", re.DOTALL)
_LONGEST_CONTROL: Final = 64
_BRACE: Final = re.compile(rb"[{}]")
_NOT_DIGIT: Final = re.compile(rb"[^0-9A-Fa-f]")
_RUN: Final = re.compile(rb"(?<![0-9A-Za-z\\])[0-9A-Fa-f](?:[0-9A-Fa-f]|\s){62,}[0-9A-Fa-f]")


def objects(file: IO[bytes], places: Iterator[int]) -> Iterator[Part]:
    r"""Yield the objects whose control word `\objdata` stands at `places`.

    Word skips control words and braces between the digits, and so does the reading here.
    """
    gathered = Gathered()
    for place in places:
        yield from gathered.add(_digits(file, place + len(b"\\objdata")))
    yield from gathered.rest()


def _digits(file: IO[bytes], start: int) -> Iterator[bytes]:
    depth = 1
    rest = digits = b""
    for piece in region(file, start):
        data = rest + piece
        border = data.rfind(b"\\", -_LONGEST_CONTROL)
        rest = data[border:] if border >= 0 and len(piece) == PIECE else b""
        data = _CONTROL.sub(b"", data[: len(data) - len(rest)])
        for brace in _BRACE.finditer(data):
            depth += 1 if brace[0] == b"{" else -1
            if depth <= 0:
                data = data[: brace.start()]
                break
        digits += _NOT_DIGIT.sub(b"", data)
        whole = len(digits) & ~1
        yield binascii.unhexlify(digits[:whole])
        digits = digits[whole:]
        if depth <= 0:
            return


def runs(file: IO[bytes]) -> Iterator[Part]:
    """Yield what the runs of digits decode to: pictures, themes and fonts are runs as well."""
    gathered = Gathered()
    window = b""
    for piece in region(file, 0):
        window += piece
        kept = 0
        for found in _RUN.finditer(window):
            if found.end() == len(window):
                break
            kept = found.end()
            yield from gathered.add(_run(found[0]))
        window = window[max(kept, len(window) - 16 * PIECE) :]
    for found in _RUN.finditer(window):
        yield from gathered.add(_run(found[0]))
    yield from gathered.rest()


def _run(run: bytes) -> Iterator[bytes]:
    digits = _NOT_DIGIT.sub(b"", run)
    yield binascii.unhexlify(digits[: len(digits) & ~1])
