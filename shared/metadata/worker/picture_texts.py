"""All texts of EXIF, IPTC-IIM and XMP, as Exiv2 reads them.

Left out are numbers, dates and times of the standards' own technical fields, ids of documents, and
pictures in letters (base64).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import exiv2

from shared.metadata.worker import iptc_exif_xmp_fields as fields
from shared.metadata.worker.encodings import decoded, decoded_utf16, is_text
from shared.metadata.worker.result import MetadataBuilder, is_document_id

OTHER_REGION: Final = "mwg-rs:Regions/RegionList/Name"
"""The field of a region of a pet, a focus point, or a bar code."""

# Exiv2's prefixes that are not the prefixes of the standards.
_PREFIXES: Final = {"iptc": "Iptc4xmpCore", "iptcExt": "Iptc4xmpExt"}
# Namespaces of a camera's and a program's settings.
_TECHNICAL: Final = frozenset(
    {"GPano", "aux", "crs", "crss", "exif", "exifEX", "stFnt", "tiff", "xmpTPg"}
)
_NUMBERS: Final = re.compile(r"[\d\s.,:;/+\-]*|[Tt]rue|[Ff]alse")
_DATE_OR_FRACTION: Final = re.compile(
    r"\d{4}[:-]\d\d[:-]\d\d(?:[T ][\d:.+\-Z]*)?|[-+]?\d{0,3}(?:[./]\d+)?"
)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/=\r\n]+")
_LONG: Final = 1000

# The names of IPTC-IIM 4.2 where Exiv2 has another name, or another spelling.
_IIM: Final = {
    (2, 92): "Sublocation",
    (2, 103): "Original Transmission Reference",
    (2, 120): "Caption/Abstract",
    (2, 122): "Writer/Editor",
    (2, 116): "Copyright Notice",
}
# Numbers, dates and pictures: versions, the character set, previews, a rasterized caption.
_NO_IIM: Final = frozenset(
    {
        *((1, tag) for tag in (0, 20, 22, 70, 80, 90)),
        *((2, tag) for tag in (0, 30, 35, 37, 38, 47, 55, 60, 62, 63, 70, 125, 200, 201, 202)),
    }
)

_ASCII: Final = b"ASCII\0\0\0"
_JIS: Final = b"JIS\0\0\0\0\0"
_UNICODE: Final = b"UNICODE\0"
_UTF16: Final = frozenset({"XPAuthor", "XPComment", "XPKeywords", "XPSubject", "XPTitle"})
# Texts behind the name of an encoding (Exif 3.0), to which Pillow gives the type of bytes.
_COMMENTS: Final = frozenset({"UserComment", "GPSProcessingMethod", "GPSAreaInformation"})
_BYTES: Final = (exiv2.TypeId.undefined, exiv2.TypeId.unsignedByte)
# The directories that EXIF shares among makers; every other group is a maker's.
_DIRECTORY: Final = re.compile(
    r"Image\d*|SubImage\d*|SubThumb\d*|Photo|GPSInfo|Iop|Thumbnail|MpfInfo"
)
# Records of numbers with names between the numbers: recognized faces of Panasonic and Fujifilm.
_FACES: Final = frozenset({"Exif.Panasonic.FaceRecInfo", "Exif.Fujifilm.FaceRecInfo"})
_RUNS: Final = re.compile(rb"[\x20-\x7e\x80-\xff]{2,}")
# Tags whose text stands elsewhere, or is no text.
_NO_EXIF: Final = frozenset(
    {
        *("MakerNote", "XMLPacket", "ICCProfile", "InterColorProfile", "ExifVersion"),
        *("FlashpixVersion", "InteroperabilityVersion", "ComponentsConfiguration"),
    }
)
# Bytes that show UTF-16 in the place of ASCII.
_START: Final = 64
# The type of text of Exif 3.0, which Exiv2 does not name.
_UTF8_TYPE: Final = 129
_ASCII_TYPES: Final = (exiv2.TypeId.asciiString, _UTF8_TYPE)


def add_xmp(plain: str, texts: Iterable[str], found: MetadataBuilder) -> None:
    """Add the texts of a property of XMP. `plain` is the key without indices and inner prefixes."""
    prefix, field = _field_of(plain)
    for text in texts:
        if not _is_technical(prefix, text):
            found.text(field, text)


@lru_cache(maxsize=4096)
def _field_of(plain: str) -> tuple[str, str]:
    _, prefix, path = plain.split(".", 2)
    known = fields.XMP.get(plain)
    return prefix, known.name if known else f"{_PREFIXES.get(prefix, prefix)}:{path}"


def add_iptc(data: exiv2.IptcData, found: MetadataBuilder) -> None:
    """Add the texts of all datasets of IPTC-IIM, unknown datasets included."""
    for datum in data:
        place = (datum.record(), datum.tag())
        raw = b"" if place in _NO_IIM else raw_of(datum.value())
        if raw:
            record, tag = place
            name = _IIM.get(place) or exiv2.IptcDataSets.dataSetTitle(tag, record)
            found.text(f"IPTC:{record}:{tag} {name}", *decoded(raw))


def add_exif(data: exiv2.ExifData, found: MetadataBuilder, *, little: bool) -> None:
    """Add the texts of all tags of EXIF, in every directory and in the maker's notes.

    `little` is the byte order of the file.
    """
    for datum in data:
        kind = datum.typeId()
        key = datum.key()
        _, group, name = key.split(".", 2)
        if name in _NO_EXIF or group == "MakerNote":
            continue
        field = f"{'Exif' if _DIRECTORY.fullmatch(group) else group}:{name}"
        if name in _COMMENTS and kind in (*_ASCII_TYPES, *_BYTES):
            _add_comment(field, raw_of(datum.value()), found, little=little)
        elif kind in _ASCII_TYPES:
            _add_ascii(field, raw_of(datum.value()), found)
        elif name in _UTF16:
            found.text(field, *decoded_utf16(raw_of(datum.value()), little=True))
        elif kind in _BYTES and datum.size() > 3:
            raw = raw_of(datum.value())
            if key in _FACES:
                for run in _RUNS.findall(raw):
                    found.text(field, *decoded(run))
            elif is_text(raw) or _is_ascii_tag(key):
                _add_ascii(field, raw, found)


def _is_ascii_tag(key: str) -> bool:
    """Tell whether the standard gives the tag a text, whatever the file gives it."""
    return bool(exiv2.ExifKey(key).defaultTypeId() == exiv2.TypeId.asciiString)


def _add_ascii(field: str, raw: bytes, found: MetadataBuilder) -> None:
    if 3 * raw.count(b"\0", 0, _START) > min(len(raw), _START):
        found.text(field, *decoded_utf16(raw, little=True))
        return
    # A NUL parts the photographer's notice from the editor's (Exif 3.0, Copyright).
    for part in raw.rstrip(b"\0").split(b"\0"):
        text, others = decoded(part)
        if not _DATE_OR_FRACTION.fullmatch(text):
            found.text(field, text, others)


def _add_comment(field: str, raw: bytes, found: MetadataBuilder, *, little: bool) -> None:
    """Add a comment, which begins with the encoding's name (Exif 3.0, UserComment)."""
    name, rest = raw[:8], raw[8:]
    if name == _UNICODE:
        text, others = decoded_utf16(rest, little=little)
        # Many writers put UTF-8 behind the name of UTF-16.
        if is_text(rest):
            text, others = rest.decode("utf-8"), (text, *others)
        found.text(field, text, others)
    elif name == _JIS:
        text = rest.decode("iso2022_jp", "replace")
        found.text(field, text, (rest.decode("cp932", "replace"),))
    else:
        _add_ascii(field, rest if name in (_ASCII, b"\0" * 8) else raw, found)


def raw_of(value: exiv2.Value) -> bytes:
    """Return the bytes of a value of text or undefined type; b"" for a number in its place."""
    if isinstance(value, exiv2.DataValue | exiv2.StringValueBase):
        return bytes(value.data())
    return b""


def _is_technical(prefix: str, text: str) -> bool:
    if len(text) > _LONG:
        return bool(_BASE64.fullmatch(text, 0, _LONG))
    if prefix in _TECHNICAL and _NUMBERS.fullmatch(text):
        return True
    return bool(_DATE_OR_FRACTION.fullmatch(text)) or is_document_id(text)
