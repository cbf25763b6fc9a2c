import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.intake.content_type import HEAD_SIZE, UNKNOWN, detect

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def box(brand: bytes) -> bytes:
    # Compatible brands of another type, which must not be taken for the file's own.
    return struct.pack(">I", 32) + b"ftyp" + brand + bytes(4) + b"isomiso2avc1mp41" + bytes(32)


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
        ("image/webp", b"RIFF\x24\x00\x00\x00WEBPVP8 "),
        ("image/webp", b"RIFF\x24\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"),
        ("image/gif", b"GIF89a\x01\x00\x01\x00"),
        ("image/gif", b"GIF87a\x01\x00\x01\x00"),
        ("image/bmp", b"BM\x46\x00\x00\x00\x00\x00\x00\x00"),
        ("image/jp2", b"\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 "),
        ("image/vnd.adobe.photoshop", b"8BPS\x00\x01" + bytes(20)),
        ("image/heic", box(b"heic")),
        ("image/avif", box(b"avif")),
        ("video/mp4", box(b"isom")),
        ("video/mp4", box(b"mp42")),
        ("video/mp4", box(b"new!")),
        ("video/quicktime", box(b"qt  ")),
        ("video/quicktime", b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat" + bytes(16)),
        ("video/x-msvideo", b"RIFF\x24\x00\x00\x00AVI LIST"),
        ("audio/vnd.wave", b"RIFF\x24\x00\x00\x00WAVEfmt "),
        ("audio/mpeg", b"ID3\x03\x00\x00\x00\x00\x00\x0f"),
        ("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
        ("application/pdf", b"%PDF-1.7\n1 0 obj\n"),
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
