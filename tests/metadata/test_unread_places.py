"""Places for text beside a type's usual places: each is read, or the note tells that it is not."""

import io
import struct
import zlib

import exiv2
import pytest
from mutagen.id3 import ID3, TPE1

from shared.metadata.manifests import ManifestFinder
from tests.metadata.test_parsing import SAMPLES, with_metadata
from tests.metadata.test_picture_texts import jpeg
from tests.metadata.test_sound_and_film_texts import FTYP
from tests.metadata.test_xmp_forms import box
from tests.metadata.texts import collected, texts

NAME = "Zoë Winter"
STORE = b"jumdc2pa\x00\x11\x00\x10\x80\x00\x00\xaa\x008\x9bq\x03c2pa\0"


def artist(name):
    """A picture with a name in EXIF."""
    image = exiv2.ImageFactory.open(with_metadata())
    image.readMetadata()
    image.exifData()["Exif.Image.Artist"] = name
    image.writeMetadata()
    return bytes(image.io().mmap())


def several(*pictures):
    """JPEGs one behind the other, with the index of CIPA DC-007 in the first."""
    count = len(pictures)
    tags = struct.pack(">HHI4s", 0xB000, 7, 4, b"0100")
    tags += struct.pack(">HHII", 0xB001, 4, 1, count) + struct.pack(
        ">HHII", 0xB002, 7, 16 * count, 50
    )
    header = b"MM\0*" + struct.pack(">IH", 8, 3) + tags + bytes(4)
    header += bytes(50 - len(header))
    length = 4 + len(header) + 16 * count
    first = pictures[0]
    # The places are counted from the byte order's mark, which stands behind "MPF" and a zero.
    mark = 2 + 4 + 4
    place = len(first) + 4 + length - mark
    entries = struct.pack(">IIIHH", 0x030000, len(first) + 4 + length, 0, 0, 0)
    for one in pictures[1:]:
        entries += struct.pack(">IIIHH", 0, len(one), place, 0, 0)
        place += len(one)
    segment = b"\xff\xe2" + struct.pack(">H", length + 2) + b"MPF\0" + header + entries
    return first[:2] + segment + first[2:] + b"".join(pictures[1:])


def test_every_picture_of_a_jpeg_is_read():
    data = several(artist("First"), artist(NAME), artist("Third"))
    assert texts(data)["Exif:Artist"] == ["First", NAME, "Third"]
    assert collected(data).note is None


def test_comments_of_a_further_picture_are_read():
    further = jpeg((0xFE, NAME.encode()))
    assert texts(several(artist("First"), further))["JPEG:Comment"] == [NAME]


@pytest.mark.parametrize("cut", [1, 200])
def test_a_further_picture_that_cannot_be_read_is_told(cut):
    first = artist("First")
    data = several(first, b"\0" * 500)
    assert collected(data).note == "metadata-partial"
    broken = jpeg((0xE2, b"MPF\0MM" + bytes(cut)))
    assert collected(broken).note == "metadata-partial"


def test_a_tag_of_id3_in_a_film_is_read():
    tag = io.BytesIO()
    tags = ID3()
    tags.add(TPE1(encoding=3, text=[NAME]))
    tags.save(tag)
    boxed = box(b"ID32", bytes(4) + b"\x15\xc7" + tag.getvalue())
    inside = box(b"meta", bytes(4), box(b"hdlr", bytes(8) + b"ID32" + bytes(12)), boxed)
    for film in (FTYP + inside, FTYP + box(b"moov", inside)):
        assert NAME in [text for found in texts(film).values() for text in found]


@pytest.mark.parametrize("pieces", [1, 3, 7, 20, 100])
def test_a_manifest_is_seen_in_pieces_of_any_size(pieces):
    data = bytes(50) + STORE + bytes(50)
    finder = ManifestFinder()
    for start in range(0, len(data), pieces):
        finder.feed(data[start : start + pieces])
    assert finder.found
    other = ManifestFinder()
    for start in range(0, len(data), pieces):
        other.feed(data.replace(b"c2pa", b"c2pb")[start : start + pieces])
    assert not other.found


@pytest.mark.parametrize(
    "data",
    [
        jpeg((0xEB, b"JP\0\x01\0\0\0\x01" + STORE)),
        FTYP + box(b"uuid", bytes(16) + STORE),
        b"RIFF"
        + struct.pack("<I", 4 + 8 + len(STORE))
        + b"WAVEC2PA"
        + struct.pack("<I", len(STORE))
        + STORE,
    ],
    ids=["jpeg", "film", "wave"],
)
def test_a_manifest_of_c2pa_is_told(data):
    assert collected(data).note == "metadata-partial"


@pytest.mark.parametrize(
    ("segment", "note"),
    [
        ((0xEC, b"Ducky\0\1\0\4\0\0\0\x3c\0\0"), None),
        ((0xEC, b"Ducky\0\1\0\4\0\0\0\x3c\0\2\0\x08\0\0\0\2\0Z\0o\0\0"), "metadata-partial"),
        ((0xED, b"Photoshop 3.0\x008BIM\x04\x0b\0\0\0\0\0\4http"), "metadata-partial"),
        ((0xED, b"Photoshop 3.0\x008BIM\x04\x0d\0\0\0\0\0\4\0\0\0\x1e"), None),
    ],
)
def test_a_text_of_photoshop_that_nobody_reads_is_told(segment, note):
    assert collected(jpeg(segment)).note == note


def without_layers(data):
    """A Photoshop file without the section of layers."""
    place = 26
    for _ in range(2):
        (length,) = struct.unpack_from(">I", data, place)
        place += 4 + length
    (length,) = struct.unpack_from(">I", data, place)
    return data[:place] + bytes(4) + data[place + 4 + length :]


def test_the_layers_of_photoshop_are_told():
    data = (SAMPLES / "layers.psd").read_bytes()
    assert collected(data).note == "metadata-partial"
    assert collected(without_layers(data)).note is None


def pdf(catalog=b"", page=b"", *streams):
    """A PDF of a page; the streams are packed, and are objects 4 and up."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]" + page + b">>",
    ]
    for entries, data in streams:
        packed = zlib.compress(data)
        head = b"<<%s/Filter/FlateDecode/Length %d>>stream\n" % (entries, len(packed))
        objects.append(head + packed + b"\nendstream")
    out, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + one + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(objects) + 1
    end = b"xref\n0 %d\n0000000000 65535 f \n" % count + table
    return (
        out + end + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(out))
    )


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
    f' xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="{NAME}"/></rdf:RDF></x:xmpmeta>'
).encode()
PACKET = (b"/Type/Metadata/Subtype/XML", XMP)
PICTURE = b"/Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray"


@pytest.mark.parametrize(
    "data",
    [
        pdf(b"/Metadata 4 0 R", b"", PACKET),
        pdf(b"", b"/Metadata 4 0 R", PACKET),
        pdf(
            b"",
            b"/Resources<</XObject<</A 4 0 R>>>>",
            (PICTURE + b"/Metadata 5 0 R", b"\0"),
            PACKET,
        ),
    ],
    ids=["document", "page", "picture"],
)
def test_packed_xmp_of_a_pdf_is_read(data):
    assert texts(data)["dc:source"] == [NAME]
    assert collected(data).note is None


@pytest.mark.parametrize(
    "catalog", [b"/Names<</EmbeddedFiles<</Names[]>>>>", b"/AF[]"], ids=["names", "associated"]
)
def test_files_that_are_attached_to_a_pdf_are_told(catalog):
    assert collected(pdf(catalog)).note == "metadata-partial"
