"""Metadata that costs much is read by a process of its own, and what costs too much is not read."""

import io
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import exiv2
import pytest

from shared.metadata.block_sizes import metadata_size
from shared.metadata.parsing import MAX_PEOPLE, Metadata, NamedPerson, read

SAMPLES = Path(__file__).parents[2] / "samples"
MIB = 1024 * 1024
HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"
ZOE = "<dc:creator><rdf:Seq><rdf:li>Zoë</rdf:li></rdf:Seq></dc:creator>"
FOUND = Metadata((NamedPerson("Zoë", "dc:creator"),))
TOO_LARGE = Metadata(note="metadata-too-large")
UNREADABLE = Metadata(note="metadata-unreadable")


def packet(inside: str, attributes: str = "") -> bytes:
    return f"{HEAD}{attributes}>{inside}{TAIL}".encode()


def tiff(*entries: tuple[int, int, int], data: bytes = b"") -> bytes:
    """A TIFF of one directory: the tag, type and count of each entry, all with the same `data`."""
    padded = data + bytes(len(data) % 2)
    directory = b"".join(struct.pack("<HHII", *entry, 8) for entry in entries)
    start = struct.pack("<I", 8 + len(padded))
    return b"II*\0" + start + padded + struct.pack("<H", len(entries)) + directory + bytes(4)


def tiff_with_xmp(xmp: bytes) -> bytes:
    return tiff((700, 1, len(xmp)), data=xmp)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with_text(text: bytes, *, compressed: bool) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = zlib.compress(text, 9) if compressed else text
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0" + bytes([compressed, 0, 0, 0]) + body)
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + xmp + pixels + chunk(b"IEND", b"")


def jpeg_with(marker: int, segment: bytes, times: int) -> bytes:
    head = b"\xff" + bytes([marker]) + struct.pack(">H", len(segment) + 2)
    return b"\xff\xd8" + (head + segment) * times + (SAMPLES / "cat.jpg").read_bytes()[2:]


def filler(size: int) -> str:
    return f"<dc:format>{'x' * size}</dc:format>"


