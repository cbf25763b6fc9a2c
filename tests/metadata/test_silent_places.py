"""Places for text that had no reader and no note: each text is read, or the note tells."""

import io
import json
import plistlib
import random
import struct
import zipfile
import zlib

import pytest
from mutagen.id3 import GEOB, ID3, UFID

from tests.metadata.test_parsing import SAMPLES
from tests.metadata.test_picture_texts import jpeg
from tests.metadata.test_sound_and_film_texts import FTYP
from tests.metadata.test_unread_places import artist, pdf, several
from tests.metadata.test_xmp_forms import box
from tests.metadata.texts import collected, texts

NAME = "Zoë Winter"
NUMBERS = random.Random(1).randbytes(9000)


def every(data):
    return " | ".join(text for some in texts(data).values() for text in some)


def packed(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def edit(settings):
    """An `.aae` with the settings of an edit."""
    return plistlib.dumps(
        {"adjustmentData": settings, "adjustmentEditorBundleID": f"org.{NAME}", "n": 1}
    )


TEXTS = {
    "notes": f"Minutes\n\nPresent: {NAME}\n",
    "table": f"picture;person\nIMG_1.jpg;{NAME}\n",
    "pp3": f"[IPTC]\nCreator={NAME}\n",
    "dop": 'Sidecar = {\nSource = {\nItems = {\n{\nArtist = "' + NAME + '",\n',
    "srt": f"1\n00:00:01,000 --> 00:00:02,000\n{NAME}\n",
    "vtt": f"WEBVTT\n\nNOTE {NAME}\n",
    "calendar": f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:{NAME}\r\nEND:VEVENT\r\n",
    "xbm": f"/* {NAME} */\n#define a_width 1\nstatic char a_bits[] = {{0x00}};\n",
    "json": json.dumps({"by": {"author": NAME}}),
    "json-key": json.dumps({"photos": {NAME: 3}}),
    "json-list": json.dumps([{"author": NAME}]),
    "xml": f'<?xml version="1.0"?><a xmlns="urn:x"><by>{NAME}</by></a>',
    "xml-attribute": f'<?xml version="1.0"?><a><by name="{NAME}"/></a>',
    "xml-comment": f'<?xml version="1.0"?><a><!-- {NAME} --></a>',
    "postscript": f"%!PS-Adobe-3.0\n% by {NAME}\nshowpage\n",
    "pdfmark": f"%!PS-Adobe-3.0\n[ /Author ({NAME}) /DOCINFO pdfmark\nshowpage\n",
    "html-comment": f"<!DOCTYPE html><html><!-- {NAME} --><body></body></html>",
    "html-json": f'<html><script type="application/ld+json">{{"a": "{NAME}"}}</script></html>',
    "html-alt": f'<html><img alt="{NAME}"></html>',
    "svg-label": f'<svg xmlns="http://www.w3.org/2000/svg"><g aria-label="{NAME}"/></svg>',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_is_read_whole(text):
    assert NAME in every(text.encode())
    assert collected(text.encode()).note is None


def test_a_name_across_lines_stands_in_one_text():
    lines = [f"line {number}" for number in range(100)]
    for place in range(90):
        broken = "\n".join([*lines[:place], "by Zoë", "Winter", *lines[place:]])
        assert "Zoë\nWinter" in every(broken.encode())


def test_a_long_text_is_cut_and_told():
    data = b"a line of a text\n" * 100_000
    assert collected(data).note == "metadata-cut"


@pytest.mark.parametrize(
    "settings",
    [
        b"",
        packed(json.dumps({"by": NAME}, ensure_ascii=False).encode()),
        packed(plistlib.dumps({"by": NAME}, fmt=plistlib.FMT_BINARY)),
        plistlib.dumps({"by": [NAME]}, fmt=plistlib.FMT_BINARY),
    ],
)
def test_a_sidecar_of_a_phone_is_read(settings):
    found = texts(edit(settings))
    inside = [*found.get("plist:by", ()), *found.get("plist:adjustmentData", ())]
    assert not settings or NAME in str(inside)
    assert NAME in str(found)
    assert collected(edit(settings)).note is None


def test_settings_of_an_edit_that_cannot_be_read_are_told():
    assert collected(edit(NUMBERS)).note == "metadata-partial"


SCAN = b"\xff\xda\0\x08\1\1\0\0\x3f\0" + b"\x12\xff\0\x34\xff\xd0"


def picture(behind=b"", segments=b"", trailer=b""):
    return b"\xff\xd8" + segments + SCAN + behind + b"\xff\xd9" + trailer


def segment(kind, content):
    return b"\xff" + bytes([kind]) + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize(
    "data",
    [
        picture(segments=segment(0xE4, b"Own\0\1" + NAME.encode() + b"\0\2")),
        picture(segments=segment(0xE0, NAME.encode())),
        picture(segments=segment(0xE7, b"\1\2" + "Zoe Winter".encode("utf-16-le"))),
        picture(behind=segment(0xFE, NAME.encode())),
        picture(behind=segment(0xEF, NAME.encode()) + SCAN),
        picture(trailer=NAME.encode()),
        picture(trailer=bytes(100) + b"\1\2\3" + NAME.encode()),
        several(artist("First"), artist("Second")) + NAME.encode(),
    ],
)
def test_any_place_of_a_jpeg_is_read(data):
    assert NAME in every(data) or "Zoe Winter" in every(data)
    assert collected(data).note is None


def test_padding_and_known_parts_of_a_jpeg_get_no_note():
    known = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0") + segment(0xE2, b"ICC_PROFILE\0" + NUMBERS)
    assert collected(picture(segments=known, trailer=bytes(9000) + b"\xff" * 9000)).note is None
    assert collected(several(artist("First"), artist("Second"))).note is None


@pytest.mark.parametrize(
    "data",
    [
        picture(segments=segment(0xE4, NUMBERS)),
        picture(behind=segment(0xE4, NUMBERS)),
        picture(trailer=NUMBERS),
        several(artist("First"), artist("Second")) + NUMBERS,
    ],
)
def test_unknown_numbers_in_a_jpeg_are_told(data):
    assert collected(data).note == "metadata-partial"


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + bytes(4)


def png(*chunks, trailer=b""):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + pixels + chunk(b"IEND", b"") + trailer


def test_private_chunks_and_the_trailer_of_a_png_are_read():
    assert NAME in every(png(chunk(b"abCd", b"\1\2" + NAME.encode())))
    assert NAME in every(png(trailer=NAME.encode()))
    assert collected(png(chunk(b"abCd", NUMBERS))).note == "metadata-partial"
    assert collected(png(trailer=NUMBERS)).note == "metadata-partial"


def test_xml_labels_and_comments_of_jpeg_2000_are_read():
    head = b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    size = struct.pack(">HHHIIIIIIIIHBBB", 0xFF51, 41, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 7, 1, 1)
    header = box(b"jp2h", box(b"ihdr", struct.pack(">IIHBBBB", 1, 1, 1, 7, 7, 0, 0)))
    raw = NAME.encode()
    comment = struct.pack(">HHH", 0xFF64, len(raw) + 4, 1) + raw
    pixels = box(b"jp2c", b"\xff\x4f" + size + comment + b"\xff\x90\0\0")
    assert NAME in every(head + header + pixels)
    for inside in (box(b"xml ", f"<a>{NAME}</a>".encode()), box(b"asoc", box(b"lbl ", raw))):
        assert NAME in every(head + header + inside + pixels)


def test_the_cover_of_a_film_is_read():
    cover = box(b"data", struct.pack(">II", 13, 0) + artist(NAME))
    film = FTYP + box(
        b"moov", box(b"udta", box(b"meta", bytes(4), box(b"ilst", box(b"covr", cover))))
    )
    assert NAME in every(film)
    assert collected(film).note is None


def element(identifier, content):
    return bytes.fromhex(identifier) + struct.pack(">Q", len(content) | 1 << 56) + content


@pytest.mark.parametrize(
    ("attached", "note"), [(artist(NAME), None), (NUMBERS, "metadata-partial")]
)
def test_a_file_attached_to_a_film_is_read_or_told(attached, note):
    head = element("1a45dfa3", element("4282", b"matroska"))
    inside = element("1941a469", element("61a7", element("465c", attached)))
    film = head + element("18538067", inside)
    assert collected(film).note == note
    assert (NAME in every(film)) == (note is None)


@pytest.mark.parametrize(
    "catalogue",
    [
        b"/PageLabels<</Nums[0<</P(Zoe Winter)>>]>>",
        b"/OCProperties<</OCGs[<</Type/OCG/Name(Zoe Winter)>>]/D<<>>>>",
        b"/OCProperties<</OCGs[]/D<</Order[[(Zoe Winter)]]>>>>",
        b"/StructTreeRoot<</K[<</S/Figure/Alt(Zoe Winter)>>]>>",
        b"/Names<</Dests<</Names[(Zoe Winter)[3 0 R/Fit]]>>>>",
        b"/Dests<</Zoe#20Winter[3 0 R/Fit]>>",
        b"/PieceInfo<</Own<</Private<</By(Zoe Winter)>>>>>>",
    ],
)
def test_the_trees_of_a_pdf_are_read(catalogue):
    assert "Zoe Winter" in every(pdf(catalogue))
    assert collected(pdf(catalogue)).note is None


def test_the_data_of_a_program_in_a_pdf_is_told():
    data = pdf(b"", b"/PieceInfo<</Own<</Private 4 0 R>>>>", (b"", NUMBERS))
    assert collected(data).note == "metadata-partial"


@pytest.mark.parametrize("name", ["cat.heic", "coffee.avif"])
def test_letters_named_by_number_in_a_heic_are_read(name):
    data = (SAMPLES / name).read_bytes()
    start = data.index(b"<x:xmpmeta")
    end = data.index(b"</x:xmpmeta>", start) + 12
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
        b'22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" '
        b'dc:source="Zo&#xEB; Winter"/></rdf:RDF></x:xmpmeta>'
    )
    assert len(packet) <= end - start
    made = data[:start] + packet.ljust(end - start) + data[end:]
    assert NAME in texts(made)["dc:source"]


def test_jpeg_of_one_segment_gets_no_note():
    assert collected(jpeg((0xFE, NAME.encode()))).note is None


WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("customXml/item1.xml", f"<a><by>{NAME}</by></a>"),
        ("word/document.xml", f'<w:document {WORD}><docPr descr="{NAME}"/></w:document>'),
        ("ppt/slides/slide1.xml", f'<a><cNvPr id="1" descr="{NAME}"/></a>'),
        ("word/settings.xml", f'<w:a {WORD}><w:docVar w:name="by" w:val="{NAME}"/></w:a>'),
    ],
)
def test_further_parts_of_an_office_file_are_read(part, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("[Content_Types].xml", "<Types/>")
        package.writestr(part, content)
    assert NAME in every(buffer.getvalue())
    assert collected(buffer.getvalue()).note is None


def test_lyrics_and_identifiers_of_a_sound_are_read():
    tags = ID3()
    tags.add(UFID(owner="urn:example", data=NAME.encode()))
    tags.add(GEOB(encoding=3, mime="text/plain", desc="d", data=b"by Bo Winter"))
    tag = io.BytesIO()
    tags.save(tag)
    lyrics = b"LYRICSBEGINAUT00010Di Winter  000027LYRICS200"
    sound = tag.getvalue() + b"\xff\xfb\x90\0" + bytes(413) + lyrics + b"TAG" + bytes(125)
    for name in (NAME, "Bo Winter", "Di Winter"):
        assert name in every(sound)


@pytest.mark.parametrize(
    ("content", "note"), [(NAME.encode(), None), (NUMBERS, "metadata-partial")]
)
def test_programs_data_and_the_trailer_of_a_gif_are_read_or_told(content, note):
    blocks = [content[start : start + 255] for start in range(0, len(content), 255)]
    chain = b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    own = b"!\xff\x0bPRIVATE 1.0" + chain
    loop = b"!\xff\x0bNETSCAPE2.0\x03\1\0\0\0"
    pixels = b",\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"
    head = b"GIF89a\1\0\1\0\0\0\0" + loop
    for data in (head + own + pixels + b";", head + pixels + b";" + content):
        assert collected(data).note == note
        assert (NAME in every(data)) == (note is None)
    assert collected(head + pixels + b";\0\0").note is None
