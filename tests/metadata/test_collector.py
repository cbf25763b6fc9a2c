"""What a file says is gathered as it streams past, by the way of its type."""

import io
import struct
import tempfile

import pypdf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pypdf.generic import DecodedStreamObject, NameObject

from shared.metadata.collector import Collector
from shared.metadata.parsing import Metadata, NamedPerson
from shared.scanning.content_type import HEAD_SIZE, detect
from tests.metadata.test_block_sizes import SAMPLES, tiff
from tests.metadata.test_iptc_exif_xmp_fields import bag, element, xmp
from tests.metadata.test_xmp_packets import FTYP, UUID, box, wrapped

ZOE = bag("dc:creator", "Zoë", kind="Seq")
PACKET = wrapped(xmp(ZOE))
CREATOR = NamedPerson("Zoë", "dc:creator")
MIB = 1024 * 1024


def pdf(packet: bytes = b"", *, compressed: bool = False, password: str = "", **info: str) -> bytes:
    """A PDF of one empty page with an XMP packet and an information dictionary."""
    writer = pypdf.PdfWriter()
    writer.add_blank_page(100, 100)
    writer.add_metadata({f"/{key}": value for key, value in info.items()})
    if packet:
        stream = DecodedStreamObject()
        stream.set_data(packet)
        if compressed:
            stream = stream.flate_encode()
        stream[NameObject("/Type")] = NameObject("/Metadata")
        stream[NameObject("/Subtype")] = NameObject("/XML")
        writer.root_object[NameObject("/Metadata")] = writer._add_object(stream)
    if password:
        writer.encrypt(user_password="" if password == "none" else password, algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def collect(media_type: str, data: bytes, *, copied: bool = True, size: int = 1000) -> Metadata:
    collector = Collector(media_type)
    for start in range(0, len(data), size):
        collector.feed(data[start : start + size])
    if not copied:
        return collector.finish(None)
    with tempfile.SpooledTemporaryFile() as copy:
        copy.write(data)
        return collector.finish(copy)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("password", ["", "none"])
def test_a_pdf(compressed, password):
    data = pdf(
        PACKET, compressed=compressed, password=password, Author="Ana; Ben", Keywords="Cem, Dora"
    )
    assert collect("application/pdf", data) == Metadata(
        (
            NamedPerson("Ana", "PDF:Author"),
            NamedPerson("Ben", "PDF:Author"),
            CREATOR,
            NamedPerson("Cem", "PDF:Keywords"),
            NamedPerson("Dora", "PDF:Keywords"),
        )
    )


def test_a_pdf_with_nothing_to_say():
    assert collect("application/pdf", pdf()) == Metadata()


def test_a_pdf_whose_pictures_say_something():
    data = pdf(wrapped(xmp(bag("dc:subject", "beach"))))
    inside = data.replace(b"%%EOF", b"% " + PACKET.replace(b"\n", b" ") + b"\n%%EOF")
    assert collect("application/pdf", inside).people == (
        CREATOR,
        NamedPerson("beach", "dc:subject"),
    )


def test_a_pdf_that_needs_a_password():
    data = pdf(PACKET, password="a secret")
    assert collect("application/pdf", data) == Metadata(note="metadata-encrypted")


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\nnothing else",
        b"%PDF-1.7\n" + bytes(range(256)) * 40 + b"%%EOF",
        (
            b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Metadata 1 0 R>>\nendobj\n"
            b"trailer\n<</Root 1 0 R>>\n%%EOF"
        ),
        pdf(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf&RDF>"),
    ],
)
def test_a_broken_pdf(data):
    assert collect("application/pdf", data).note == "metadata-unreadable"


@pytest.mark.exhausting
def test_a_bomb_in_a_pdf():
    bomb = pdf(bytes(400 * MIB), compressed=True)
    assert len(bomb) < MIB
    assert collect("application/pdf", bomb).note in {"metadata-unreadable", "metadata-too-large"}


