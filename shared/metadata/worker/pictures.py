"""Read people from EXIF, IPTC-IIM and XMP by Exiv2, and the ids of documents from XMP."""

import logging
import re
from collections.abc import Iterator
from typing import Final

import exiv2

from shared.metadata.worker import iptc_exif_xmp_fields as fields
from shared.metadata.worker.extended_xmp import Extended
from shared.metadata.worker.result import NOT_SUPPORTED, Metadata, MetadataBuilder

_INDEX: Final = re.compile(r"\[\d+\]")
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
    extended = Extended(path)
    found.broken |= extended.broken
    found.cut |= extended.cut
    read_packets(extended.packets, found)
    return found.metadata()


def read_packets(packets: list[bytes], found: MetadataBuilder) -> None:
    """Add the people in bare XMP packets."""
    for packet in packets:
        with _Complaints() as complaints:
            try:
                _read(packet, found)
            except exiv2.Exiv2Error:
                complaints.serious = True
            finally:
                exiv2.XmpParser.terminate()
            found.broken |= complaints.serious


def _read(source: str | bytes, found: MetadataBuilder) -> None:
    image = exiv2.ImageFactory.open(source)
    image.readMetadata()
    _xmp(image, found)
    # Exiv2 makes up EXIF and IPTC for a bare packet.
    if image.imageType() == exiv2.ImageType.xmp:
        return
    _iptc(image, found)
    pages = _exif(image, found)
    for packet in pages:
        _read(packet, found)


def _xmp(image: exiv2.Image, found: MetadataBuilder) -> None:
    names: dict[str, str] = {}
    others: set[str] = set()
    for datum in image.xmpData():
        found.has_xmp = True
        key = _PREFIX.sub("", datum.key())
        plain = _INDEX.sub("", key)
        if field := fields.XMP.get(plain):
            for text in _texts(datum.value()):
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
            found.add(_decoded(_raw(datum.value())), field)


def _exif(image: exiv2.Image, found: MetadataBuilder) -> list[bytes]:
    """Add the people in EXIF, and return the XMP packets within EXIF."""
    packets: list[bytes] = []
    for datum in image.exifData():
        key = datum.key()
        name = key.rpartition(".")[2]
        if field := fields.EXIF.get(name) or fields.MAKER.get(key):
            # A NUL parts the photographer's notice from the editor's (Exif 3.0, Copyright).
            for text in _decoded(_raw(datum.value())).split("\0"):
                found.add(text, field)
        elif field := fields.EXIF_UTF16.get(name):
            found.add(_raw(datum.value()).decode("utf-16-le", "replace"), field)
        elif _PAGE.fullmatch(key) and datum.size() <= _MAX_PACKET and len(packets) < _MAX_PAGES:
            packets.append(_raw(datum.value()))
    return packets


def _raw(value: exiv2.Value) -> bytes:
    """Return the bytes of a value of text or undefined type; b"" for a number in its place."""
    if isinstance(value, exiv2.DataValue | exiv2.StringValueBase):
        return bytes(value.data())
    return b""


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
