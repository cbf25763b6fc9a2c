"""XML files: SVG, XMP sidecars, and XML of any kind.

An SVG has titles and descriptions, and metadata at times in RDF outside XMP: W3C SVG 2, sections
"The 'desc' and 'title' elements" and "The 'metadata' element". A sidecar file is one XMP packet:
XMP Specification part 1, Annex A.
"""

from pathlib import Path
from typing import IO, Final
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from shared.metadata.worker.property_lists import add_property_list
from shared.metadata.worker.result import CUT, TOO_LARGE, Metadata, MetadataBuilder, merged
from shared.metadata.worker.xml_texts import XmlTexts
from shared.metadata.worker.xmp import read_packets

_XMP: Final = ("adobe:ns:meta/ xmpmeta", "adobe:ns:meta/ xapmeta")
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns# RDF"
_SVG: Final = "http://www.w3.org/2000/svg"
_TEXTS: Final = frozenset({f"{_SVG} title", f"{_SVG} desc", f"{_SVG} metadata"})
_LABELS: Final = {
    "aria-label": "svg:aria-label",
    "aria-description": "svg:aria-description",
    "http://www.w3.org/1999/xlink title": "xlink:title",
}
_PROPERTY_LIST: Final = "plist"
_MAX_PACKETS: Final = 16
_MAX_DECLARED: Final = 100
# Bytes that an end tag may have, in UTF-16.
_END_TAG: Final = 200


def read_markup(path: str) -> Metadata:
    """Return the metadata of the XML file at `path`."""
    found = MetadataBuilder()
    notes: list[Metadata] = []
    with Path(path).open("rb") as file:
        packets = _Packets(file)
        if packets.is_sidecar:
            file.seek(0)
            read_packets([file.read()], found)
            return found.metadata()
        for start, declared, end in packets.places[:_MAX_PACKETS]:
            file.seek(start)
            packet = file.read(end - start) + _end_tag(file.read(_END_TAG))
            if b"\0" not in packet:
                packet = declared + packet + b"</declared>"
            read_packets([packet], found)
        if len(packets.places) > _MAX_PACKETS:
            notes.append(Metadata(note=CUT))
        file.seek(0)
        if packets.root == _PROPERTY_LIST:
            add_property_list(file, found)
        elif not _texts_of(packets.root, found).read(file):
            notes.append(Metadata(note=TOO_LARGE))
    return merged([found.metadata(), *notes])


def _texts_of(root: str, found: MetadataBuilder) -> XmlTexts:
    """Return the reader of an SVG's titles and labels, or of every text of XML of no known kind."""
    if root.startswith(_SVG):
        return XmlTexts(found, _TEXTS.__contains__, _LABELS, skipped=_XMP)
    return XmlTexts(found, lambda _: True, skipped=_XMP, every_attribute=True)


class _Packets:
    """The packets of XMP in an XML file, each by the places of the start tag and of the end tag.

    A place comes with a start tag that declares the namespaces in force around the packet, as far
    as the file is in UTF-8.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.is_sidecar = False
        self.root = ""
        self.places: list[tuple[int, bytes, int]] = []
        self._opened: list[tuple[int, bytes]] = []
        self._declared: dict[str, str] = {}
        self._started = False
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartNamespaceDeclHandler = self._declare
        try:
            self._parser.ParseFile(file)
        except expat.ExpatError:
            # The second reading marks the fault.
            return

    def _declare(self, prefix: str | None, uri: str | None) -> None:
        if prefix and uri and not self._opened and len(self._declared) < _MAX_DECLARED:
            self._declared[prefix] = uri

    def _start(self, name: str, _: dict[str, str]) -> None:
        if not self._started:
            self._started = True
            self.root = name
            self.is_sidecar = name in _XMP or name == _RDF
        if name in _XMP:
            names = "".join(f" xmlns:{key}={quoteattr(uri)}" for key, uri in self._declared.items())
            self._opened.append((self._parser.CurrentByteIndex, f"<declared{names}>".encode()))

    def _end(self, name: str) -> None:
        if name in _XMP and self._opened:
            self.places.append((*self._opened.pop(), self._parser.CurrentByteIndex))


def _end_tag(following: bytes) -> bytes:
    """Return the end tag that `following` begins with, in any encoding."""
    tag, sign, rest = following.partition(b">")
    # UTF-16 has a zero on one side of each sign.
    return tag + sign + (b"\0" if rest.startswith(b"\0") else b"")
