import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.scanning.content_type import HEAD_SIZE, UNKNOWN, detect

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def box(brand: bytes, agreed: bytes = b"isomiso2avc1mp41") -> bytes:
    # What follows the box is not of it.
    length = struct.pack(">I", 16 + len(agreed))
    return length + b"ftyp" + brand + bytes(4) + agreed + b"heicavif" + bytes(32)


def tiff(tags: dict[int, int], make: bytes = b"", order: str = "<") -> bytes:
    """A TIFF's first directory, with `make` right after it."""
    entries = dict(tags)
    end = 8 + 2 + 12 * (len(entries) + bool(make)) + 4
    packed = b"".join(
        struct.pack(f"{order}HHLL", tag, 4, 1, value) for tag, value in sorted(entries.items())
    )
    if make:
        packed += struct.pack(f"{order}HHLL", 0x010F, 2, len(make), end)
    start = {"<": b"II*\0", ">": b"MM\0*"}[order]
    count = struct.pack(f"{order}H", len(entries) + bool(make))
    return start + struct.pack(f"{order}L", 8) + count + packed + bytes(4) + make + bytes(200)


EBML = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08"
SUBFILE_TYPE, SUB_DIRECTORIES, DNG_VERSION = 0x00FE, 0x014A, 0xC612
RAW = {SUBFILE_TYPE: 1, SUB_DIRECTORIES: 900}


def zipped(*names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, b"some content " * 20)
    return buffer.getvalue()


