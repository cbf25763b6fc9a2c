"""XML by expat: the people whom an SVG or an XMP sidecar file names.

An SVG names people in Dublin Core's elements, at times in RDF outside XMP: W3C SVG 2, section "The
metadata element". A sidecar file is one XMP packet: XMP Specification part 1, Annex A.
"""

from pathlib import Path
from typing import IO, Final
from xml.parsers import expat

from shared.metadata.worker.iptc_exif_xmp_fields import MARKUP
from shared.metadata.worker.pictures import read_packets
from shared.metadata.worker.result import Metadata, MetadataBuilder

_XMP: Final = "adobe:ns:meta/ xmpmeta"
_MAX_PACKETS: Final = 16
# Bytes that an end tag may have.
_END_TAG: Final = 100


def read_markup(path: str) -> Metadata:
    """Return the metadata of the XML file at `path`."""
    found = MetadataBuilder()
    with Path(path).open("rb") as file:
        packets = read_elements(file, found)
        for start, end in packets[:_MAX_PACKETS]:
            file.seek(start)
            packet = file.read(end - start) + file.read(_END_TAG).partition(b">")[0] + b">"
            read_packets([packet], found)
    return found.metadata()


def read_elements(file: IO[bytes], found: MetadataBuilder) -> list[tuple[int, int]]:
    """Add the text of the elements that name people, and return the places of XMP packets.

    A place is the start of the packet's start tag, and the start of the packet's end tag.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    # The fields of the open elements, and the text since the last start or end of an element.
    inside: list[str] = []
    text: list[str] = []
    packets: list[tuple[int, int]] = []
    opened: list[int] = []

    def flush() -> None:
        if inside:
            found.add("".join(text), MARKUP[inside[-1]])
        text.clear()

    def start(name: str, _: dict[str, str]) -> None:
        flush()
        if name in MARKUP:
            inside.append(name)
        elif name == _XMP:
            opened.append(parser.CurrentByteIndex)

    def end(name: str) -> None:
        flush()
        if inside and inside[-1] == name:
            inside.pop()
        elif name == _XMP and opened:
            packets.append((opened.pop(), parser.CurrentByteIndex))

    def characters(data: str) -> None:
        if inside:
            text.append(data)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    try:
        parser.ParseFile(file)
    except expat.ExpatError:
        found.broken = True
    return packets
