"""The metadata fields that name people, or may name people, and the fields that name a document.

Sources: IPTC Photo Metadata Standard; IPTC-IIM 4.2; Exif 3.0; Metadata Working Group, Guidelines
for Handling Image Metadata 2.0; PLUS LDF; XMP Specification parts 1 and 2; ISO 32000-2, 14.3.3.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

type Parts = Callable[[str], Iterator[str]]


def whole(text: str) -> Iterator[str]:
    """Yield the text, which is one name."""
    yield text


def listed(text: str) -> Iterator[str]:
    """Yield names with semicolons between the names (MWG Guidelines 2.0)."""
    yield from text.split(";")


def keywords(text: str) -> Iterator[str]:
    """Yield keywords with commas or semicolons between the keywords (XMP part 2, pdf:Keywords)."""
    yield from re.split("[,;]", text)


def steps(text: str) -> Iterator[str]:
    """Yield the steps of a keyword's path, such as `People|Family|Zoë` or `People/Zoë`."""
    yield from re.split("[|/]", text)


def addresses(text: str) -> Iterator[str]:
    """Yield e-mail addresses (IPTC: a comma between two addresses)."""
    yield from re.split(r"[,;\s]+", text)


def contact(text: str) -> Iterator[str]:
    """Yield the text, and the e-mail addresses in the text."""
    yield text
    yield from _ADDRESS.findall(text)


def holder(text: str) -> Iterator[str]:
    """Yield the holder in a copyright notice: the notice without sign, years and set phrases.

    A longer notice yields nothing, because no name can be told apart in the notice.
    """
    rest = _NOTICE.sub(" ", text).strip(" ,.;:-\u2013|")
    if len(rest) <= _MAX_HOLDER:
        yield rest


_ADDRESS: Final = re.compile(r"[^\s@<>,;:]+@[^\s@<>,;:]+\.[^\s@<>,;:]+")
_NOTICE: Final = re.compile(
    r"©|\(c\)|\b(?:copyright|copr\.?|all rights reserved|by)\b"
    r"|\b(?:19|20)\d\d\b(?:\s*[-\u2013]\s*(?:(?:19|20)\d\d|\d\d|present)\b)?",
    re.IGNORECASE,
)
_MAX_HOLDER: Final = 100


@dataclass(frozen=True, slots=True)
class Field:
    """A field by the name in its own standard, with the rule that splits text into identifiers."""

    name: str
    parts: Parts = whole


# By Exiv2's keys, without the indices of arrays, and without the prefixes that a file chose for the
# parts of structures.
XMP: Final[Mapping[str, Field]] = {
    "Xmp.dc.creator": Field("dc:creator"),
    "Xmp.dc.contributor": Field("dc:contributor"),
    "Xmp.dc.rights": Field("dc:rights", holder),
    "Xmp.dc.subject": Field("dc:subject"),
    "Xmp.photoshop.CaptionWriter": Field("photoshop:CaptionWriter"),
    "Xmp.photoshop.Credit": Field("photoshop:Credit"),
    "Xmp.xmpRights.Owner": Field("xmpRights:Owner"),
    "Xmp.iptc.CreatorContactInfo/CiEmailWork": Field("Iptc4xmpCore:CiEmailWork", addresses),
    "Xmp.iptcExt.PersonInImage": Field("Iptc4xmpExt:PersonInImage"),
    "Xmp.iptcExt.PersonInImageWDetails/PersonName": Field(
        "Iptc4xmpExt:PersonInImageWDetails/PersonName"
    ),
    "Xmp.iptcExt.ImageRegion/Name": Field("Iptc4xmpExt:ImageRegion/Name"),
    "Xmp.iptcExt.ImageRegion/PersonInImage": Field("Iptc4xmpExt:ImageRegion/PersonInImage"),
    "Xmp.iptcExt.Contributor/Name": Field("Iptc4xmpExt:Contributor/Name"),
    "Xmp.iptcExt.Creator/Name": Field("Iptc4xmpExt:Creator/Name"),
    "Xmp.iptcExt.ArtworkOrObject/AOCreator": Field("Iptc4xmpExt:ArtworkOrObject/AOCreator"),
    "Xmp.plus.CopyrightOwner/CopyrightOwnerName": Field("plus:CopyrightOwnerName"),
    "Xmp.plus.ImageCreator/ImageCreatorName": Field("plus:ImageCreatorName"),
    "Xmp.plus.Licensor/LicensorName": Field("plus:LicensorName"),
    "Xmp.plus.Licensor/LicensorEmail": Field("plus:LicensorEmail", addresses),
    "Xmp.MP.RegionInfo/Regions/PersonDisplayName": Field("MPReg:PersonDisplayName"),
    "Xmp.mediapro.People": Field("mediapro:People"),
    "Xmp.expressionmedia.People": Field("expressionmedia:People"),
    "Xmp.lr.hierarchicalSubject": Field("lr:hierarchicalSubject", steps),
    "Xmp.digiKam.TagsList": Field("digiKam:TagsList", steps),
    "Xmp.MicrosoftPhoto.LastKeywordXMP": Field("MicrosoftPhoto:LastKeywordXMP", steps),
    "Xmp.acdsee.author": Field("acdsee:author"),
    "Xmp.pdf.Author": Field("pdf:Author", listed),
    "Xmp.pdf.Keywords": Field("pdf:Keywords", keywords),
    "Xmp.tiff.Artist": Field("tiff:Artist", listed),
    "Xmp.tiff.Copyright": Field("tiff:Copyright", holder),
    "Xmp.aux.OwnerName": Field("aux:OwnerName"),
    "Xmp.exifEX.CameraOwnerName": Field("exifEX:CameraOwnerName"),
    "Xmp.exifEX.Photographer": Field("exifEX:Photographer"),
    "Xmp.xmpDM.artist": Field("xmpDM:artist"),
    "Xmp.xmpDM.composer": Field("xmpDM:composer"),
    "Xmp.xmpDM.director": Field("xmpDM:director"),
    "Xmp.xmpDM.directorPhotography": Field("xmpDM:directorPhotography"),
    "Xmp.xmpDM.engineer": Field("xmpDM:engineer"),
    "Xmp.xmpDM.client": Field("xmpDM:client"),
}

