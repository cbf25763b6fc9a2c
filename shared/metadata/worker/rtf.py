"""RTF: the information group, and the authors of changes and of notes.

Source: RTF Specification 1.9.1, "Information Group", "Track Changes" and "Comments".
"""

import re
from dataclasses import dataclass
from dataclasses import field as column
from typing import Final

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import MetadataBuilder

_CODE_PAGE: Final = re.compile(rb"\\ansicpg(\d{1,5})")
# Bytes in which a file names its encoding.
_HEAD: Final = 4096
_TOKEN: Final = re.compile(
    rb"(?P<open>\{)|(?P<close>\})|(?P<hex>\\'[0-9a-fA-F]{2})"
    rb"|(?P<word>\\(?P<name>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?)|(?P<sign>\\[^a-zA-Z])"
    rb"|(?P<text>[^{}\\]+)",
    re.DOTALL,
)
_DESTINATIONS: Final = frozenset(
    {
        *("title", "subject", "author", "manager", "company", "operator", "category", "keywords"),
        *("comment", "doccomm", "hlinkbase", "propname", "staticval", "atnauthor", "atnid"),
        *("annotation", "revtbl"),
    }
)
_MAX_DEPTH: Final = 1000


@dataclass(slots=True)
class _Group:
    """A group: the destination, the bytes not yet decoded, and the texts."""

    name: str = ""
    raw: bytearray = column(default_factory=bytearray)
    texts: list[str] = column(default_factory=list)
    readings: tuple[str, ...] = ()
    # Bytes that stand for one sign of Unicode, to programs that know no Unicode.
    substitutes: int = 1

    @property
    def is_empty(self) -> bool:
        return not (self.name or self.raw or self.texts)


def add_rtf(data: bytes, found: MetadataBuilder) -> None:
    """Add the texts of the information group, and the authors of changes and notes."""
    _Reader(data, found).read(data)


class _Reader:
    def __init__(self, data: bytes, found: MetadataBuilder) -> None:
        page = _CODE_PAGE.search(data, 0, _HEAD)
        self._codec = f"cp{int(page[1])}" if page else "cp1252"
        self._found = found
        self._groups: list[_Group] = []
        self._skip = 0

    def read(self, data: bytes) -> None:
        for token in _TOKEN.finditer(data):
            kind = token.lastgroup
            if kind == "open":
                if len(self._groups) == _MAX_DEPTH:
                    break
                outer = self._groups[-1].substitutes if self._groups else 1
                self._groups.append(_Group(substitutes=outer))
            elif not self._groups:
                continue
            elif kind == "close":
                self._close(self._groups.pop())
            elif kind == "word":
                self._word(token["name"].decode("ascii"), token["number"])
            else:
                self._signs(kind, token[0])
        # A whole file closes every group.
        self._found.broken |= bool(self._groups)

    def _word(self, word: str, number: bytes | None) -> None:
        group = self._groups[-1]
        if word == "u" and number:
            self._flush(group)
            group.texts.append(chr(int(number) & 0xFFFF))
            self._skip = group.substitutes
        elif word == "uc" and number:
            group.substitutes = max(0, min(int(number), 8))
        elif group.is_empty:
            group.name = word
        elif word in ("par", "line", "tab"):
            group.raw += b" "

    def _signs(self, kind: str | None, signs: bytes) -> None:
        group = self._groups[-1]
        if kind == "hex":
            signs = bytes.fromhex(signs[2:].decode("ascii"))
        elif kind == "sign":
            signs = signs[1:] if signs[1:] in (b"\\", b"{", b"}") else b""
        else:
            signs = signs.replace(b"\r", b"").replace(b"\n", b"")
        group.raw += signs[self._skip :]
        self._skip = max(0, self._skip - len(signs))

    def _close(self, group: _Group) -> None:
        self._flush(group)
        text = "".join(group.texts)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        outer = self._groups[-1] if self._groups else _Group()
        if outer.name == "revtbl" or group.name in _DESTINATIONS:
            name = "revtbl" if outer.name == "revtbl" else group.name
            self._found.text(f"RTF:{name}", text.rstrip(";"), group.readings)
        elif outer.name in _DESTINATIONS:
            # A group within a text belongs to the text.
            self._flush(outer)
            outer.texts.append(text)

    def _flush(self, group: _Group) -> None:
        if not group.raw:
            return
        raw = bytes(group.raw)
        group.raw.clear()
        text, readings = decoded(raw)
        if not raw.isascii():
            try:
                declared = raw.decode(self._codec)
                text, readings = declared, (text, *readings)
            except (UnicodeDecodeError, LookupError):
                pass
            # Of a text in several pieces the readings would be pieces too.
            group.readings = () if group.texts else readings
        group.texts.append(text)