def test_a_pdf_or_picture_that_is_too_large_to_be_copied_is_searched():
    data = pdf(PACKET, Author="Ana")
    expected = Metadata((CREATOR,), "metadata-too-large")
    assert collect("application/pdf", data, copied=False) == expected
    picture = (SAMPLES / "astronaut.jpg").read_bytes()
    found = collect("image/jpeg", picture, copied=False)
    assert found.note == "metadata-too-large"
    assert {person.field for person in found.people} == {
        "dc:creator",
        "Iptc4xmpExt:PersonInImage",
        "mwg-rs:Regions/Name",
    }


@pytest.mark.parametrize("media_type", ["video/mp4", "video/quicktime", "video/3gpp", "audio/mp4"])
@pytest.mark.parametrize("copied", [True, False])
def test_a_film(media_type, copied):
    film = FTYP + box(b"mdat", bytes(5000)) + box(b"moov") + box(b"uuid", UUID + PACKET)
    found = collect(media_type, film, copied=copied)
    assert found == Metadata((CREATOR,))
    # Nothing that stands among its samples is its own.
    inside = FTYP + box(b"mdat", PACKET)
    assert collect(media_type, inside, copied=copied) == Metadata()
    cut = collect(media_type, film + struct.pack(">I", 99), copied=copied)
    assert cut == Metadata((CREATOR,), "metadata-unreadable")


@pytest.mark.parametrize("media_type", ["application/octet-stream", "video/x-flv", "image/bmp"])
def test_any_other_type_is_searched(media_type):
    data = b"\0<svg><metadata>" + PACKET + b"</metadata></svg>"
    assert collect(media_type, data) == Metadata((CREATOR,), "metadata-xmp-only")
    assert collect(media_type, b"no packet") == Metadata(note="metadata-xmp-only")


@pytest.mark.parametrize("media_type", ["text/html", "application/postscript", "audio/mpeg"])
def test_a_type_with_a_reader_is_searched_too(media_type):
    assert collect(media_type, b"<p>" + PACKET + b"</p>").people == (CREATOR,)


def test_a_text_has_no_metadata_but_what_stands_in_it():
    assert collect("text/plain", b"a text") == Metadata()
    assert collect("text/plain", b"a text" + PACKET) == Metadata((CREATOR,))


def test_a_variety_that_exiv2_does_not_know_is_searched():
    # Photoshop's large documents have version 2.
    psb = b"8BPS\0\2" + bytes(6) + struct.pack(">HIIHH", 3, 1, 1, 8, 3) + bytes(4)
    resource = b"8BIM\x04\x24\0\0" + struct.pack(">I", len(PACKET)) + PACKET
    data = psb + struct.pack(">I", len(resource)) + resource
    found = collect("image/vnd.adobe.photoshop", data)
    assert found == Metadata((CREATOR,), "metadata-xmp-only")


def test_more_packets_than_are_kept():
    many = b"".join(wrapped(xmp(element("photoshop:Credit", f"{n:02}"))) for n in range(17))
    found = collect("application/octet-stream", many)
    assert (len(found.people), found.note) == (16, "metadata-cut")


def test_a_broken_packet_is_noted_and_the_others_are_read():
    data = wrapped(b"<rdf&RDF>") + PACKET
    found = collect("application/octet-stream", data)
    assert found == Metadata((CREATOR,), "metadata-unreadable")


def test_a_packet_whose_first_letter_is_damaged_is_broken_and_not_of_another_type():
    data = wrapped(b"!" + xmp(element("photoshop:Credit", "Ana"))[1:]) + PACKET
    found = collect("application/octet-stream", data)
    assert found == Metadata((CREATOR,), "metadata-unreadable")


def test_a_picture_with_too_much_beside_its_xmp_is_searched():
    # Tags that share their data, which Exiv2 copies for each of them; and a packet further on.
    data = tiff(*((0xC700 + number, 7, MIB) for number in range(240)), data=bytes(MIB)) + PACKET
    assert collect("image/tiff", data, size=MIB) == Metadata((CREATOR,), "metadata-too-large")


