"""Exiv2 at work: the people in EXIF, IPTC-IIM and XMP, here or in a process of limited means.

Run as a program, it reads the picture at a path within its limits and prints JSON. It imports
nothing of ours, so that such a process starts in little more than the time that Exiv2 takes.
"""

import json
import logging
import re
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import exiv2

MAX_LENGTH: Final = 256
"""Characters of an identifier that are kept."""

MAX_PEOPLE: Final = 1000
"""People of one file that are kept."""

UNREADABLE: Final = "metadata-unreadable"
TOO_LARGE: Final = "metadata-too-large"
NOT_SUPPORTED: Final = "metadata-not-supported"
CUT: Final = "metadata-cut"


@dataclass(frozen=True, slots=True, order=True)
class Person:
    """A name or an e-mail address, and the metadata field that holds it."""

    identifier: str
    field: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """The people found, sorted and each once, and why some may be missing.

    `note` is None or "metadata-unreadable" (all or a part of it is broken; what could be read is
    in `people`), "metadata-not-supported" (Exiv2 does not know the type), "metadata-too-large" (it
    takes more memory or time than is given, so nothing was read) or "metadata-cut" (more or longer
    names than are kept).
    """

    people: tuple[Person, ...] = ()
    note: str | None = None


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

# Of a process that reads one picture: bytes on its heap, and seconds of computing.
_MEMORY: Final = 192 * 1024 * 1024
_SECONDS: Final = 5


def read_picture(source: bytes | str) -> Metadata:
    """Return the people that the picture `source`, or the one at that path, names.

    Not for two threads at once: Exiv2's XMP toolkit and its log handler are one for the process.
    """
    with _Complaints() as complaints:
        found = _Found()
        try:
            image = exiv2.ImageFactory.open(source)
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
    note = UNREADABLE if complaints.serious else CUT if found.cut else None
    return Metadata(tuple(sorted(found.people)), note)


def main() -> None:
    """Read the picture at the path in the first argument, and die if it takes too much."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    metadata = read_picture(sys.argv[1])
    people = [(person.identifier, person.field) for person in metadata.people]
    json.dump({"people": people, "note": metadata.note}, sys.stdout)


class _Found:
    """The people so far, within the limits."""

    def __init__(self) -> None:
        self.people: set[Person] = set()
        self.cut = False

    def add(self, identifier: str, field: str) -> None:
        # Exiv2 hands bytes that are no UTF-8 on as lone surrogates, which nothing could encode.
        text = identifier.encode("utf-8", "replace").decode().replace("\0", " ")
        name = " ".join(text.split())
        if not name:
            return
        self.cut |= len(name) > MAX_LENGTH
        person = Person(name[:MAX_LENGTH].rstrip(), field)
        if len(self.people) < MAX_PEOPLE:
            self.people.add(person)
        elif person not in self.people:
            self.cut = True


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


if __name__ == "__main__":
    main()
