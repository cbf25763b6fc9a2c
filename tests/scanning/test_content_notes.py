"""Notes on what may do harm where it is served: not a verdict, and none too many."""

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest

from samples.eicar import eicar_zip
from shared.intake.inspection import Pass
from shared.intake.rules import Filing, decide
from shared.scanning.content_notes import (
    ACTIVE_CONTENT,
    POLYGLOT,
    ContentNotes,
    not_examined_notes,
)
from shared.scanning.content_type import detect
from shared.scanning.scanner import NotExamined
from shared.scanning.yara import Signatures

SAMPLES = Path(__file__).parents[2] / "samples"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["samples"]
SVG = "<svg xmlns='http://www.w3.org/2000/svg'>{}</svg>"
PDF = b"%PDF-1.7\n1 0 obj\n"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
ACTIVE, TWO = (ACTIVE_CONTENT,), (POLYGLOT,)


def notes(data: bytes, *, splits: int = 1) -> tuple[str, ...]:
    taking = ContentNotes(detect(data, len(data)), data)
    step = max(1, -(-len(data) // splits))
    for start in range(0, len(data), step):
        taking.feed(data[start : start + step])
    return taking.finish(io.BytesIO(data), [])


def svg(inside: str, encoding: str = "utf-8") -> bytes:
    return SVG.format(inside).encode(encoding)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "text " * 50)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        (ACTIVE, svg("<script>alert(1)</script>")),
        (ACTIVE, svg("<SCRIPT href='x.js'/>")),
        (ACTIVE, svg("<svg:script/>")),
        (ACTIVE, svg("<rect onload='x()'/>")),
        (ACTIVE, svg('<rect width="1"onclick = "x()"/>')),
        (ACTIVE, svg("<a href='javascript:x()'>a</a>")),
        (ACTIVE, svg("<foreignObject><iframe src='x'/></foreignObject>")),
        (ACTIVE, svg("\ufeff<script/>", "utf-16")),
        ((), svg("<text>on = off, a script, JavaScript</text>")),
        ((), svg("<g id='onion'><path d='M0 0'/></g>")),
        ((), svg("<foreignObject><p>a label</p></foreignObject>")),
        (ACTIVE, b"<!DOCTYPE html><html><body>text</body></html>"),
        (ACTIVE, PDF + b"<< /S /JavaScript /JS (app.alert(1)) >>"),
        (ACTIVE, PDF + b"<< /S /Launch /F (brochure.pdf) >>"),
        ((), PDF + b"<< /S /GoTo /D [1 0 R /Fit] >> (JavaScript)"),
        (ACTIVE, zipped("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")),
        ((), zipped("[Content_Types].xml", "word/document.xml")),
        (ACTIVE, zipped("a.txt", "b/vbaProject.bin")),
        (ACTIVE, OLE + "_VBA_PROJECT".encode("utf-16-le") + bytes(99)),
        ((), OLE),
        ((), b"A text on <script> and JavaScript: and vbaProject.bin"),
        ((), JPEG + b"<script>"),
        (TWO, JPEG + bytes(900) + zipped("a.txt")),
        (TWO, PDF + zipped("a.txt")),
        ((ACTIVE_CONTENT, POLYGLOT), PDF + b"/S /JavaScript" + eicar_zip()),
        (TWO, JPEG + b"%PDF-1.4\n1 0 obj\n"),
        (TWO, b"GIF89a/*\x01\x00*/=1;alert(1)//"),
        ((), b"GIF89a\x01\x00\x01\x00"),
        ((), b"\r\n%PDF-1.4\n1 0 obj\n"),
        ((), b"A text on %PDF-1.4"),
        ((), JPEG + bytes(100) + b"PK\x05\x06" + bytes(range(200))),
    ],
)
def test_notes(expected, data):
    assert notes(data) == expected
    assert notes(data, splits=7) == expected


def test_a_giant_directory_counts_and_is_not_read():
    directory = b"PK\x01\x02" + bytes(42) + b"x" * (8 * 1024 * 1024)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), len(JPEG), 0)
    assert notes(JPEG + directory + end) == TWO


@pytest.mark.parametrize("sample", MANIFEST, ids=lambda sample: sample["file"])
def test_samples_are_noted_for_what_they_hold(sample):
    data = (SAMPLES / sample["file"]).read_bytes()
    script = sample["media_type"] == "image/svg+xml" and b"<script" in data
    assert notes(data) == (ACTIVE if script else ())


def test_a_drawing_with_a_script_is_cleared_with_the_note():
    data = svg("<script>alert(1)</script>")
    with Pass([Signatures().begin()], len(data)) as inspecting:
        inspecting.feed(data)
        inspection = inspecting.finish()
    assert decide(inspection) == Filing("clean", None)
    assert inspection.content_notes == ACTIVE


def test_parts_that_were_not_examined_are_noted_with_their_place():
    part = NotExamined("encrypted-attachment", "object 12")
    assert not_examined_notes([]) == ()
    assert not_examined_notes([part, part]) == ("not-examined: encrypted-attachment, object 12",)
    many = [NotExamined("attachment", f"object {number}") for number in range(30)]
    assert len(not_examined_notes(many)) == 21
    assert not_examined_notes(many)[-1] == "not-examined: further parts"