def test_after_a_packet_that_takes_too_long_no_packet_is_read(monkeypatch):
    packets = [xmp(element("photoshop:Credit", f"{n:02}")) for n in range(16)]
    asked: list[bytes] = []

    def read(packet: bytes) -> Metadata:
        asked.append(packet)
        return Metadata(note="metadata-too-large") if len(asked) == 2 else Metadata((CREATOR,))

    monkeypatch.setattr("shared.metadata.collector.read_packet", read)
    found = collect("application/octet-stream", b"".join(map(wrapped, packets)))
    assert found == Metadata((CREATOR,), "metadata-too-large")
    assert len(asked) == 2


@given(
    file=st.sampled_from(["report.pdf", "clip.mp4", "clip.mov", "poster.svg"]),
    damage=st.lists(st.tuples(st.integers(0, 8000), st.integers(0, 255)), min_size=1, max_size=30),
)
@example(file="poster.svg", damage=[(124, 1)])
@example(file="poster.svg", damage=[(124, 33)])
@settings(max_examples=30, deadline=None)
def test_damaged_files_are_read_or_noted(file, damage):
    data = bytearray((SAMPLES / file).read_bytes())
    for position, value in damage:
        data[position % len(data)] = value
    media_type = detect(bytes(data[:HEAD_SIZE]), len(data))
    notes = {None, "metadata-xmp-only", "metadata-unreadable", "metadata-encrypted"}
    assert collect(media_type, bytes(data)).note in notes


# A JPEG of one pixel, from its first segment on.
JPEG_START = b"\xff\xd8"
JPEG_REST = bytes.fromhex(
    "ffe000104a46494600010100000100010000ffdb004300" + "10" * 64 + "ffc0000b080001000101011100"
    "ffc4001400010000000000000000000000000000000000ffda0008010100003f00d2ffd9"
)
MAIN = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
BEACH = wrapped(xmp(bag("dc:subject", "beach")))
KEYWORD = NamedPerson("beach", "dc:subject")


def segment(data: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def portions(packet: bytes, size: int = 60_000) -> list[bytes]:
    """The segments of extended XMP."""
    header = EXTENSION + b"0" * 32
    return [
        segment(header + struct.pack(">II", len(packet), at) + packet[at : at + size])
        for at in range(0, len(packet), size)
    ]


@pytest.mark.parametrize("backwards", [False, True])
def test_xmp_of_a_jpeg_that_is_longer_than_a_segment(backwards):
    long = xmp(ZOE + element("dc:format", "x" * 150_000))
    parts = portions(long)
    assert len(parts) == 3
    data = JPEG_START + segment(MAIN + BEACH) + b"".join(parts[:: -1 if backwards else 1])
    assert collect("image/jpeg", data + JPEG_REST) == Metadata((CREATOR, KEYWORD))


def test_extended_xmp_without_one_of_its_portions():
    parts = portions(xmp(ZOE + element("dc:format", "x" * 150_000)))
    data = JPEG_START + segment(MAIN + BEACH) + parts[0] + parts[2] + JPEG_REST
    found = collect("image/jpeg", data)
    assert (KEYWORD in found.people, found.note) == (True, "metadata-unreadable")


def test_extended_xmp_that_is_too_long_or_lies_about_it():
    for claimed in (MIB + 1, 0xFFFFFFFF):
        header = EXTENSION + b"0" * 32 + struct.pack(">II", claimed, 0)
        data = JPEG_START + segment(MAIN + BEACH) + segment(header + b"x" * 100) + JPEG_REST
        assert collect("image/jpeg", data) == Metadata((KEYWORD,), "metadata-cut")
    many = b"".join(portions(b"x" * (MIB + 1)))
    data = JPEG_START + segment(MAIN + BEACH) + many + JPEG_REST
    assert collect("image/jpeg", data) == Metadata((KEYWORD,), "metadata-cut")


def test_the_other_packets_of_a_jpeg():
    for data in (
        JPEG_START + segment(MAIN + BEACH) + segment(MAIN + PACKET) + JPEG_REST,
        # A second picture behind the first, as cameras and telephones write it.
        JPEG_START + segment(MAIN + BEACH) + JPEG_REST + JPEG_START + segment(MAIN + PACKET),
    ):
        assert collect("image/jpeg", data) == Metadata((CREATOR, KEYWORD))
    assert collect("image/jpeg", JPEG_START + JPEG_REST + PACKET) == Metadata((CREATOR,))
