"""Decode data URIs whose content is percent-encoded or written in entities. Source: RFC 2397."""

import html
import re
from collections.abc import Iterator
from typing import IO, Final
from urllib.parse import unquote_to_bytes

from shared.scanning.carriers.base64_text import Decoder
from shared.scanning.carriers.parts import Gathered
from shared.scanning.examiners import Part

_HEAD: Final = re.compile(rb"data:([^,'\"<>]{0,200}),", re.IGNORECASE)
_END: Final = re.compile(rb"['\"<>)]")
_MAX: Final = 4 * 1024 * 1024


def contents(file: IO[bytes], places: Iterator[int]) -> Iterator[Part]:
    """Yield the content of the data URIs at `places`, up to 4 MiB of each."""
    gathered = Gathered()
    done = 0
    for place in places:
        if place < done:
            continue
        file.seek(place)
        text = file.read(_MAX).replace(b"\0", b"")
        head = _HEAD.match(text)
        if head is None:
            continue
        end = _END.search(text, head.end())
        data = text[head.end() : end.start() if end else len(text)]
        if b"%" not in data and b"&" not in data:
            continue
        done = place + len(data)
        data = unquote_to_bytes(html.unescape(data.decode("latin-1")).encode("latin-1", "ignore"))
        if b"base64" in head[1].lower():
            decoder = Decoder()
            data = decoder.feed(data) + decoder.rest()
        yield from gathered.add([data])
    yield from gathered.rest()
