"""Decode data URIs whose content is percent-encoded or written in entities. Source: RFC 2397."""

import html
import re
from collections.abc import Iterator, Sequence
from typing import IO, Final
from urllib.parse import unquote_to_bytes

from shared.scanning.carriers.base64_text import Decoder
from shared.scanning.carriers.parts import Gathered, Part, region
from shared.scanning.scanner import NotExamined

_HEAD: Final = re.compile(rb"data:([^,'\"<>]{0,200}),", re.IGNORECASE)
_END: Final = re.compile(rb"['\"<>)]")
_ESCAPE: Final = re.compile(rb"[%&]")
# Of a long URI the first 4 MiB are read.
_LONGEST: Final = 4 * 1024 * 1024
# Bytes that are read of one file, for text with very many URIs.
_MOST: Final = 256 * 1024 * 1024


def contents(file: IO[bytes], places: Sequence[int]) -> Iterator[Part]:
    """Yield the content of the data URIs at `places`, up to 4 MiB of each; note what is left.

    The other readers saw the bytes of a URI without escapes.
    """
    gathered = Gathered()
    ends, escapes = _Next(file, _END), _Next(file, _ESCAPE)
    left = _MOST
    done = 0
    for place in places:
        if place < done or escapes.after(place) >= ends.after(place):
            continue
        file.seek(place)
        text = file.read(min(_LONGEST, ends.after(place) - place))
        left -= len(text)
        content = _content(text)
        if content is not None:
            # A URI within is a part of this content.
            done = place + len(text)
            yield from gathered.add([content])
        if left < 0:
            yield from gathered.rest()
            yield NotExamined("further-parts", f"byte {place}")
            return
    yield from gathered.rest()


def _content(text: bytes) -> bytes | None:
    """Return the content of the URI `text`; b"" where no escape changes the content.

    None for text that is no URI.
    """
    text = text.replace(b"\0", b"")
    head = _HEAD.match(text)
    if head is None:
        return None
    plain = html.unescape(text[head.end() :].decode("latin-1")).encode("latin-1", "ignore")
    data = unquote_to_bytes(plain)
    if data == text[head.end() :]:
        return b""
    if b"base64" in head[1].lower():
        decoder = Decoder()
        data = decoder.feed(data) + decoder.rest()
    return data


class _Next:
    """The next match of a pattern of one byte, for places in rising order."""

    def __init__(self, file: IO[bytes], pattern: re.Pattern[bytes]) -> None:
        self._file = file
        self._pattern = pattern
        self._found = -1

    def after(self, place: int) -> int:
        """Return the offset of the first match from `place` on, or the size of the file."""
        if self._found < place:
            self._found = place
            for piece in region(self._file, place):
                if found := self._pattern.search(piece):
                    self._found += found.start()
                    break
                self._found += len(piece)
        return self._found
