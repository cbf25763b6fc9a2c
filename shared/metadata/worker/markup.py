"""XML by expat: what SVG, and the properties of Office and OpenDocument packages, say of people.

Such files name them in Dublin Core's elements, at times in RDF that is no XMP: W3C SVG 2, section
"The metadata element"; ECMA-376 part 2, core properties; OpenDocument 1.3 part 3, section 4.3.
"""

import zipfile
from pathlib import Path
from typing import IO, Final
from xml.parsers import expat

from shared.metadata.worker.fields import MARKUP
from shared.metadata.worker.found import TOO_LARGE, Found, Metadata, merged
from shared.metadata.worker.pictures import read_packets

_PROPERTIES: Final = ("docProps/core.xml", "docProps/app.xml", "meta.xml")
_MAX_PROPERTIES: Final = 1024 * 1024
_XMP: Final = "adobe:ns:meta/ xmpmeta"
_MAX_PACKETS: Final = 16
# Bytes that an end tag may have.
_END_TAG: Final = 100


def read_markup(path: str) -> Metadata:
    """Return what the XML file at `path` says."""
    found = Found()
    with Path(path).open("rb") as file:
        packets = _read(file, found)
        for start, end in packets[:_MAX_PACKETS]:
            file.seek(start)
            packet = file.read(end - start) + file.read(_END_TAG).partition(b">")[0] + b">"
            read_packets([packet], found)
    return found.metadata()


def read_package(path: str) -> Metadata:
    """Return what the properties say of the Office or OpenDocument package at `path`."""
    found = Found()
    large = False
    try:
        with zipfile.ZipFile(path) as package:
            for name in set(_PROPERTIES) & set(package.namelist()):
                if package.getinfo(name).file_size > _MAX_PROPERTIES:
                    large = True
                    continue
                with package.open(name) as part:
                    _read(part, found)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError):
        # Broken, packed in a way that is unknown, or encrypted.
        found.broken = True
    return merged([found.metadata(), Metadata(note=TOO_LARGE if large else None)])


def _read(file: IO[bytes], found: Found) -> list[tuple[int, int]]:
    """Add the text of the elements that name people, and return where XMP packets stand.

    Each is given by where its start tag begins and where its end tag does.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    # The fields of the elements that are open, and the text since one began or ended.
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
