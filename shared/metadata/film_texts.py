"""The texts in the boxes of a film: user data, and the items of metadata by Apple."""

import re
import struct
from collections.abc import Iterator
from typing import Final

from shared.metadata.worker.encodings import decoded, is_text
from shared.metadata.worker.result import CUT, Metadata, MetadataBuilder, merged

# 3GPP TS 26.244 section 8: a version, a language, and a text.
_ASSETS: Final = frozenset({b"albm", b"auth", b"cprt", b"dscp", b"gnre", b"perf", b"titl"})
# The types of a value (QuickTime File Format, "Well-known types"): texts, and no declared type.
_UTF16: Final = (2, 5)
_TEXTS: Final = (0, 1, 3, 4)
# Texts among numbers.
_WIDE: Final = re.compile(rb"(?:[\x20-\x7e]\0){4,}")
_NARROW: Final = re.compile(rb"[\x20-\x7e\x80-\xff]{6,}")
_BYTES: Final = 4
_LANGUAGE: Final = 2
# Bytes before the name of a handler (ISO/IEC 14496-12, section 8.4.3).
_HANDLER: Final = 24


MAX_COVERS: Final = 8
"""Pictures of a film that are read."""


class FilmTexts:
    """Add the texts of boxes in `udta`, `meta` and `ilst`. Tags of ID3, and covers, wait unread."""

    def __init__(self) -> None:
        self.id3: list[bytes] = []
        self.covers: list[bytes] = []
        self._found = MetadataBuilder()
        self._keys: list[str] = []

    def metadata(self, *, cut: bool) -> Metadata:
        """Return the texts; `cut` marks a box that was too long."""
        notes = [Metadata(note=CUT)] if cut else []
        return merged([self._found.metadata(), *notes])

    def add(self, outer: bytes, kind: bytes, content: bytes) -> None:
        """Add the texts of the box `kind` in the box `outer`."""
        if (outer, kind) == (b"ilst", b"covr"):
            for name, cover in _boxes(content):
                if name == b"data" and len(self.covers) < MAX_COVERS:
                    self.covers.append(cover[2 * _BYTES :])
                else:
                    self._found.cut = True
        elif outer == b"ilst":
            self._item(kind, content)
        elif kind == b"ID32":
            # A version and a language before a tag of ID3v2: "ID3v2 in MPEG-4", id3.org.
            self.id3.append(content[_BYTES + _LANGUAGE :])
        elif outer == b"meta":
            if kind == b"keys":
                self._keys = list(_keys(content))
            elif kind == b"xml ":
                self._found.text("meta:xml", *decoded(content[_BYTES:]))
        elif kind == b"hdlr":
            self._handler(content[_HANDLER:])
        else:
            self._user_data(kind, content)

    def _handler(self, name: bytes) -> None:
        """Add the name of a track's handler; QuickTime's begins with the length."""
        is_counted = len(name) > 1 and name[0] == len(name.rstrip(b"\0")) - 1
        self._found.text("hdlr:name", *decoded(name[1 if is_counted else 0 :].rstrip(b"\0")))

    def _item(self, kind: bytes, content: bytes) -> None:
        """Add an item of `ilst`, whose field is the kind, an own name, or a key of `keys`."""
        boxes = list(_boxes(content))
        number = int.from_bytes(kind)
        if 0 < number <= len(self._keys):
            field = f"mdta:{self._keys[number - 1]}"
        else:
            own = [
                box[_BYTES:].decode("utf-8", "replace") for name, box in boxes if name == b"name"
            ]
            field = f"ilst:{own[0] if own else _named(kind)}"
        for name, box in boxes:
            if name != b"data" or len(box) < 2 * _BYTES:
                continue
            form, value = int.from_bytes(box[1:_BYTES]), box[2 * _BYTES :]
            if form in _UTF16:
                self._found.text(field, value.decode("utf-16-be", "replace"))
            elif form in _TEXTS and (form or is_text(value)):
                self._found.text(field, *decoded(value))

    def _user_data(self, kind: bytes, content: bytes) -> None:
        field = f"udta:{_named(kind)}"
        if kind in _ASSETS:
            content = content[_BYTES + _LANGUAGE :]
            self._found.text(field, *decoded(content.rstrip(b"\0")))
        elif kind.startswith(b"\xa9"):
            if content[_BYTES : 2 * _BYTES] == b"data":
                self._item(kind, content)
                return
            for text in _international(content):
                self._found.text(field, *decoded(text))
        elif is_text(content):
            self._found.text(field, *decoded(content))
        else:
            self._among_numbers(field, content)

    def _among_numbers(self, field: str, content: bytes) -> None:
        """Add the texts of a box whose form is not known: UTF-16, or text behind a version."""
        for start in (_BYTES, _BYTES + _LANGUAGE):
            if len(content) > start and is_text(content[start:]):
                self._found.text(field, *decoded(content[start:]))
                return
        for run in _WIDE.findall(content):
            self._found.text(field, run.decode("utf-16-le", "replace"))
        for run in _NARROW.findall(content):
            self._found.text(field, *decoded(run))


def _keys(content: bytes) -> Iterator[str]:
    """Yield the keys that the items of `ilst` name by number."""
    place = 2 * _BYTES
    while place + 2 * _BYTES <= len(content):
        (size,) = struct.unpack_from(">I", content, place)
        if size < 2 * _BYTES:
            return
        yield content[place + 2 * _BYTES : place + size].decode("utf-8", "replace")
        place += size


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 2 * _BYTES <= len(content):
        size, kind = struct.unpack_from(">I4s", content, place)
        if size < 2 * _BYTES:
            return
        yield kind, content[place + 2 * _BYTES : place + size]
        place += size


def _international(content: bytes) -> Iterator[bytes]:
    """Yield the texts of an atom, each behind its length and its language."""
    place = 0
    while place + _BYTES <= len(content):
        (size,) = struct.unpack_from(">H", content, place)
        text = content[place + _BYTES : place + _BYTES + size]
        if len(text) < size:
            # Some writers leave the length out.
            yield content[place:]
            return
        yield text
        place += _BYTES + size


def _named(kind: bytes) -> str:
    return kind.decode("mac_roman")