@contextmanager
def peak() -> Iterator[list[int]]:
    """A list to which the block's end adds how far this process rose in it, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    start = status_bytes("VmRSS")
    above: list[int] = []
    yield above
    above.append(status_bytes("VmHWM") - start)


def status_bytes(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


# Siblings whose names must be compared each with each: hours for Exiv2, were it left to it.
MANY = "".join(f' dc:p{number}="a"' for number in range(150_000))


@pytest.mark.parametrize("size", [10, 70_000, 3 * MIB])
@pytest.mark.parametrize(
    "made",
    [tiff_with_xmp, lambda xmp: png_with_text(xmp, compressed=False)],
    ids=["tiff", "png"],
)
def test_people_are_read_here_and_apart(made, size):
    picture = made(packet(filler(size) + ZOE))
    assert (metadata_size(io.BytesIO(picture)) > 64 * 1024) == (size > 10)
    assert read(picture) == FOUND
    with tempfile.SpooledTemporaryFile() as file:
        file.write(picture)
        assert read(file) == FOUND


def test_what_is_read_apart_is_noted_the_same():
    names = "".join(f"<rdf:li>{number:05}</rdf:li>" for number in range(MAX_PEOPLE + 1))
    many = f"<dc:creator><rdf:Seq>{names}</rdf:Seq></dc:creator>{filler(100_000)}"
    metadata = read(tiff_with_xmp(packet(many)))
    assert (len(metadata.people), metadata.note) == (MAX_PEOPLE, None)
    assert len(metadata.texts) > MAX_PEOPLE
    assert read(tiff_with_xmp(bytes(100_000))) == UNREADABLE
    assert read(b"a text" * 50_000).note == "metadata-not-supported"


@pytest.mark.parametrize(
    "make",
    [
        lambda: tiff_with_xmp(packet("", MANY)),
        lambda: tiff_with_xmp(packet(filler(100 * MIB))),
        # All tags point to the same bytes, which Exiv2 copies for each of them.
        lambda: tiff(*((0xC700 + number, 7, MIB) for number in range(240)), data=bytes(MIB)),
    ],
    ids=["siblings", "100 MiB of XMP", "tags that share their data"],
)
@pytest.mark.exhausting
def test_what_takes_too_much_is_ended_and_costs_this_process_nothing(make):
    with tempfile.TemporaryFile() as file:
        file.write(make())
        with peak() as above:
            assert read(file) == TOO_LARGE
    assert above[0] < 16 * MIB


@pytest.mark.parametrize(
    "picture",
    [
        # 100 MB of XMP are declared, and are not there.
        tiff((700, 1, 100_000_000)),
        # EXIF and sub-directories that are the directory itself.
        b"II*\0\x08\0\0\0\2\0"
        + struct.pack("<HHII", 0x8769, 4, 1, 8)
        + struct.pack("<HHII", 0x014A, 4, 1, 8)
        + struct.pack("<I", 8),
        tiff_with_xmp(packet(ZOE).replace("ë".encode(), b"\xff\xc3")),
        tiff_with_xmp(packet("<dc:x rdf:parseType='Resource'>" * 1500 + "</dc:x>" * 1500)),
        tiff_with_xmp(b'<!DOCTYPE x [<!ENTITY a "Bob">]>' + packet("<dc:format>&a;</dc:format>")),
        png_with_text(bytes(64 * MIB), compressed=True),
        png_with_text(packet(filler(64 * MIB) + ZOE), compressed=True),
    ],
    ids=["declared", "cyclic", "no UTF-8", "deep", "entity", "bomb of zeros", "bomb of XMP"],
)
def test_broken_metadata_is_noted(picture):
    with peak() as above:
        assert read(picture) == UNREADABLE
    assert above[0] < 16 * MIB


def test_what_counts_as_metadata_of_a_jpeg():
    picture = (SAMPLES / "cat.jpg").read_bytes()
    plain = metadata_size(io.BytesIO(picture))
    # Of these Exiv2 takes one; of Photoshop's it takes all.
    assert metadata_size(io.BytesIO(jpeg_with(0xE2, bytes(60_000), 9))) == plain < 1000
    photoshop = jpeg_with(0xED, b"Photoshop 3.0\0" + bytes(60_000), 3)
    assert metadata_size(io.BytesIO(photoshop)) > 180_000
    assert [person.identifier for person in read(photoshop).people][:1] == ["Ana Peña"]
    astray = b"\xff\xd8\0" + picture[2:]
    assert metadata_size(io.BytesIO(astray)) == len(astray)


@pytest.mark.parametrize(
    ("file", "standards"),
    [
        ("cat.jpg", {"exif", "iptc", "xmp"}),
        ("astronaut.tif", {"exif", "iptc", "xmp"}),
        ("launch.png", {"exif", "iptc", "xmp"}),
        # A WebP has no place for IPTC-IIM (RFC 9649 section 2.7).
        ("deep-field.webp", {"exif", "xmp"}),
    ],
)
def test_each_format_with_each_standard(file, standards):
    image = exiv2.ImageFactory.open((SAMPLES / file).read_bytes())
    image.readMetadata()
    image.clearExifData()
    image.clearIptcData()
    image.clearXmpData()
    expected = set()
    if "exif" in standards:
        image.exifData()["Exif.Image.Artist"] = "Ana"
        expected.add(NamedPerson("Ana", "Exif:Artist"))
    if "iptc" in standards:
        image.iptcData()["Iptc.Application2.Byline"] = "Bob"
        expected.add(NamedPerson("Bob", "IPTC:2:80 By-line"))
    if "xmp" in standards:
        image.xmpData()["Xmp.dc.creator"] = ["Zoë"]
        expected.add(NamedPerson("Zoë", "dc:creator"))
    image.writeMetadata()
    metadata = read(bytes(image.io().mmap()))
    assert set(metadata.people) == expected
    assert metadata.note is None
