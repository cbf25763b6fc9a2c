"""Which fields name people, how their texts part into identifiers, and which ids are kept."""

import exiv2
import pytest

from shared.metadata.parsing import DocumentId, NamedPerson, read
from shared.metadata.worker import iptc_exif_xmp_fields as fields
from shared.metadata.worker.result import MAX_DOCUMENTS, Metadata, MetadataBuilder, merged
from tests.metadata.test_block_sizes import SAMPLES, tiff_with_xmp
from tests.metadata.test_parsing import with_metadata

NAMESPACES = {
    "acdsee": "http://ns.acdsee.com/iptc/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "expressionmedia": "http://ns.microsoft.com/expressionmedia/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "mediapro": "http://ns.iview-multimedia.com/mediapro/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "pdf": "http://ns.adobe.com/pdf/1.3/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "xmpDM": "http://ns.adobe.com/xmp/1.0/DynamicMedia/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
}
DECLARED = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())


def xmp(inside: str) -> bytes:
    """A bare packet."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{DECLARED}>{inside}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def bag(name: str, *values: str, kind: str = "Bag") -> str:
    items = "".join(f"<rdf:li>{value}</rdf:li>" for value in values)
    return f"<{name}><rdf:{kind}>{items}</rdf:{kind}></{name}>"


def struct_bag(name: str, *insides: str) -> str:
    items = "".join(f'<rdf:li rdf:parseType="Resource">{inside}</rdf:li>' for inside in insides)
    return f"<{name}><rdf:Bag>{items}</rdf:Bag></{name}>"


def element(name: str, value: str) -> str:
    return f"<{name}>{value}</{name}>"


def alternatives(name: str, value: str) -> str:
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{value}</rdf:li></rdf:Alt></{name}>'


# The name of the field, how XMP writes it, and the identifiers.
IN_XMP = [
    ("dc:creator", bag("dc:creator", "Zoë", "Bob", kind="Seq"), ["Bob", "Zoë"]),
    ("dc:contributor", bag("dc:contributor", "Zoë"), ["Zoë"]),
    ("dc:rights", alternatives("dc:rights", "© 2019-2024 Zoë Müller"), ["Zoë Müller"]),
    ("dc:subject", bag("dc:subject", "Zoë", "beach"), ["Zoë", "beach"]),
    ("photoshop:CaptionWriter", element("photoshop:CaptionWriter", "Zoë"), ["Zoë"]),
    ("photoshop:Credit", element("photoshop:Credit", "Zoë / Agency"), ["Zoë / Agency"]),
    ("xmpRights:Owner", bag("xmpRights:Owner", "Zoë"), ["Zoë"]),
    (
        "Iptc4xmpCore:CiEmailWork",
        '<Iptc4xmpCore:CreatorContactInfo rdf:parseType="Resource">'
        + element("Iptc4xmpCore:CiEmailWork", "a@b.example, c@d.example")
        + "</Iptc4xmpCore:CreatorContactInfo>",
        ["a@b.example", "c@d.example"],
    ),
    ("Iptc4xmpExt:PersonInImage", bag("Iptc4xmpExt:PersonInImage", "Zoë"), ["Zoë"]),
    (
        "Iptc4xmpExt:PersonInImageWDetails/PersonName",
        struct_bag(
            "Iptc4xmpExt:PersonInImageWDetails", alternatives("Iptc4xmpExt:PersonName", "Zoë")
        ),
        ["Zoë"],
    ),
    (
        "Iptc4xmpExt:ImageRegion/Name",
        struct_bag("Iptc4xmpExt:ImageRegion", alternatives("Iptc4xmpExt:Name", "Zoë")),
        ["Zoë"],
    ),
    (
        "Iptc4xmpExt:ImageRegion/PersonInImage",
        struct_bag("Iptc4xmpExt:ImageRegion", bag("Iptc4xmpExt:PersonInImage", "Zoë")),
        ["Zoë"],
    ),
    (
        "Iptc4xmpExt:Contributor/Name",
        struct_bag("Iptc4xmpExt:Contributor", alternatives("Iptc4xmpExt:Name", "Zoë")),
        ["Zoë"],
    ),
    (
        "Iptc4xmpExt:Creator/Name",
        struct_bag("Iptc4xmpExt:Creator", alternatives("Iptc4xmpExt:Name", "Zoë")),
        ["Zoë"],
    ),
    (
        "Iptc4xmpExt:ArtworkOrObject/AOCreator",
        struct_bag("Iptc4xmpExt:ArtworkOrObject", bag("Iptc4xmpExt:AOCreator", "Zoë", kind="Seq")),
        ["Zoë"],
    ),
    (
        "plus:CopyrightOwnerName",
        struct_bag("plus:CopyrightOwner", element("plus:CopyrightOwnerName", "Zoë")),
        ["Zoë"],
    ),
    (
        "plus:ImageCreatorName",
        struct_bag("plus:ImageCreator", element("plus:ImageCreatorName", "Zoë")),
        ["Zoë"],
    ),
    (
        "plus:LicensorName",
        struct_bag("plus:Licensor", element("plus:LicensorName", "Zoë")),
        ["Zoë"],
    ),
    (
        "plus:LicensorEmail",
        struct_bag("plus:Licensor", element("plus:LicensorEmail", "z@b.example")),
        ["z@b.example"],
    ),
    (
        "MPReg:PersonDisplayName",
        '<MP:RegionInfo rdf:parseType="Resource">'
        + struct_bag("MPRI:Regions", element("MPReg:PersonDisplayName", "Zoë"))
        + "</MP:RegionInfo>",
        ["Zoë"],
    ),
    (
        "mwg-rs:Regions/Name",
        '<mwg-rs:Regions rdf:parseType="Resource">'
        + struct_bag(
            "mwg-rs:RegionList",
            element("mwg-rs:Name", "Zoë") + element("mwg-rs:Type", "Face"),
            element("mwg-rs:Name", "Rex") + element("mwg-rs:Type", "Pet"),
            element("mwg-rs:Name", "Bob"),
        )
        + "</mwg-rs:Regions>",
        ["Bob", "Zoë"],
    ),
    ("mediapro:People", bag("mediapro:People", "Zoë"), ["Zoë"]),
    ("expressionmedia:People", bag("expressionmedia:People", "Zoë"), ["Zoë"]),
    (
        "lr:hierarchicalSubject",
        bag("lr:hierarchicalSubject", "People|Zoë"),
        ["People", "Zoë"],
    ),
    ("digiKam:TagsList", bag("digiKam:TagsList", "People/Zoë", kind="Seq"), ["People", "Zoë"]),
    (
        "MicrosoftPhoto:LastKeywordXMP",
        bag("MicrosoftPhoto:LastKeywordXMP", "Zoë"),
        ["Zoë"],
    ),
    ("acdsee:author", element("acdsee:author", "Zoë"), ["Zoë"]),
    ("pdf:Author", element("pdf:Author", "Zoë; Bob"), ["Bob", "Zoë"]),
    ("pdf:Keywords", element("pdf:Keywords", "Zoë, beach; sun"), ["Zoë", "beach", "sun"]),
    ("tiff:Artist", element("tiff:Artist", "Zoë"), ["Zoë"]),
    ("tiff:Copyright", alternatives("tiff:Copyright", "Copyright Zoë"), ["Zoë"]),
    ("aux:OwnerName", element("aux:OwnerName", "Zoë"), ["Zoë"]),
    ("exifEX:CameraOwnerName", element("exifEX:CameraOwnerName", "Zoë"), ["Zoë"]),
    ("exifEX:Photographer", element("exifEX:Photographer", "Zoë"), ["Zoë"]),
    ("xmpDM:artist", element("xmpDM:artist", "Zoë"), ["Zoë"]),
    ("xmpDM:composer", element("xmpDM:composer", "Zoë"), ["Zoë"]),
    ("xmpDM:director", element("xmpDM:director", "Zoë"), ["Zoë"]),
    ("xmpDM:directorPhotography", element("xmpDM:directorPhotography", "Zoë"), ["Zoë"]),
    ("xmpDM:engineer", element("xmpDM:engineer", "Zoë"), ["Zoë"]),
    ("xmpDM:client", element("xmpDM:client", "Zoë"), ["Zoë"]),
]


@pytest.mark.parametrize(("field", "inside", "people"), IN_XMP, ids=[row[0] for row in IN_XMP])
def test_a_field_of_xmp(field, inside, people):
    expected = Metadata(tuple(NamedPerson(name, field) for name in people))
    assert read(xmp(inside)) == expected
    assert read(tiff_with_xmp(xmp(inside))) == expected


def test_every_field_of_xmp_is_tested():
    known = {field.name for field in fields.XMP.values()} | {fields.REGION_NAME.name}
    assert {row[0] for row in IN_XMP} == known


@pytest.mark.parametrize(
    ("exif", "iptc", "people"),
    [
        (("Exif.Image.Copyright", "© 2020 Zoë Müller"), None, [("Zoë Müller", "Exif:Copyright")]),
        (
            ("Exif.Image.Copyright", exiv2.DataValue(b"Copyright 2020 Ana\0Ben\0")),
            None,
            [("Ana", "Exif:Copyright"), ("Ben", "Exif:Copyright")],
        ),
        (("Exif.Thumbnail.Artist", "Ana"), None, [("Ana", "Exif:Artist")]),
        (("Exif.Photo.Photographer", "Ana"), None, [("Ana", "Exif:Photographer")]),
        (
            ("Exif.Photo.ImageEditor", "Ana; Ben"),
            None,
            [("Ana", "Exif:ImageEditor"), ("Ben", "Exif:ImageEditor")],
        ),
        (
            ("Exif.Image.XPKeywords", exiv2.DataValue("Zoë;sun\0".encode("utf-16-le"))),
            None,
            [("Zoë", "Exif:XPKeywords"), ("sun", "Exif:XPKeywords")],
        ),
        (None, ("Keywords", "Zoë"), [("Zoë", "IPTC:2:25 Keywords")]),
        (None, ("Credit", "Zoë"), [("Zoë", "IPTC:2:110 Credit")]),
        (None, ("Copyright", "©2020 Zoë"), [("Zoë", "IPTC:2:116 Copyright Notice")]),
        (
            None,
            ("Contact", "Studio Zoë, <z@b.example>"),
            [
                ("Studio Zoë, <z@b.example>", "IPTC:2:118 Contact"),
                ("z@b.example", "IPTC:2:118 Contact"),
            ],
        ),
    ],
)
def test_a_field_of_exif_and_iptc(exif, iptc, people):
    picture = with_metadata(
        exif=[exif] if exif else [],
        iptc=[(f"Iptc.Application2.{iptc[0]}", iptc[1].encode())] if iptc else [],
    )
    assert read(picture) == Metadata(tuple(NamedPerson(*person) for person in people))


@pytest.mark.parametrize(
    ("notice", "holders"),
    [
        ("Zoë Müller", ["Zoë Müller"]),
        ("Copyright (C) 2001, 2003-05 by Zoë Müller. All rights reserved.", ["Zoë Müller"]),
        ("© Zoë Müller, 2020", ["Zoë Müller"]),
        ("Byron Copley", ["Byron Copley"]),
        ("© 2020", [""]),
        ("You may not use this picture " * 10, []),
    ],
)
def test_whom_a_notice_names(notice, holders):
    assert [" ".join(holder.split()) for holder in fields.holder(notice)] == holders


IDS = {
    "xmpMM:DocumentID": "xmp.did:01801174072068118A6DD6C1B6E2E2AA",
    "xmpMM:InstanceID": "xmp.iid:0b9e43b4-5b6c-4c4c-8b8f-1f2a1b2c3d4e",
    "xmpMM:OriginalDocumentID": "adobe:docid:photoshop:0b9e43b4-5b6c-11da-ad31-d33d75182f1b",
}


def test_the_ids_of_documents_are_kept_as_they_are():
    own = "".join(element(name, value) for name, value in IDS.items())
    source = "uuid:faf5bdd5-ba3d-11da-ad31-d33d75182f1b"
    derived = (
        '<xmpMM:DerivedFrom rdf:parseType="Resource">'
        f"{element('stRef:documentID', source)}</xmpMM:DerivedFrom>"
    )
    found = read(xmp(own + derived))
    assert (found.people, found.note) == ((), None)
    expected = {(value, name) for name, value in IDS.items()}
    expected.add((source, "xmpMM:DerivedFrom/documentID"))
    assert {(one.identifier, one.field) for one in found.documents} == expected


def test_an_id_of_gimp_is_kept():
    value = "gimp:docid:gimp:7ad1d0b2-93c1-4c56-8d3e-7f8d4ea4c9f0"
    [found] = read(xmp(element("xmpMM:DocumentID", value))).documents
    assert found.identifier == value


@pytest.mark.parametrize(
    "value",
    ["Zoë Müller", "", "zoe@example.org", "xmp.did:Zoe", "uuid:", "f" * 65, "deadbeef" * 2 + "\n"],
)
def test_what_has_not_the_form_of_an_id_is_not_kept(value):
    found = MetadataBuilder()
    found.add_document(value, "xmpMM:DocumentID")
    expected = (DocumentId("deadbeefdeadbeef", "xmpMM:DocumentID"),) if "dead" in value else ()
    assert found.metadata().documents == expected


def test_keywords_come_last_and_yield_to_names():
    names = bag("dc:creator", "Zoë", kind="Seq")
    found = read(xmp(bag("dc:subject", "Ana") + names))
    assert [person.field for person in found.people] == ["dc:creator", "dc:subject"]


def test_parts_are_merged_with_the_gravest_note():
    ana, zoe = NamedPerson("Ana", "dc:subject"), NamedPerson("Zoë", "dc:creator")
    ids = tuple(DocumentId(f"{number:016}", "xmpMM:DocumentID") for number in range(MAX_DOCUMENTS))
    parts = [
        Metadata((zoe,), "metadata-xmp-only", ids),
        Metadata((ana, zoe), "metadata-unreadable", (DocumentId("f" * 16, "xmpMM:InstanceID"),)),
        Metadata(),
    ]
    assert merged(parts) == Metadata((zoe, ana), "metadata-unreadable", ids)
    many = tuple(NamedPerson(f"{number:04}", "dc:creator") for number in range(600))
    others = tuple(NamedPerson(f"x{number:04}", "dc:creator") for number in range(600))
    both = merged([Metadata(many), Metadata(others)])
    assert (len(both.people), both.note) == (1000, None)


def test_every_page_of_a_picture_is_read():
    first = (SAMPLES / "astronaut.tif").read_bytes()
    # A later directory, of nothing but an XMP packet, hung on the last one of the first page.
    page = xmp(bag("Iptc4xmpExt:PersonInImage", "Ben"))
    data = bytearray(first + bytes(len(first) % 2))
    packet = len(data)
    data += page + bytes(len(page) % 2)
    directory = len(data)
    order = "little" if first[:2] == b"II" else "big"

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)

    data += number(1, 2) + number(700, 2) + number(1, 2) + number(len(page), 4) + number(packet, 4)
    data += bytes(4)
    start = int.from_bytes(data[4:8], order)
    entries = int.from_bytes(data[start : start + 2], order)
    data[start + 2 + 12 * entries : start + 6 + 12 * entries] = number(directory, 4)
    found = read(bytes(data))
    assert NamedPerson("Ben", "Iptc4xmpExt:PersonInImage") in found.people
    assert set(read(first).people) < set(found.people)
    assert found.note is None
