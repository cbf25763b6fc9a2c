"""Write the sample photos, and in manifest.json what is true of each.

python -m venv build/samples && build/samples/bin/pip install -r samples/requirements.txt
build/samples/bin/python samples/make.py

The pixels are public-domain photographs that scikit-image ships; the metadata is written here. The
same versions of the requirements write the same bytes.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import containers
import exiv2
import pillow_heif
import skimage.data
from PIL import Image

HERE: Final = Path(__file__).parent

_REGIONS: Final = "Xmp.mwg-rs.Regions"
_REGION_LIST: Final = f"{_REGIONS}/mwg-rs:RegionList"
# Where Eileen Collins' face is in the picture, as MWG wants it: the middle and the size, as parts
# of the picture's.
_FACE: Final = {"x": "0.44", "y": "0.23", "w": "0.22", "h": "0.28", "unit": "normalized"}


@dataclass(frozen=True)
class Sample:
    """One file: a picture of scikit-image's, made `width` pixels wide, and the people it names.

    `people` are pairs of an identifier and the field that it goes into, keywords last, `document`
    its id. `note` is what reading its metadata comes to: None unless it is broken on purpose, or
    has more than is read.
    """

    file: str
    picture: str
    media_type: str
    width: int
    people: tuple[tuple[str, str], ...]
    note: str | None = None
    document: str | None = None


ZOE: Final = "Zoë Müller"
ANA: Final = "Ana Peña"
JURGEN: Final = "Jürgen Groß"
COLLINS: Final = "Eileen Collins"
NOOR: Final = "Noor Haddad"
MASTER: Final = "xmp.did:6f1c0d52-7a51-4b0e-9d36-0d7a2b7c9e11"

SAMPLES: Final = (
    Sample(
        "astronaut.jpg",
        "astronaut",
        "image/jpeg",
        400,
        (
            (COLLINS, "Iptc4xmpExt:PersonInImage"),
            (COLLINS, "mwg-rs:Regions/Name"),
            (ANA, "dc:creator"),
            (ANA, "IPTC:2:80 By-line"),
            (ANA, "Exif:Artist"),
        ),
    ),
    Sample(
        "astronaut.tif",
        "astronaut",
        "image/tiff",
        128,
        (
            (COLLINS, "Iptc4xmpExt:PersonInImage"),
            (ZOE, "dc:creator"),
            (ZOE, "Exif:Artist"),
            ("zoe.mueller@example.org", "Iptc4xmpCore:CiEmailWork"),
        ),
    ),
    Sample(
        "launch.png",
        "rocket",
        "image/png",
        200,
        (
            (ANA, "Iptc4xmpExt:PersonInImage"),
            (JURGEN, "Iptc4xmpExt:PersonInImage"),
            (ZOE, "dc:creator"),
        ),
    ),
    Sample(
        "launch.jpg",
        "rocket",
        "image/jpeg",
        480,
        ((JURGEN, "Exif:XPAuthor"), (JURGEN, "photoshop:CaptionWriter")),
    ),
    Sample("deep-field.webp", "hubble_deep_field", "image/webp", 400, ()),
    # As older programs write it: no XMP, and IPTC in the Windows code page without saying so.
    Sample(
        "cat.jpg",
        "chelsea",
        "image/jpeg",
        400,
        (
            (JURGEN, "IPTC:2:80 By-line"),
            (JURGEN, "Exif:Artist"),
            (ANA, "Exif:Artist"),
            ("studio@example.com", "IPTC:2:118 Contact"),
        ),
    ),
    Sample(
        "coffee.webp",
        "coffee",
        "image/webp",
        480,
        (("ZOE  MULLER", "dc:creator"), (ANA, "dc:creator"), (ANA, "Exif:Artist")),
    ),
    # Names Zoë Müller as well, in blocks that are then broken.
    Sample("broken-metadata.jpg", "rocket", "image/jpeg", 320, (), note="metadata-unreadable"),
    Sample(
        "cat.heic",
        "chelsea",
        "image/heic",
        300,
        ((ANA, "Exif:Artist"), (ANA, "dc:creator"), ("cat", "dc:subject"), (NOOR, "dc:subject")),
        document=MASTER,
    ),
    Sample(
        "coffee.avif",
        "coffee",
        "image/avif",
        300,
        ((ANA, "Exif:Artist"), (NOOR, "dc:creator"), (NOOR, "xmpRights:Owner")),
        document="xmp.did:c2b54a77-2f5e-4a5b-8f0b-4b9a9a1f6d20",
    ),
    Sample(
        "pages.tif",
        "chelsea",
        "image/tiff",
        80,
        (
            (ANA, "Exif:Artist"),
            (ANA, "dc:creator"),
            ("Jurgen Gross", "Exif:Artist"),
            (NOOR, "Iptc4xmpExt:PersonInImage"),
        ),
    ),
    Sample(
        "layers.psd",
        "coffee",
        "image/vnd.adobe.photoshop",
        48,
        ((ANA, "dc:creator"), ("Ana Peña / Haddad Studio", "photoshop:Credit")),
        document=MASTER,
        note="metadata-partial",
    ),
    Sample(
        "raw.dng",
        "chelsea",
        "image/x-adobe-dng",
        160,
        ((ANA, "dc:creator"), ("Jurgen Gross", "Exif:Artist"), (NOOR, "dc:rights")),
        document=MASTER,
    ),
    Sample(
        "poster.svg",
        "",
        "image/svg+xml",
        0,
        ((NOOR, "dc:creator"), ("poster", "dc:subject")),
    ),
    Sample(
        "report.pdf",
        "coffee",
        "application/pdf",
        200,
        (
            (ANA, "PDF:Author"),
            (JURGEN, "PDF:Author"),
            (NOOR, "dc:creator"),
            ("coffee", "PDF:Keywords"),
            (NOOR, "PDF:Keywords"),
        ),
        document="uuid:4f4f7d2e-0d0c-4f57-8a55-0c9d1c7a5b52",
    ),
    Sample(
        "clip.mp4",
        "rocket",
        "video/mp4",
        300,
        ((NOOR, "Iptc4xmpExt:PersonInImage"), (ANA, "dc:creator"), (JURGEN, "xmpDM:artist")),
        document="xmp.did:9a0d1d0e-53a4-4a40-8a6c-97b6a0b7a7c3",
    ),
    Sample(
        "clip.mov",
        "rocket",
        "video/quicktime",
        300,
        ((NOOR, "Iptc4xmpExt:PersonInImage"), (ANA, "dc:creator")),
    ),
)

# What a sample with broken metadata named before it was broken.
_LOST: Final = ((ZOE, "Exif:Artist"), (ZOE, "dc:creator"))


# The media types whose metadata Exiv2 writes here; that of pages.tif and raw.dng it does not.
_WRITTEN: Final = frozenset({"image/jpeg", "image/png", "image/webp", "astronaut.tif"})


def main() -> None:
    """Write every sample and the manifest."""
    entries = []
    pillow_heif.register_heif_opener()
    for sample in SAMPLES:
        if not {sample.media_type, sample.file} & _WRITTEN:
            data = _contained(sample)
        elif sample.note:
            data = _broken(_with_people(_encoded(sample), _LOST))
        else:
            data = _with_people(_encoded(sample), sample.people)
        (HERE / sample.file).write_bytes(data)
        entries.append(
            {
                "file": sample.file,
                "media_type": sample.media_type,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "people": [
                    {"identifier": " ".join(name.split()), "field": field}
                    for name, field in sorted(sample.people, key=_keywords_last)
                ],
                "documents": [sample.document] if sample.document else [],
                "note": sample.note,
            }
        )
        print(f"{sample.file}: {len(data):,} bytes")
    manifest = json.dumps({"samples": entries}, indent=2, ensure_ascii=False)
    (HERE / "manifest.json").write_text(manifest + "\n", encoding="utf-8")


def _keywords_last(person: tuple[str, str]) -> tuple[bool, tuple[str, str]]:
    return person[1] in {"PDF:Keywords", "dc:subject"}, person


def _picture(sample: Sample) -> Image.Image:
    picture = Image.fromarray(getattr(skimage.data, sample.picture)())
    height = round(picture.height * sample.width / picture.width)
    return picture.resize((sample.width, height), Image.Resampling.LANCZOS)


def _contained(sample: Sample) -> bytes:
    """A sample whose metadata goes in beside the pixels, and not by Exiv2."""
    packet = _packet(sample)
    if sample.file == "poster.svg":
        return containers.drawing(packet)
    picture = _picture(sample)
    artist = min((name for name, field in sample.people if field == "Exif:Artist"), default="")
    match sample.file:
        case "clip.mp4" | "clip.mov":
            data = containers.film(picture, packet, quicktime=sample.file == "clip.mov")
        case "layers.psd":
            data = containers.layered(picture, packet)
        case "report.pdf":
            authors = "; ".join(name for name, field in sample.people if field == "PDF:Author")
            data = containers.document(picture, packet, authors, f"coffee, {NOOR}")
        case "raw.dng":
            data = containers.raw(picture, artist, packet)
        case "pages.tif":
            first = Sample("", "", "", 0, ((ANA, "dc:creator"),))
            second = Sample("", "", "", 0, ((NOOR, "Iptc4xmpExt:PersonInImage"),))
            data = containers.pages(
                [(picture, artist, _packet(first)), (picture, "Jurgen Gross", _packet(second))]
            )
        case _:
            exif = Image.Exif()
            exif[315] = artist.encode()
            kind = "HEIF" if sample.media_type == "image/heic" else "AVIF"
            buffer = io.BytesIO()
            picture.save(buffer, kind, quality=50, exif=exif.tobytes(), xmp=packet)
            data = buffer.getvalue()
    return data


def _packet(sample: Sample) -> bytes:
    """An XMP packet of its own, with all that the sample names in XMP."""
    xmp = exiv2.XmpData()
    for name, field in sample.people:
        match field:
            case "dc:creator":
                xmp["Xmp.dc.creator"] = [name]
            case "Iptc4xmpExt:PersonInImage":
                xmp["Xmp.iptcExt.PersonInImage"] = [name]
            case "xmpRights:Owner":
                xmp["Xmp.xmpRights.Owner"] = [name]
            case "photoshop:Credit":
                xmp["Xmp.photoshop.Credit"] = name
            case "xmpDM:artist":
                xmp["Xmp.xmpDM.artist"] = name
            case "dc:rights":
                xmp["Xmp.dc.rights"] = f'lang="x-default" © 2024 {name}. All rights reserved.'
            case _:
                continue
    if words := [name for name, field in sample.people if field == "dc:subject"]:
        xmp["Xmp.dc.subject"] = words
    if sample.document:
        xmp["Xmp.xmpMM.DocumentID"] = sample.document
    status, packet = exiv2.XmpParser.encode(xmp, 0, 200)
    if status:
        raise ValueError(f"the packet of {sample.file} cannot be written: {status}")
    return packet.encode()


def _encoded(sample: Sample) -> bytes:
    picture = _picture(sample)
    options = {
        "image/jpeg": {"format": "JPEG", "quality": 80, "optimize": True},
        "image/tiff": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
        "image/png": {"format": "PNG", "optimize": True},
        "image/webp": {"format": "WEBP", "quality": 70, "method": 6},
    }[sample.media_type]
    buffer = io.BytesIO()
    picture.save(buffer, **options)
    return buffer.getvalue()


def _with_people(data: bytes, people: tuple[tuple[str, str], ...]) -> bytes:
    image = exiv2.ImageFactory.open(data)
    image.readMetadata()
    exif, iptc, xmp = image.exifData(), image.iptcData(), image.xmpData()
    names: dict[str, list[str]] = {}
    for name, field in people:
        names.setdefault(field, []).append(name)
    for field, values in names.items():
        match field:
            case "Exif:Artist":
                exif["Exif.Image.Artist"] = "; ".join(values)
            case "Exif:XPAuthor":
                text = ";".join(values).encode("utf-16-le") + b"\0\0"
                exif["Exif.Image.XPAuthor"] = exiv2.DataValue(
                    text, exiv2.ByteOrder.invalidByteOrder, exiv2.TypeId.unsignedByte
                )
            case "IPTC:2:80 By-line":
                _add_iptc(iptc, "Byline", values, declared="dc:creator" in names)
            case "IPTC:2:118 Contact":
                _add_iptc(iptc, "Contact", values, declared="dc:creator" in names)
            case "dc:creator":
                xmp["Xmp.dc.creator"] = values
            case "Iptc4xmpExt:PersonInImage":
                xmp["Xmp.iptcExt.PersonInImage"] = values
            case "Iptc4xmpCore:CiEmailWork":
                xmp["Xmp.iptc.CreatorContactInfo/Iptc4xmpCore:CiEmailWork"] = values[0]
            case "photoshop:CaptionWriter":
                xmp["Xmp.photoshop.CaptionWriter"] = values[0]
            case "mwg-rs:Regions/Name":
                _add_faces(xmp, values)
    image.writeMetadata()
    return bytes(image.io().mmap())


def _add_iptc(iptc: exiv2.IptcData, dataset: str, people: list[str], *, declared: bool) -> None:
    if declared:
        iptc["Iptc.Envelope.CharacterSet"] = "\x1b%G"
    key = exiv2.IptcKey(f"Iptc.Application2.{dataset}")
    for name in people:
        iptc.add(key, exiv2.DataValue(name.encode("utf-8" if declared else "cp1252")))


def _add_faces(xmp: exiv2.XmpData, people: list[str]) -> None:
    regions = exiv2.XmpTextValue("")
    regions.setXmpStruct(exiv2.XmpValue.XmpStruct.xsStruct)
    xmp.add(exiv2.XmpKey(_REGIONS), regions)
    region_list = exiv2.XmpTextValue("")
    region_list.setXmpArrayType(exiv2.XmpValue.XmpArrayType.xaBag)
    xmp.add(exiv2.XmpKey(_REGION_LIST), region_list)
    for number, name in enumerate(people, 1):
        region = f"{_REGION_LIST}[{number}]"
        xmp[f"{region}/mwg-rs:Name"] = name
        xmp[f"{region}/mwg-rs:Type"] = "Face"
        for key, value in _FACE.items():
            xmp[f"{region}/mwg-rs:Area/stArea:{key}"] = value


def _broken(data: bytes) -> bytes:
    """Spoil the EXIF block's byte-order mark and the XMP block's XML; the picture stays whole."""
    for sound, spoilt in ((b"Exif\0\0II*\0", b"Exif\0\0??*\0"), (b"<rdf:RDF", b"<rdf&RDF")):
        if sound not in data:
            raise ValueError("the picture has no such block to break")
        data = data.replace(sound, spoilt)
    return data


if __name__ == "__main__":
    main()
