"""XMP by Exiv2: bare packets in any wrapping, and the XMP of pictures."""

import io
import logging
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final
from xml import sax
from xml.sax.handler import feature_namespaces
from xml.sax.saxutils import XMLGenerator

import exiv2

from shared.metadata.worker import iptc_exif_xmp_fields as fields
from shared.metadata.worker.encodings import markup
from shared.metadata.worker.picture_texts import OTHER_REGION, add_xmp
from shared.metadata.worker.result import Metadata, MetadataBuilder

_INDEX: Final = re.compile(r"\[\d+\]")
_DECLARATION: Final = re.compile(r"\A\ufeff?\s*<\?xml\s[^>]*>")
_HEXADECIMAL: Final = re.compile("&#x0*([0-9A-Fa-f]{1,6});")
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PREFIX: Final = re.compile(r"(?<=/)[^/:]*:")


def read_packets(packets: list[bytes], found: MetadataBuilder) -> None:
    """Add the people and the texts in bare XMP packets, in any wrapping."""
    for packet in packets:
        with Complaints() as complaints:
            try:
                add_packet(packet, found)
            except exiv2.Exiv2Error:
                complaints.serious = True
            finally:
                exiv2.XmpParser.terminate()
            found.broken |= complaints.serious


def read_packet(path: str) -> Metadata:
    """Return the metadata of the bare XMP packet at `path`."""
    found = MetadataBuilder()
    read_packets([Path(path).read_bytes()], found)
    return found.metadata()


def add_packet(packet: bytes, found: MetadataBuilder) -> None:
    """Add a bare packet. Raises Exiv2Error for a broken packet."""
    # Exiv2 takes the packet as UTF-8, whatever a declaration says.
    text = _DECLARATION.sub("", markup(packet), count=1)
    add_image_xmp(_image_of(_for_exiv2(text)), found)


def _image_of(packet: str) -> exiv2.Image:
    image = exiv2.ImageFactory.create(exiv2.ImageType.xmp)
    image.setXmpPacket(packet)
    return image


def _for_exiv2(packet: str) -> str:
    """Return a packet in the forms of XML that Exiv2 understands.

    Exiv2 takes "&#xF6;" for a control character, and "&#246;" for the letter. Exiv2 knows RDF by
    the prefix "rdf", and XML by the namespace, whatever the prefix.
    """
    packet = _HEXADECIMAL.sub(lambda found: f"&#{int(found[1], 16)};", packet)
    if _RDF in packet and "<rdf:RDF" not in packet:
        written = io.StringIO()
        parser = sax.make_parser()  # noqa: S317 - expat bounds entities, and opens none
        parser.setFeature(feature_namespaces, True)
        parser.setContentHandler(_WithPrefix(written))
        try:
            parser.parse(io.StringIO(packet))
        except sax.SAXException:
            return packet
        return _DECLARATION.sub("", written.getvalue(), count=1)
    return packet


def is_misread(packet: bytes) -> bool:
    """Tell whether Exiv2 would misread a packet that `add_packet` reads."""
    text = markup(packet)
    return _for_exiv2(text) != text


class _WithPrefix(XMLGenerator):
    """Write XML again, with the prefix "rdf" for the namespace of RDF."""

    def startPrefixMapping(self, prefix: str | None, uri: str) -> None:  # noqa: N802
        super().startPrefixMapping("rdf" if uri == _RDF else prefix, uri)


def add_image_xmp(image: exiv2.Image, found: MetadataBuilder) -> None:
    """Add the people, the documents and the texts of the XMP that Exiv2 has read."""
    # The packet as the file has the packet; otherwise Exiv2 writes what was understood.
    image.writeXmpFromPacket(True)
    packet = image.xmpPacket()
    mended = _for_exiv2(packet)
    _add_data((image if mended == packet else _image_of(mended)).xmpData(), found)


def _add_data(data: exiv2.XmpData, found: MetadataBuilder) -> None:
    names: dict[str, str] = {}
    others: set[str] = set()
    regions: list[tuple[str, list[str]]] = []
    for datum in data:
        found.has_xmp = True
        key, plain = _without_prefixes(datum.key())
        texts = list(_texts(datum.value()))
        if key.startswith(fields.REGIONS) and key.endswith("/Name"):
            regions.append((key, texts))
        else:
            add_xmp(plain, texts, found)
        if field := fields.XMP.get(plain):
            for text in texts:
                found.add(text, field)
        elif name := fields.DOCUMENTS.get(plain):
            found.add_document(datum.toString(), name)
        elif key.startswith(fields.REGIONS):
            region, _, leaf = key.rpartition("/")
            if leaf == "Name":
                names[region] = datum.toString()
            elif leaf == "Type" and datum.toString() not in ("", "Face"):
                others.add(region)
    for region in names.keys() - others:
        found.add(names[region], fields.REGION_NAME)
    for key, texts in regions:
        named = key.rpartition("/")[0] not in others
        for text in texts:
            found.text(fields.REGION_NAME.name if named else OTHER_REGION, text)


@lru_cache(maxsize=4096)
def _without_prefixes(key: str) -> tuple[str, str]:
    """Return the key without inner prefixes, and also without indices."""
    key = _PREFIX.sub("", key)
    return key, _INDEX.sub("", key)


def _texts(value: exiv2.Value) -> Iterator[str]:
    if isinstance(value, exiv2.XmpArrayValue):
        yield from value
    elif isinstance(value, exiv2.LangAltValue):
        yield from value.values()
    elif not (value.xmpStruct() or value.xmpArrayType()):
        # The head of a structure or an array has no text of its own.
        yield value.toString()


class Complaints(logging.Handler):
    """Listen to Exiv2's messages, which may quote names and so are not logged.

    Exiv2 reports metadata that cannot be parsed as an error, and a skipped block as a warning that
    begins with "Failed to". Other warnings are about oddities that lose no metadata.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.serious = False

    def __enter__(self) -> "Complaints":
        logger = logging.getLogger("exiv2")
        logger.propagate = False
        logger.setLevel(logging.WARNING)
        logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("exiv2").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR or record.getMessage().startswith("Failed to"):
            self.serious = True
