"""Exiv2 at work: what EXIF, IPTC-IIM and XMP say of people, and the ids of documents in XMP."""

import logging
import re
from collections.abc import Iterator
from typing import Final

import exiv2

from shared.metadata.worker import fields
from shared.metadata.worker.extended_xmp import Extended
from shared.metadata.worker.found import NOT_SUPPORTED, Found, Metadata

_INDEX: Final = re.compile(r"\[\d+\]")
_PREFIX: Final = re.compile(r"(?<=/)[^/:]*:")
# Of the later pages of a TIFF Exiv2 gives the XMP as the bytes that it is. So many pages, of so
# many bytes each, are looked into.
_PAGE: Final = re.compile(r"Exif\.(?!Image\.)\w+\.XMLPacket")
_MAX_PAGES: Final = 16
_MAX_PACKET: Final = 1024 * 1024

_UNKNOWN_TYPE: Final = (
    exiv2.ErrorCode.kerFileContainsUnknownImageType,
    exiv2.ErrorCode.kerMemoryContainsUnknownImageType,
    exiv2.ErrorCode.kerUnsupportedImageType,
)


def read_picture(path: str) -> Metadata:
    """Return what the picture, or the bare XMP packet, at `path` says.

    Not for two threads at once: Exiv2's XMP toolkit and its log handler are one for the process.
    """
    with _Complaints() as complaints:
        found = Found()
        try:
            _read(path, found)
        except exiv2.Exiv2Error as error:
            if error.code in _UNKNOWN_TYPE:
                return Metadata(note=NOT_SUPPORTED)
            complaints.serious = True
        finally:
            # The XMP toolkit keeps the namespaces of every file, for the whole process: one file
            # could give "dc" another meaning for those after it, and many could fill the memory.
            exiv2.XmpParser.terminate()
        found.broken |= complaints.serious
    extended = Extended(path)
    found.broken |= extended.broken
    found.cut |= extended.cut
    read_packets(extended.packets, found)
    return found.metadata()


def read_packets(packets: list[bytes], found: Found) -> None:
    """Add what bare XMP packets say."""
    for packet in packets:
        with _Complaints() as complaints:
            try:
                _read(packet, found)
            except exiv2.Exiv2Error:
                complaints.serious = True
            finally:
                exiv2.XmpParser.terminate()
            found.broken |= complaints.serious


def _read(source: str | bytes, found: Found) -> None:
    image = exiv2.ImageFactory.open(source)
    image.readMetadata()
    _xmp(image, found)
    # Of a bare packet Exiv2 makes up EXIF and IPTC as well.
    if image.imageType() == exiv2.ImageType.xmp:
        return
    _iptc(image, found)
    pages = _exif(image, found)
    for packet in pages:
        _read(packet, found)


def _xmp(image: exiv2.Image, found: Found) -> None:
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
        # Not the head of a structure or an array, which has no text of its own.
        yield value.toString()


def _iptc(image: exiv2.Image, found: Found) -> None:
    for datum in image.iptcData():
        if field := fields.IPTC.get(datum.key()):
            found.add(_decoded(_raw(datum.value())), field)


def _exif(image: exiv2.Image, found: Found) -> list[bytes]:
    """Add what EXIF says, and return the XMP packets that stand in it."""
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
    """The bytes of a value of text or undefined type; of a number, where text should be, none."""
    if isinstance(value, exiv2.DataValue | exiv2.StringValueBase):
        return bytes(value.data())
    return b""


def _decoded(raw: bytes) -> str:
    """`raw` as it was meant: EXIF and IPTC-IIM want ASCII or UTF-8, and older writers put the
    letters of their Windows code page.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


class _Complaints(logging.Handler):
    """Listens to Exiv2, whose messages may quote names and so go no further.

    It reports metadata that it cannot parse as an error, and a block that it skips as a warning
    that begins with "Failed to"; other warnings are about oddities that lose nothing.
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
