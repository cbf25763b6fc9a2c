"""Exiv2 at work: the people in EXIF, IPTC-IIM and XMP."""

import logging
import re
from collections.abc import Callable, Iterator
from typing import Final

import exiv2

from shared.media.found import NOT_SUPPORTED, Found, Metadata

# The fields that identify a natural person, by Exiv2's key. Arrays of structures carry indices and
# the parts of structures the file's own prefixes, which are taken off first. Right: the name of the
# field in its own standard.
# IPTC Photo Metadata Standard; IPTC-IIM 4.2; MWG Guidelines for Handling Image Metadata 2.0; Exif.
_XMP: Final = {
    "Xmp.dc.creator": "dc:creator",
    "Xmp.iptcExt.PersonInImage": "Iptc4xmpExt:PersonInImage",
    "Xmp.iptcExt.PersonInImageWDetails/PersonName": (
        "Iptc4xmpExt:PersonInImageWDetails/PersonName"
    ),
    "Xmp.iptc.CreatorContactInfo/CiEmailWork": "Iptc4xmpCore:CiEmailWork",
    "Xmp.MP.RegionInfo/Regions/PersonDisplayName": "MPReg:PersonDisplayName",
    "Xmp.photoshop.CaptionWriter": "photoshop:CaptionWriter",
}
_REGION: Final = "Xmp.mwg-rs.Regions/RegionList"
_REGION_FIELD: Final = "mwg-rs:Regions/Name"
_IPTC: Final = {
    "Iptc.Application2.Byline": "IPTC:2:80 By-line",
    "Iptc.Application2.Contact": "IPTC:2:118 Contact",
    "Iptc.Application2.Writer": "IPTC:2:122 Writer/Editor",
}
_XP_AUTHOR: Final = "Exif.Image.XPAuthor"
_EXIF: Final = {
    "Exif.Image.Artist": "Exif:Artist",
    "Exif.Photo.CameraOwnerName": "Exif:CameraOwnerName",
    _XP_AUTHOR: "Exif:XPAuthor",
}
_INDEX: Final = re.compile(r"\[\d+\]")
_PREFIX: Final = re.compile(r"(?<=/)[^/:]*:")

_UNKNOWN_TYPE: Final = (
    exiv2.ErrorCode.kerFileContainsUnknownImageType,
    exiv2.ErrorCode.kerMemoryContainsUnknownImageType,
    exiv2.ErrorCode.kerUnsupportedImageType,
)


def read_picture(path: str) -> Metadata:
    """Return the people that the picture at `path` names.

    Not for two threads at once: Exiv2's XMP toolkit and its log handler are one for the process.
    """
    with _Complaints() as complaints:
        found = Found()
        try:
            image = exiv2.ImageFactory.open(path)
            image.readMetadata()
            for people in (_xmp_people, _iptc_people, _exif_people):
                people(image, found.add)
        except exiv2.Exiv2Error as error:
            if error.code in _UNKNOWN_TYPE:
                return Metadata(note=NOT_SUPPORTED)
            complaints.serious = True
        finally:
            # The XMP toolkit keeps the namespaces of every file, for the whole process: one file
            # could give "dc" another meaning for those after it, and many could fill the memory.
            exiv2.XmpParser.terminate()
    return found.metadata(broken=complaints.serious)


type _Add = Callable[[str, str], None]


def _xmp_people(image: exiv2.Image, add: _Add) -> None:
    names: dict[str, str] = {}
    faces: set[str] = set()
    for datum in image.xmpData():
        key = _PREFIX.sub("", datum.key())
        if field := _XMP.get(_INDEX.sub("", key)):
            for text in _xmp_texts(datum.value()):
                add(text, field)
        elif key.startswith(_REGION):
            region, _, leaf = key.rpartition("/")
            if leaf == "Name":
                names[region] = datum.toString()
            elif leaf == "Type" and datum.toString() == "Face":
                faces.add(region)
    for region in faces & names.keys():
        add(names[region], _REGION_FIELD)


def _xmp_texts(value: exiv2.Value) -> Iterator[str]:
    if isinstance(value, exiv2.XmpArrayValue):
        yield from value
    elif isinstance(value, exiv2.LangAltValue):
        yield from value.values()
    elif not (value.xmpStruct() or value.xmpArrayType()):
        # Not the head of a structure or an array, which has no text of its own.
        yield value.toString()


def _iptc_people(image: exiv2.Image, add: _Add) -> None:
    for datum in image.iptcData():
        if field := _IPTC.get(datum.key()):
            add(_decoded(_raw(datum.value())), field)


def _exif_people(image: exiv2.Image, add: _Add) -> None:
    for datum in image.exifData():
        key = datum.key()
        if field := _EXIF.get(key):
            raw = _raw(datum.value())
            text = raw.decode("utf-16-le", "replace") if key == _XP_AUTHOR else _decoded(raw)
            # Several are separated by semicolons (MWG Guidelines 2.0).
            for name in text.split(";"):
                add(name, field)


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
