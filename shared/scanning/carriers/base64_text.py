"""Decode base64 in text: data URIs, blobs in XML, JSON and YAML, lines in mails without headers.

Source: RFC 4648; its two alphabets are told apart by no reader, and are read alike.
"""

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Final

from shared.scanning.carriers.parts import Gathered, Part

# Characters of the smallest run of base64 that is decoded.
_SMALLEST: Final = 40
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/=]")
# A run of base64: within lines, with nothing but indentation before the next line.
_RUN: Final = re.compile(rb"[A-Za-z0-9+/_-](?:[A-Za-z0-9+/=_-]|[ \t]*\r?\n(?!\s*\n)[ \t]*)*")
# Escapes of characters of base64, or of line ends within base64, in JSON, XML, HTML and URIs.
_ESCAPES: Final = re.compile(
    rb"\\[nrt]|\\/|%(?:0[AaDd9]|20|2[BbFf]|3[Dd])|&#(?:x(?:A|D|9|20|2[BbFf]|3[Dd])|1[03]|9|32|4[37]|61);"
    rb"|\\u00(?:2[BbFf]|3[Dd])",
    re.IGNORECASE,
)
_WHOLE_ESCAPE: Final = 8
_STEP: Final = 1024 * 1024
# Bytes of one run: a longer run is cut.
_LONGEST: Final = 8 * 1024 * 1024


class Decoder:
    """Decode base64 in pieces, and skip what does not belong to the alphabet.

    Programs differ in what they do behind padding: one ends the group of characters there, another
    takes no notice of the padding.
    """

    def __init__(self, *, url_safe: bool = True, pads: bool = True) -> None:
        """Take `-` and `_` for characters if `url_safe`; take notice of padding if `pads`."""
        self._url_safe = url_safe
        self._pads = pads
        self._held = b""
        self._ended = False
        self.padded = False
        """True when characters followed padding."""

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that are complete with `data`."""
        decoded = bytearray()
        if self._url_safe:
            data = data.translate(_URL_SAFE)
        data = _NOT_BASE64.sub(b"", data)
        *before, last = re.split(rb"=+", data)
        for piece in before:
            self._held += piece
            if self._pads:
                decoded += self.rest()
        self._held += last
        self.padded |= bool((self._ended and data) or any(before[1:]) or (before and last))
        self._ended |= bool(before)
        whole = len(self._held) & ~3
        decoded += binascii.a2b_base64(self._held[:whole])
        self._held = self._held[whole:]
        return bytes(decoded)

    def rest(self) -> bytes:
        """Return the bytes of the last characters."""
        held, self._held = self._held, b""
        if len(held) % 4 == 1:
            held = held[:-1]
        return binascii.a2b_base64(held + b"=" * (-len(held) % 4))


def runs(text: Iterable[bytes]) -> Iterator[Part]:
    """Yield what the runs of base64 in a text decode to. UTF-16 reads the same without its NULs.

    `text` are the pieces of the text, in their order.
    """
    gathered = Gathered()
    window = b""
    for piece in _steps(text):
        window += _ESCAPES.sub(_unescaped, piece.replace(b"\0", b""))
        # The last run may go on in the next piece.
        kept = 0
        for found in _RUN.finditer(window):
            if (
                found.end() >= len(window) - _WHOLE_ESCAPE
                and found.end() - found.start() < _LONGEST
            ):
                kept = found.start()
                break
            kept = found.end()
            yield from gathered.add(_decoded(found[0]))
        else:
            kept = max(kept, len(window) - _WHOLE_ESCAPE)
        window = window[kept:]
    for found in _RUN.finditer(window):
        yield from gathered.add(_decoded(found[0]))
    yield from gathered.rest()


def _steps(text: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces of a text that are not cut within an escape."""
    rest = b""
    held: list[bytes] = []
    size = 0
    for piece in text:
        held.append(piece)
        size += len(piece)
        if size >= _STEP:
            data = rest + b"".join(held)
            at = max(data.rfind(b"\\", -12), data.rfind(b"%", -12), data.rfind(b"&", -12))
            rest = data[at:] if at >= 0 else b""
            yield data[: len(data) - len(rest)]
            held, size = [], 0
    yield rest + b"".join(held)


def _decoded(run: bytes) -> Iterator[bytes]:
    if len(run) >= _SMALLEST:
        decoder = Decoder()
        yield decoder.feed(run) + decoder.rest()


def _unescaped(found: re.Match[bytes]) -> bytes:
    text = found[0].lower().rstrip(b";")
    for ends, plain in _PLAIN:
        if text.endswith(ends):
            return plain
    return b""


# What an escape stands for, by its end; any other stands for white space within a line.
_PLAIN: Final = (
    ((b"2b", b"43"), b"+"),
    ((b"2f", b"47", b"\\/"), b"/"),
    ((b"3d", b"61"), b"="),
    ((b"0a", b"xa", b"10", b"\\n"), b"\n"),
)
