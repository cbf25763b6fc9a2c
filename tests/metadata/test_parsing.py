import io
import json
import logging
import struct
import tempfile
import threading
import zlib
from pathlib import Path

import exiv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.metadata.parsing import (
    MAX_LENGTH,
    MAX_PEOPLE,
    PICTURES,
    Metadata,
    NamedPerson,
    read,
)

SAMPLES = Path(__file__).parents[2] / "samples"
FILES = [
    entry["file"]
    for entry in json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["samples"]
    if entry["media_type"] in PICTURES
]
PICTURE = (SAMPLES / "cat.jpg").read_bytes()

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
  xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
  xmlns:dc="http://purl.org/dc/elements/1.1/"
  xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
  xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
  xmlns:MP="http://ns.microsoft.com/photo/1.2/"
  xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
  xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#">{}</rdf:Description></rdf:RDF>
</x:xmpmeta>"""


def with_metadata(*, xmp="", exif=(), iptc=()) -> bytes:
    """A picture with the inside of an XMP description, and EXIF and IPTC values by key."""
    image = exiv2.ImageFactory.open(PICTURE)
    image.readMetadata()
    image.clearMetadata()
    if xmp:
        image.setXmpPacket(XMP.format(xmp))
        image.writeXmpFromPacket(True)
    for key, value in exif:
        image.exifData()[key] = value
    for key, value in iptc:
        image.iptcData().add(exiv2.IptcKey(key), exiv2.DataValue(value))
    image.writeMetadata()
    return bytes(image.io().mmap())


@pytest.mark.parametrize(
    ("xmp", "people"),
    [
        (
            # A prefix of the writer's own choice: it is the namespace that counts.
            (
                "<ext:PersonInImage><rdf:Bag><rdf:li>Zoë Müller</rdf:li><rdf:li> </rdf:li>"
                "<rdf:li>Bob, the builder</rdf:li></rdf:Bag></ext:PersonInImage>"
            ),
            [
                ("Bob, the builder", "Iptc4xmpExt:PersonInImage"),
                ("Zoë Müller", "Iptc4xmpExt:PersonInImage"),
            ],
        ),
        (
            (
                '<ext:PersonInImageWDetails><rdf:Bag><rdf:li rdf:parseType="Resource">'
                '<ext:PersonName><rdf:Alt><rdf:li xml:lang="x-default">Zoë</rdf:li>'
                '<rdf:li xml:lang="el">Ζωή</rdf:li></rdf:Alt></ext:PersonName>'
                "</rdf:li></rdf:Bag></ext:PersonInImageWDetails>"
            ),
            [
                ("Zoë", "Iptc4xmpExt:PersonInImageWDetails/PersonName"),
                ("Ζωή", "Iptc4xmpExt:PersonInImageWDetails/PersonName"),
            ],
        ),
        (
            (
                '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>'
                '<rdf:li><rdf:Description mwg-rs:Name="Zoë" mwg-rs:Type="Face"/></rdf:li>'
                '<rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet"/></rdf:li>'
                '<rdf:li><rdf:Description mwg-rs:Type="Face"/></rdf:li>'
                "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
            ),
            [("Zoë", "mwg-rs:Regions/Name")],
        ),
        (
            (
                '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li>'
                '<rdf:Description MPReg:PersonDisplayName="Zoë"/></rdf:li></rdf:Bag></MPRI:Regions>'
                "</MP:RegionInfo>"
            ),
            [("Zoë", "MPReg:PersonDisplayName")],
        ),
        (
            (
                "<dc:creator><rdf:Seq><rdf:li>Zoë</rdf:li><rdf:li>Zoë</rdf:li></rdf:Seq></dc:creator>"
                "<dc:title><rdf:Alt><rdf:li>Nobody</rdf:li></rdf:Alt></dc:title>"
            ),
            [("Zoë", "dc:creator")],
        ),
        ("<dc:creator>Not even a list</dc:creator>", [("Not even a list", "dc:creator")]),
        (
            # A structure where a name should be.
            '<dc:creator rdf:parseType="Resource"><dc:title>x</dc:title></dc:creator>',
            [],
        ),
    ],
)
def test_people_in_xmp(xmp, people):
    metadata = read(with_metadata(xmp=xmp))
    assert [(person.identifier, person.field) for person in metadata.people] == people
    assert metadata.note is None


@pytest.mark.parametrize(
    ("exif", "iptc", "people"),
    [
        ([("Exif.Image.Artist", "Zoë; Bob ;;")], [], ["Bob", "Zoë"]),
        ([("Exif.Image.Artist", exiv2.DataValue("Zoë\0\0".encode("cp1252")))], [], ["Zoë"]),
        ([("Exif.Image.Artist", exiv2.UShortValue([1, 2]))], [], []),
        (
            [("Exif.Image.XPAuthor", exiv2.DataValue("Zoë;B\0".encode("utf-16-le")))],
            [],
            ["B", "Zoë"],
        ),
        ([("Exif.Image.XPAuthor", exiv2.DataValue(b"Z\0o\0x"))], [], ["Zo\ufffd"]),
        ([("Exif.Image.XPAuthor", exiv2.ULongValue([7]))], [], []),
        ([("Exif.Photo.CameraOwnerName", "Zoë")], [], ["Zoë"]),
        ([("Exif.Image.ImageDescription", "Zoë")], [], []),
        ([], [("Iptc.Application2.Byline", "Zoë".encode())], ["Zoë"]),
        ([], [("Iptc.Application2.Byline", "Zoë €".encode("cp1252"))], ["Zoë €"]),
        ([], [("Iptc.Application2.Byline", b"Z\x81\x00o")], ["Z\ufffd o"]),
        (
            [],
            [("Iptc.Application2.Contact", b"a@b.example"), ("Iptc.Application2.Writer", b"B")],
            ["B", "a@b.example"],
        ),
    ],
)
def test_people_in_exif_and_iptc(exif, iptc, people):
    metadata = read(with_metadata(exif=exif, iptc=iptc))
    assert [person.identifier for person in metadata.people] == people
    assert metadata.note is None


def test_people_are_cut_and_texts_are_not():
    long = read(with_metadata(exif=[("Exif.Image.Artist", "x" * (MAX_LENGTH + 1))]))
    assert long == Metadata((NamedPerson("x" * MAX_LENGTH, "Exif:Artist"),))
    assert [len(text.text) for text in long.texts] == [MAX_LENGTH + 1]
    exact = read(with_metadata(exif=[("Exif.Image.Artist", "x" * MAX_LENGTH)]))
    assert exact == Metadata((NamedPerson("x" * MAX_LENGTH, "Exif:Artist"),))
    names = "".join(f"<rdf:li>{number:05}</rdf:li>" for number in range(MAX_PEOPLE + 1))
    many = read(with_metadata(xmp=f"<dc:creator><rdf:Seq>{names}</rdf:Seq></dc:creator>"))
    assert len(many.people) == MAX_PEOPLE
    assert len(many.texts) == MAX_PEOPLE + 1
    assert many.note is None


def test_what_exiv2_does_not_know():
    for data in (b"a text, and more of it" * 30, bytes(500)):
        assert read(data) == Metadata(note="metadata-not-supported")


@pytest.mark.parametrize("spooled", [1, 10_000_000])
def test_reads_files_without_a_name(spooled):
    with tempfile.SpooledTemporaryFile(spooled) as file:
        file.write(PICTURE)
        assert read(file) == read(PICTURE)


@pytest.mark.parametrize("file", FILES)
def test_truncated_pictures(file):
    data = (SAMPLES / file).read_bytes()
    for length in (*range(0, 64, 3), *range(64, min(len(data), 8000), 333), len(data) - 1):
        assert isinstance(read(data[:length]), Metadata)


@given(
    st.binary(max_size=400), st.sampled_from([b"", *(PICTURE[:n] for n in (2, 4, 30)), b"II*\0"])
)
def test_any_bytes_are_read_or_noted(tail, head):
    metadata = read(head + tail)
    assert metadata.people == ()


@given(
    file=st.sampled_from(FILES),
    damage=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=30),
)
def test_damaged_pictures_are_read_or_noted(file, damage):
    data = bytearray((SAMPLES / file).read_bytes())
    for position, value in damage:
        data[position % len(data)] = value
    for person in read(bytes(data)).people:
        assert 0 < len(person.identifier.encode()) <= 4 * MAX_LENGTH


def test_exiv2_prints_and_logs_nothing(capfd, caplog):
    caplog.set_level(logging.DEBUG)
    broken = (SAMPLES / "broken-metadata.jpg").read_bytes()
    assert read(broken).note == "metadata-unreadable"
    captured = capfd.readouterr()
    assert (captured.out, captured.err, caplog.records) == ("", "", [])


def test_the_namespaces_of_one_file_are_not_those_of_the_next():
    image = exiv2.ImageFactory.open(PICTURE)
    image.readMetadata()
    image.clearMetadata()
    packet = XMP.format('<dc:creator>Zoë</dc:creator><own:hat xmlns:own="urn:hat">red</own:hat>')
    image.setXmpPacket(packet.replace("http://purl.org/dc/elements/1.1/", "urn:another:dc"))
    image.writeXmpFromPacket(True)
    image.writeMetadata()
    # Nor of those that this process makes.
    exiv2.XmpParser.terminate()
    assert read(bytes(image.io().mmap())).note is None
    bob = "<dc:creator><rdf:Seq><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>"
    assert read(with_metadata(xmp=bob)) == Metadata((NamedPerson("Bob", "dc:creator"),))


def test_reads_in_several_threads_at_once():
    pictures = [(SAMPLES / file).read_bytes() for file in FILES]
    expected = [read(picture) for picture in pictures]
    wrong: list[int] = []

    def work() -> None:
        for _ in range(20):
            wrong.extend(n for n, picture in enumerate(pictures) if read(picture) != expected[n])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def sparse(start: bytes, size: int) -> io.FileIO:
    """A file that begins with `start` and whose other bytes take no room."""
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by the caller
    file.write(start)
    file.truncate(size)
    return file


HUGE = 200 * 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic"
JXL = struct.pack(">I", 12) + b"JXL \r\n\x87\n"
PSD = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 1, 1, 8, 3) + bytes(4)


@pytest.mark.parametrize(
    ("start", "note"),
    [
        (PNG + struct.pack(">I", HUGE) + b"iTXt", "metadata-too-large"),
        (PNG + struct.pack(">I", HUGE - 100) + b"IDAT", None),
        (
            b"RIFF" + struct.pack("<I", HUGE) + b"WEBPVP8 " + struct.pack("<I", HUGE),
            "metadata-too-large",
        ),
        (HEIC + struct.pack(">I", HUGE - 24) + b"meta", "metadata-too-large"),
        (HEIC + struct.pack(">I4sQ", 1, b"uuid", HUGE - 24), "metadata-too-large"),
        (HEIC + struct.pack(">I", 0) + b"free", "metadata-too-large"),
        (HEIC + struct.pack(">I", HUGE - 24) + b"mdat", None),
        (JXL + struct.pack(">I", HUGE - 12) + b"brob", "metadata-too-large"),
        (JXL + struct.pack(">I", HUGE - 12) + b"jxlc", "metadata-too-large"),
        (JXL + struct.pack(">I", HUGE - 12) + b"mdat", None),
        (PSD + struct.pack(">I", HUGE), "metadata-too-large"),
        (PSD + bytes(8), None),
    ],
)
def test_huge_blocks_are_not_read_into_memory(start, note):
    with sparse(start, HUGE) as file:
        metadata = read(file)
    assert metadata.people == ()
    # Pixels that are only zeros are no picture, which Exiv2 may say of them.
    assert (metadata.note == note) if note else (metadata.note != "metadata-too-large")


@pytest.mark.exhausting
def test_a_picture_of_many_tiny_blocks_is_not_walked_for_ever():
    # Each chunk is 12 bytes; as many as would make a million and some.
    with sparse(PNG, len(PNG) + 12 * 1_000_100) as file:
        assert read(file).note in {"metadata-unreadable", "metadata-too-large"}
