"""Read people from EXIF, IPTC-IIM and XMP by Exiv2, and the ids of documents from XMP."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import exiv2

from shared.metadata.worker import iptc_exif_xmp_fields as fields
from shared.metadata.worker.encodings import decoded, markup
from shared.metadata.worker.jpeg_segments import Segments
from shared.metadata.worker.picture_texts import (
    OTHER_REGION,
    add_exif,
    add_iptc,
    add_xmp,
    raw_of,
)
from shared.metadata.worker.result import NOT_SUPPORTED, Metadata, MetadataBuilder

_INDEX: Final = re.compile(r"\[\d+\]")
_DECLARATION: Final = re.compile(r"\A\ufeff?\s*<\?xml\s[^>]*>")
_PREFIX: Final = re.compile(r"(?<=/)[^/:]*:")
# Exiv2 gives the XMP of a TIFF's later pages as raw bytes. Limits of the pages that are read, and
# of the bytes of each page's XMP.
_PAGE: Final = re.compile(r"Exif\.(?!Image\.)\w+\.XMLPacket")
_MAX_PAGES: Final = 16
_MAX_PACKET: Final = 1024 * 1024

_UNKNOWN_TYPE: Final = (
    exiv2.ErrorCode.kerFileContainsUnknownImageType,
    exiv2.ErrorCode.kerMemoryContainsUnknownImageType,
    exiv2.ErrorCode.kerUnsupportedImageType,
)


def read_picture(path: str) -> Metadata:
    """Return the metadata of the picture, or of the bare XMP packet, at `path`.

    For one thread at a time: the process has one XMP toolkit of Exiv2, and one log handler.
    """
    with _Complaints() as complaints:
        found = MetadataBuilder()
        try:
            _read(path, found)
        except exiv2.Exiv2Error as error:
            if error.code in _UNKNOWN_TYPE:
                return Metadata(note=NOT_SUPPORTED)
            complaints.serious = True
        finally:
            # The XMP toolkit keeps the namespaces of every file for the whole process. One file
            # could give "dc" another meaning for later files, and many files could fill the memory.
            exiv2.XmpParser.terminate()
        found.broken |= complaints.serious
    segments = Segments(path)
    found.broken |= segments.broken
    found.cut |= segments.cut
    read_packets(segments.packets, found)
    for record in segments.photoshop:
        _read_record(record, found)
    for comment in segments.comments:
        found.text("JPEG:Comment", *decoded(comment))
    return found.metadata()


def read_packets(packets: list[bytes], found: MetadataBuilder) -> None:
    """Add the people and the texts in bare XMP packets, in any wrapping."""
    for packet in packets:
        with _Complaints() as complaints:
            try:
                _read_packet(packet, found)
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


def _read(source: str, found: MetadataBuilder) -> None:
    image = exiv2.ImageFactory.open(source)
    image.readMetadata()
    _xmp(image, found)
    # Exiv2 makes up EXIF and IPTC for a bare packet.
    if image.imageType() == exiv2.ImageType.xmp:
        return
    _iptc(image, found)
    add_iptc(image.iptcData(), found)
    little = image.byteOrder() != exiv2.ByteOrder.bigEndian
    add_exif(image.exifData(), found, little=little)
    for packet in _exif(image, found):
        _read_packet(packet, found)


def _read_record(record: bytes, found: MetadataBuilder) -> None:
    """Add the IPTC of a further record of Photoshop's. A part of a longer record is no record."""
    with _Complaints():
        try:
            image = exiv2.ImageFactory.open(record)
            image.readMetadata()
        except exiv2.Exiv2Error:
            return
    _iptc(image, found)
    add_iptc(image.iptcData(), found)


def _read_packet(packet: bytes, found: MetadataBuilder) -> None:
    image = exiv2.ImageFactory.create(exiv2.ImageType.xmp)
    # Exiv2 takes the packet as UTF-8, whatever a declaration says.
    image.setXmpPacket(_DECLARATION.sub("", markup(packet), count=1))
    _xmp(image, found)


def _xmp(image: exiv2.Image, found: MetadataBuilder) -> None:
    names: dict[str, str] = {}
    others: set[str] = set()
    regions: list[tuple[str, list[str]]] = []
    for datum in image.xmpData():
        found.has_xmp = True
        key = _PREFIX.sub("", datum.key())
        plain = _INDEX.sub("", key)
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


def _texts(value: exiv2.Value) -> Iterator[str]:
    if isinstance(value, exiv2.XmpArrayValue):
        yield from value
    elif isinstance(value, exiv2.LangAltValue):
        yield from value.values()
    elif not (value.xmpStruct() or value.xmpArrayType()):
        # The head of a structure or an array has no text of its own.
        yield value.toString()


def _iptc(image: exiv2.Image, found: MetadataBuilder) -> None:
    for datum in image.iptcData():
        if field := fields.IPTC.get(datum.key()):
            found.add(_decoded(raw_of(datum.value())), field)


def _exif(image: exiv2.Image, found: MetadataBuilder) -> list[bytes]:
    """Add the people in EXIF, and return the XMP packets within EXIF."""
    packets: list[bytes] = []
    for datum in image.exifData():
        key = datum.key()
        name = key.rpartition(".")[2]
        if field := fields.EXIF.get(name) or fields.MAKER.get(key):
            # A NUL parts the photographer's notice from the editor's (Exif 3.0, Copyright).
            for text in _decoded(raw_of(datum.value())).split("\0"):
                found.add(text, field)
        elif field := fields.EXIF_UTF16.get(name):
            found.add(raw_of(datum.value()).decode("utf-16-le", "replace"), field)
        elif _PAGE.fullmatch(key) and datum.size() <= _MAX_PACKET and len(packets) < _MAX_PAGES:
            packets.append(raw_of(datum.value()))
    return packets


def _decoded(raw: bytes) -> str:
    """Decode `raw`: EXIF and IPTC-IIM demand ASCII or UTF-8, but older writers use Windows-1252."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


class _Complaints(logging.Handler):
    """Listen to Exiv2's messages, which may quote names and so are not logged.

    Exiv2 reports metadata that cannot be parsed as an error, and a skipped block as a warning that
    begins with "Failed to". Other warnings are about oddities that lose no metadata.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.serious = False

    def __enter__(self) -> "_Complaints":
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