def open_document() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", "<office:document-content/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("media_type", "data"),
    [
        ("image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"),
        ("image/jpeg", b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00"),
        ("image/jpeg", b"\xff\xd8\xff\xdb\x00\x43"),
        ("image/png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"),
        ("image/tiff", b"II*\x00\x08\x00\x00\x00"),
        ("image/tiff", b"MM\x00*\x00\x00\x00\x08"),
        ("image/tiff", b"II+\x00\x08\x00\x00\x00\x10"),
        ("image/x-adobe-dng", tiff({DNG_VERSION: 0x0401})),
        ("image/x-adobe-dng", tiff({DNG_VERSION: 0x0401, **RAW}, b"SONY\0", ">")),
        ("image/x-nikon-nef", tiff(RAW, b"NIKON CORPORATION\0", ">")),
        ("image/x-sony-arw", tiff(RAW, b"SONY\0")),
        ("image/x-pentax-pef", tiff(RAW, b"PENTAX Corporation\0")),
        ("image/x-canon-cr2", b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(8)),
        ("image/x-panasonic-rw2", b"IIU\x00\x18\x00\x00\x00" + bytes(50)),
        ("image/x-fuji-raf", b"FUJIFILMCCD-RAW 0201FF383501X-T3"),
        ("image/x-olympus-orf", b"IIRO\x08\x00\x00\x00" + bytes(50)),
        # Developed from a raw: the camera's name alone makes none.
        ("image/tiff", tiff({SUBFILE_TYPE: 0}, b"NIKON CORPORATION\0")),
        ("image/tiff", tiff({SUB_DIRECTORIES: 900}, b"SONY\0")),
        ("image/tiff", tiff(RAW, b"Phase One\0")),
        ("image/tiff", tiff(RAW)[:30]),
        ("image/tiff", b"II*\0\xff\xff\xff\xff"),
        ("image/jxl", b"\xff\x0a\xfa\x1f\x01\x90"),
        ("image/jxl", b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl "),
        ("image/aces", b"v/1\x01\x02\0\0\0" + bytes(20)),
        ("image/vnd.radiance", b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n"),
        ("image/webp", b"RIFF\x24\x00\x00\x00WEBPVP8L"),
        ("image/webp", b"RIFF\x24\x00\x00\x00WEBPVP8 "),
        ("image/webp", b"RIFF\x24\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"),
        ("image/gif", b"GIF89a\x01\x00\x01\x00"),
        ("image/gif", b"GIF87a\x01\x00\x01\x00"),
        ("image/bmp", b"BM\x46\x00\x00\x00\x00\x00\x00\x00"),
        ("image/jp2", b"\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 "),
        ("image/vnd.adobe.photoshop", b"8BPS\x00\x01" + bytes(20)),
        ("image/vnd.adobe.photoshop", b"8BPS\x00\x02" + bytes(20)),
        ("image/heic", box(b"heic")),
        ("image/avif", box(b"avif")),
        ("image/heic", box(b"heim")),
        ("image/heic-sequence", box(b"hevc")),
        ("image/heif", box(b"mif1")),
        ("image/heif-sequence", box(b"msf1")),
        ("image/avif", box(b"avis")),
        ("image/avif", box(b"mif1", b"mif1avifmiaf")),
        ("image/heic", box(b"mif1", b"mif1heic")),
        ("image/heic-sequence", box(b"msf1", b"msf1hevcisom")),
        ("image/avif", box(b"miaf", b"avif")),
        ("image/x-canon-cr3", box(b"crx ")),
        ("video/mp4", box(b"isom")),
        ("video/mp4", box(b"M4V ")),
        ("video/mp4", box(b"avc1")),
        ("video/mp4", box(b"dash")),
        ("video/3gpp", box(b"3gp6")),
        ("video/3gpp2", box(b"3g2a")),
        ("audio/mp4", box(b"M4A ")),
        ("audio/mp4", box(b"M4B ")),
        ("video/mp4", box(b"mp42")),
        ("video/mp4", box(b"new!")),
        ("video/quicktime", box(b"qt  ")),
        ("video/quicktime", b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat" + bytes(16)),
        ("video/quicktime", b"\x00\x00\x20\x00moov\x00\x00\x00\x6cmvhd"),
        ("video/quicktime", b"\x00\x00\x00\x01mdat" + bytes(16)),
        ("video/matroska", EBML + b"\x42\x82\x88matroska" + bytes(20)),
        ("video/webm", EBML + b"\x42\x82\x84webm" + bytes(20)),
        ("video/mpeg", b"\x00\x00\x01\xba\x44\x00" + bytes(20)),
        ("video/x-ms-asf", b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel"),
        ("video/x-msvideo", b"RIFF\x24\x00\x00\x00AVI LIST"),
        ("audio/vnd.wave", b"RIFF\x24\x00\x00\x00WAVEfmt "),
        ("audio/aiff", b"FORM\x00\x00\x10\x00AIFFCOMM"),
        ("audio/flac", b"fLaC\x00\x00\x00\x22" + bytes(34)),
        ("application/ogg", b"OggS\x00\x02" + bytes(22)),
        ("audio/midi", b"MThd\x00\x00\x00\x06\x00\x01"),
        ("audio/mpeg", b"\xff\xfb\x90\x64" + bytes(100)),
        ("audio/aac", b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(20)),
        ("audio/mpeg", b"ID3\x03\x00\x00\x00\x00\x00\x0f"),
        ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
        ("application/pdf", b"%PDF-1.7\n1 0 obj\n"),
        ("application/pdf", b"\r\n\0\0%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"),
        ("application/pdf", b"HTTP/1.1 200 OK\r\n\r\n%PDF-2.0\n1 0 obj\n<<>>\n"),
        ("application/pdf", b"x" * 1000 + b"%PDF-1.7\n1 0 obj\n"),
        ("text/plain", b"x" * 1024 + b"%PDF-1.7\n1 0 obj\n"),
        ("text/plain", b"A file begins with %PDF-1.7 and goes on with objects."),
        # Two types at once: the first structure says which, and its own reader sees it too.
        ("image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00%PDF-1.7\n1 0 obj\n"),
        ("image/gif", b"GIF89a/*\x01\x00*/=1;alert(1)//"),
        ("application/zip", zipped("%PDF-1.7 1 0 obj", method=zipfile.ZIP_STORED)),
        ("application/postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n"),
        ("application/zip", zipped("a.txt")),
        ("application/zip", b"PK\x05\x06" + bytes(18)),
        (WORD, zipped("[Content_Types].xml", "_rels/.rels", "word/document.xml")),
        (SHEET, zipped("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml")),
        ("application/vnd.oasis.opendocument.text", open_document()),
        ("application/gzip", b"\x1f\x8b\x08\x00" + bytes(8)),
        ("application/x-7z-compressed", b"7z\xbc\xaf\x27\x1c" + bytes(8)),
        ("application/vnd.rar", b"Rar!\x1a\x07\x01\x00"),
        ("application/vnd.microsoft.portable-executable", b"MZ\x90\x00\x03" + bytes(60)),
        ("image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"></svg>'),
        (
            "image/svg+xml",
            b'<?xml version="1.0"?>\n<!-- logo --><!DOCTYPE svg [<!ENTITY a "b">]><svg>',
        ),
        ("image/svg+xml", b"\xef\xbb\xbf  <s:svg xmlns:s='http://www.w3.org/2000/svg'/>"),
        ("image/svg+xml", "\ufeff<?xml version='1.0'?><svg/>".encode("utf-16-le")),
        ("application/xml", b'<?xml version="1.0"?><catalogue><svg/></catalogue>'),
        ("text/html", b"<!DOCTYPE html><html><body><svg/></body></html>"),
        ("text/html", b"<!doctype html>\n<meta charset=utf-8><main>Hello"),
        ("text/html", b"<script>alert(document.domain)</script>"),
        ("text/html", b" <!-- --><BODY onload='alert(1)'>"),
        ("application/xml", b'<?xml version="1.0"?><title>no HTML</title>'),
        ("text/plain", b"<catalogue/>"),
        ("text/plain", "Zoë was here\r\n".encode()),
        ("text/plain", b"BMW builds cars"),
        ("text/plain", b"MZ is a motorcycle"),
        ("text/plain", "\ufeffhello".encode("utf-16-be")),
        (UNKNOWN, b""),
        (UNKNOWN, bytes(100)),
        (UNKNOWN, b"caf\xe9 \x00\x01\x02"),
    ],
)
def test_type_by_content(media_type, data):
    assert detect(data, len(data)) == media_type


def test_a_letter_cut_off_by_the_head_is_still_text():
    text = ("x" + "ë" * HEAD_SIZE).encode()
    assert detect(text[:HEAD_SIZE], len(text)) == "text/plain"
    assert detect(text, len(text)) == "text/plain"
    assert detect(text[:10], 10) == UNKNOWN


@pytest.mark.parametrize("opening", [b"<?a?>", b"<!-- -->", b"<?", b"<!--", b"<!DOCTYPE ["])
def test_hostile_markup_is_read_in_one_go(opening):
    # With a backtracking expression this would not end.
    data = opening * (HEAD_SIZE // len(opening))
    assert detect(data, len(data)) in {"text/plain", "application/xml"}


@given(st.binary(max_size=600), st.integers(min_value=0, max_value=2**40))
def test_any_bytes_have_one_type(head, size):
    media_type = detect(head, size)
    assert media_type.count("/") == 1
    assert detect(head, size) == media_type
