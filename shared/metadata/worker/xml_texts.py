"""XML by expat: the texts of elements and of attributes, in time that grows with the size."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import IO, Final
from xml.parsers import expat

from shared.metadata.worker.iptc_exif_xmp_fields import MARKUP
from shared.metadata.worker.result import MetadataBuilder

# Limits for a hostile file: the depth of elements, and seconds of processor time.
_MAX_DEPTH: Final = 200_000
_MAX_PREFIXES: Final = 1000
_MAX_SECONDS: Final = 2.0
_CHUNK: Final = 256 * 1024

# The prefixes that standards give to namespaces. A further namespace keeps the file's own prefix.
_PREFIXES: Final[Mapping[str, str]] = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://www.w3.org/2000/svg": "svg",
    "http://creativecommons.org/ns#": "cc",
    "http://www.idpf.org/2007/opf": "opf",
    "http://schemas.openxmlformats.org/package/2006/metadata/core-properties": "cp",
    "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties": "Properties",
    "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties": "custom",
    "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes": "vt",
    "urn:oasis:names:tc:opendocument:xmlns:meta:1.0": "meta",
    "urn:oasis:names:tc:opendocument:xmlns:office:1.0": "office",
    "urn:oasis:names:tc:opendocument:xmlns:text:1.0": "text",
}

type Where = Callable[[str], bool]
"""Tells whether the texts within an element of this namespace and name are wanted."""


class XmlTexts:
    """Add the texts within the wanted elements, and the values of the wanted attributes.

    A space parts namespace and name, as in `MARKUP`. `attributes` gives the fields of attributes.
    `names` gives the attributes whose value names the field of the element's text, and the first
    part of the field. Elements of `skipped` are left out. A text within an element of `MARKUP`
    belongs to that element's field, and is wanted too, if `known_everywhere`. All attributes and
    comments are added, if `every_attribute`.
    """

    def __init__(
        self,
        found: MetadataBuilder,
        wanted: Where,
        attributes: Mapping[str, str] | None = None,
        names: Mapping[str, str] | None = None,
        skipped: Collection[str] = (),
        *,
        known_everywhere: bool = True,
        every_attribute: bool = False,
    ) -> None:
        self._found = found
        self._wanted = wanted
        self._attributes = attributes or {}
        self._names = names or {}
        self._skipped = skipped
        self._own: set[str] = set()
        self._known_everywhere = known_everywhere
        self._every_attribute = every_attribute
        self._stack: list[tuple[str, str | None, bool]] = []
        self._text: list[str] = []
        self._prefixes: dict[str, str] = dict(_PREFIXES)
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartNamespaceDeclHandler = self._declared
        self._parser.CommentHandler = self._comment

    def read(self, file: IO[bytes]) -> bool:
        """Read the file. Return whether time was left for the whole; a fault marks `broken`."""
        until = time.process_time() + _MAX_SECONDS
        try:
            while chunk := file.read(_CHUNK):
                self._parser.Parse(chunk, False)
                if time.process_time() > until:
                    return False
            self._parser.Parse(b"", True)
        except expat.ExpatError:
            self._flush()
            self._found.broken = True
        return True

    def _declared(self, prefix: str | None, uri: str | None) -> None:
        if uri and len(self._prefixes) < _MAX_PREFIXES:
            self._prefixes.setdefault(uri, prefix or "")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._flush()
        if len(self._stack) == _MAX_DEPTH:
            raise expat.ExpatError("too deep")
        known, field, wanted = self._stack[-1] if self._stack else ("", "", False)
        if name in self._skipped or field is None:
            self._stack.append(("", None, False))
            return
        wanted = wanted or self._wanted(name)
        if name in MARKUP and (wanted or self._known_everywhere):
            known = name
        if known:
            field = MARKUP[known].name
        elif field not in self._own:
            field = self._named(name) if wanted else ""
        for key, value in attributes.items():
            if label := self._names.get(key):
                field = f"{label}:{value}"
                # The elements within hold the value.
                self._own.add(field)
            elif place := self._attributes.get(key) or (self._every_attribute and self._named(key)):
                self._found.text(place, value)
        self._stack.append((known, field, wanted))

    def _comment(self, text: str) -> None:
        if self._every_attribute:
            self._found.text("XML:comment", text)

    def _end(self, _: str) -> None:
        self._flush()
        self._stack.pop()

    def _characters(self, data: str) -> None:
        if self._stack and (self._stack[-1][2] or self._stack[-1][0]):
            self._text.append(data)

    def _flush(self) -> None:
        if not self._text:
            return
        text = "".join(self._text)
        self._text.clear()
        known, field, _ = self._stack[-1]
        if known:
            self._found.add(text, MARKUP[known])
        if field:
            self._found.text(field, text)

    def _named(self, name: str) -> str:
        uri, _, local = name.rpartition(" ")
        prefix = self._prefixes.get(uri, "")
        return f"{prefix}:{local}" if prefix else local
