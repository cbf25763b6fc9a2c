"""SVG, XMP sidecars, and the properties of Office and OpenDocument packages."""

import io
import zipfile

import pytest

from shared.metadata.parsing import Metadata, NamedPerson
from shared.metadata.worker import iptc_exif_xmp_fields as fields
from shared.scanning.content_type import detect
from tests.metadata.test_collector import CREATOR, PACKET, ZOE, collect
from tests.metadata.test_iptc_exif_xmp_fields import bag, element, xmp

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
TEXT = "application/vnd.oasis.opendocument.text"
NAMESPACES = (
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:cc="http://creativecommons.org/ns#"'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    ' xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
    ' xmlns:app="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"'
    ' xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"'
)


def svg(inside: str) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"{NAMESPACES}><metadata>{inside}</metadata></svg>'
    ).encode()


def package(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(f"{name.replace('__', '/')}.xml", data)
    return buffer.getvalue()


def properties(inside: str) -> bytes:
    return f"<properties{NAMESPACES}>{inside}</properties>".encode()


IN_MARKUP = [
    ("dc:creator", "<dc:creator>Zoë; Bob</dc:creator>", ["Bob", "Zoë"]),
    ("dc:creator", bag("dc:creator", "Zoë", "Bob", kind="Seq"), ["Bob", "Zoë"]),
    # As Inkscape writes it, which is no XMP.
    (
        "dc:creator",
        (
            "<rdf:RDF><cc:Work><dc:creator><cc:Agent><dc:title>Zoë</dc:title></cc:Agent>"
            "</dc:creator></cc:Work></rdf:RDF>"
        ),
        ["Zoë"],
    ),
    ("dc:contributor", "<dc:contributor>Zoë</dc:contributor>", ["Zoë"]),
    ("dc:rights", "<dc:rights>© 2020 Zoë</dc:rights>", ["Zoë"]),
    ("dc:subject", "<dc:subject>Zoë, sea</dc:subject>", ["Zoë", "sea"]),
    ("cp:lastModifiedBy", element("cp:lastModifiedBy", "Zoë"), ["Zoë"]),
    ("cp:keywords", element("cp:keywords", "Zoë; sea"), ["Zoë", "sea"]),
    ("Properties:Manager", element("app:Manager", "Zoë"), ["Zoë"]),
    ("meta:initial-creator", element("meta:initial-creator", "Zoë"), ["Zoë"]),
    ("meta:printed-by", element("meta:printed-by", "Zoë"), ["Zoë"]),
    ("meta:keyword", element("meta:keyword", "Zoë"), ["Zoë"]),
]


@pytest.mark.parametrize(("field", "inside", "people"), IN_MARKUP)
def test_an_element_wherever_it_stands(field, inside, people):
    expected = Metadata(tuple(NamedPerson(name, field) for name in people))
    assert collect("image/svg+xml", svg(inside)) == expected
    assert collect(WORD, package(docProps__core=properties(inside))) == expected
    assert collect(WORD, package(docProps__app=properties(inside))) == expected
    assert collect(TEXT, package(meta=properties(inside), content=svg(ZOE))) == expected


def test_every_element_is_tested():
    assert {row[0] for row in IN_MARKUP} == {field.name for field in fields.MARKUP.values()}


@pytest.mark.parametrize("wrapped", [True, False])
def test_xmp_in_a_drawing_and_in_a_sidecar(wrapped):
    shown = bag("Iptc4xmpExt:PersonInImage", "Ana")
    packet = xmp(ZOE + shown)
    if wrapped:
        head, _, tail = PACKET.partition(xmp(ZOE))
        packet = head + packet + tail
    expected = Metadata((NamedPerson("Ana", "Iptc4xmpExt:PersonInImage"), CREATOR))
    assert collect("image/svg+xml", svg(packet.decode())) == expected
    assert detect(packet, len(packet)) == "application/rdf+xml"
    assert collect("application/rdf+xml", packet) == expected


@pytest.mark.parametrize(
    "data",
    [
        svg("<dc:creator>Zoë</dc:creator>")[:-3],
        svg("<dc:creator>Zoë</dc:creator>") + b"<more/>",
        svg("<dc:creator>Zoë</dc:creator>&none;"),
    ],
)
def test_broken_markup_is_read_as_far_as_it_goes(data):
    assert collect("image/svg+xml", data) == Metadata((CREATOR,), "metadata-unreadable")


@pytest.mark.exhausting
def test_hostile_markup():
    entities = "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "Zoë" * 10}">' for n in range(12)
    )
    laughs = f"<!DOCTYPE svg [{entities}]>".encode() + svg("<dc:creator>&a11;</dc:creator>")
    assert collect("image/svg+xml", laughs).note == "metadata-unreadable"
    external = b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    found = collect("image/svg+xml", external + svg("<dc:creator>&a;</dc:creator>"))
    assert found.people == ()
    deep = svg("<dc:creator>" * 100_000 + "Zoë" + "</dc:creator>" * 100_000)
    assert collect("image/svg+xml", deep) == Metadata((CREATOR,))
    long = svg(f"<dc:creator>{'x' * 50_000_000}</dc:creator>")
    assert collect("image/svg+xml", long, size=1_000_000).note in {
        "metadata-cut",
        "metadata-too-large",
    }


def test_hostile_packages():
    bomb = package(docProps__core=properties(f"<a>{'x' * 2_000_000}</a>"), meta=properties(ZOE))
    assert collect(WORD, bomb) == Metadata((CREATOR,), "metadata-too-large")
    sound = package(docProps__core=properties(ZOE))
    for length in (0, 10, 60, len(sound) // 2, len(sound) - 1):
        assert collect(WORD, sound[:length]).note == "metadata-unreadable"
    damaged = bytearray(sound)
    damaged[60:70] = b"\xff" * 10
    assert collect(WORD, bytes(damaged)).note == "metadata-unreadable"
    assert collect(WORD, package(other=b"<x/>")) == Metadata()