REGIONS: Final = "Xmp.mwg-rs.Regions/RegionList"
"""The list of MWG regions. A region of a face, or without a type, names a person."""
REGION_NAME: Final = Field("mwg-rs:Regions/Name")

IPTC: Final[Mapping[str, Field]] = {
    "Iptc.Application2.Keywords": Field("IPTC:2:25 Keywords"),
    "Iptc.Application2.Byline": Field("IPTC:2:80 By-line"),
    "Iptc.Application2.Credit": Field("IPTC:2:110 Credit"),
    "Iptc.Application2.Copyright": Field("IPTC:2:116 Copyright Notice", holder),
    "Iptc.Application2.Contact": Field("IPTC:2:118 Contact", contact),
    "Iptc.Application2.Writer": Field("IPTC:2:122 Writer/Editor"),
}

# By the tag's name, in any directory of the file.
EXIF: Final[Mapping[str, Field]] = {
    "Artist": Field("Exif:Artist", listed),
    "CameraOwnerName": Field("Exif:CameraOwnerName", listed),
    "Copyright": Field("Exif:Copyright", holder),
    "ImageEditor": Field("Exif:ImageEditor", listed),
    "Photographer": Field("Exif:Photographer", listed),
}
EXIF_UTF16: Final[Mapping[str, Field]] = {
    "XPAuthor": Field("Exif:XPAuthor", listed),
    "XPKeywords": Field("Exif:XPKeywords", listed),
}
# Fields of a maker's note, by the whole key, because each maker numbers its own tags.
MAKER: Final[Mapping[str, Field]] = {
    "Exif.Canon.OwnerName": Field("Canon:OwnerName"),
    "Exif.Panasonic.BabyName": Field("Panasonic:BabyName"),
}

DOCUMENTS: Final[Mapping[str, str]] = {
    "Xmp.xmpMM.DocumentID": "xmpMM:DocumentID",
    "Xmp.xmpMM.InstanceID": "xmpMM:InstanceID",
    "Xmp.xmpMM.OriginalDocumentID": "xmpMM:OriginalDocumentID",
    "Xmp.xmpMM.DerivedFrom/documentID": "xmpMM:DerivedFrom/documentID",
    "Xmp.xmpMM.DerivedFrom/instanceID": "xmpMM:DerivedFrom/instanceID",
    "Xmp.xmpMM.DerivedFrom/originalDocumentID": "xmpMM:DerivedFrom/originalDocumentID",
}

PDF_INFO: Final[Mapping[str, Field]] = {
    "/Author": Field("PDF:Author", listed),
    "/Keywords": Field("PDF:Keywords", keywords),
}

_DUBLIN_CORE: Final = "http://purl.org/dc/elements/1.1/"
_CORE: Final = "http://schemas.openxmlformats.org/package/2006/metadata/core-properties"
_EXTENDED: Final = "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"
_OPEN_DOCUMENT: Final = "urn:oasis:names:tc:opendocument:xmlns:meta:1.0"

# XML elements outside XMP, by namespace and name.
MARKUP: Final[Mapping[str, Field]] = {
    f"{_DUBLIN_CORE} creator": Field("dc:creator", listed),
    f"{_DUBLIN_CORE} contributor": Field("dc:contributor", listed),
    f"{_DUBLIN_CORE} rights": Field("dc:rights", holder),
    f"{_DUBLIN_CORE} subject": Field("dc:subject", keywords),
    f"{_CORE} lastModifiedBy": Field("cp:lastModifiedBy"),
    f"{_CORE} keywords": Field("cp:keywords", keywords),
    f"{_EXTENDED} Manager": Field("Properties:Manager"),
    f"{_OPEN_DOCUMENT} initial-creator": Field("meta:initial-creator"),
    f"{_OPEN_DOCUMENT} printed-by": Field("meta:printed-by"),
    f"{_OPEN_DOCUMENT} keyword": Field("meta:keyword"),
}

KEYWORDS: Final = frozenset(
    {
        "Exif:XPKeywords",
        "IPTC:2:25 Keywords",
        "MicrosoftPhoto:LastKeywordXMP",
        "PDF:Keywords",
        "cp:keywords",
        "dc:subject",
        "digiKam:TagsList",
        "lr:hierarchicalSubject",
        "meta:keyword",
        "pdf:Keywords",
    }
)
"""The fields of keywords; most keywords name no person."""
