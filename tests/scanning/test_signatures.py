"""The bundled rules: each finds what it is for, in any chunks, and nothing in ordinary files."""

import io
import json
import subprocess
import zipfile
from pathlib import Path

import exiv2
import pytest

from samples.eicar import eicar
from shared.scanning.scanner import Findings
from shared.scanning.yara import Signatures

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
MANIFEST = json.loads((SAMPLES / "manifest.json").read_text(encoding="utf-8"))["samples"]
CLEAN = Findings()

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(600)
PDF = b"%PDF-1.7\n1 0 obj\n"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'>"
SHORTCUT = b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0F"
PE = (
    b"MZ"
    + bytes(76)
    + b"This program cannot be run in DO"
    + b"S mode.\r\r\n$"
    + bytes(40)
    + b"PE\0\0"
)
ELF = b"\x7fE" + b"LF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0\x01\0\0\0"

# Put together from parts, so that no scanner takes this file for one of them.
ATTACKS = [
    ("asp_web_shell", b'<%@ Page Language="Jscript"%><%ev' + b'al(Request.Item["x"],"unsafe");%>'),
    ("asp_web_shell", b"<%ex" + b'ecute request("x")%>'),
    ("jsp_web_shell", b"<% Runtime.getRun" + b'time().exec(request.getParameter("x")); %>'),
    ("phar_in_media", JPEG + b"<?php echo 1; __HALT_COM" + b"PILER(); ?>"),
    (
        "pdf_launches_interpreter",
        PDF + b"<< /S /Launch /Win << /F (c" + b"md.exe) >> >>",
    ),
    ("pdf_launches_interpreter", PDF + b"<</S/Launch/F(/bin/" + b"sh)>>"),
    (
        "word_dde_command",
        b"<w:instrText> DDEA" + rb"UTO c:\\windows\\system32\\cmd.exe '/k calc' </w:instrText>",
    ),
    ("msdt_command", b"ms-msdt:/id PCWDiagnostic /param 'IT_Browse" + b"ForFile=$(x)'"),
    ("shortcut_to_interpreter", SHORTCUT + bytes(900) + "PowerShell -w 1".encode("utf-16-le")),
    ("shortcut_to_interpreter", SHORTCUT + bytes(3990) + b"cmd.exe"),
    ("windows_program_in_media", JPEG + PE),
    ("windows_program_in_media", b"GIF89a" + bytes(900) + PE + bytes(20)),
    ("linux_program_in_media", JPEG + ELF),
    ("svg_file_smuggling", SVG + b"<script>u=URL.createObj" + b"ectURL(b)</script></svg>"),
    ("svg_file_smuggling", SVG + b"<script>navigator.msSaveOr" + b"OpenBlob(b)</script></svg>"),
    (
        "xml_local_entity",
        b"<!DOCTYPE svg [<!ENTITY x SYS" + b'TEM "file:///etc/passwd">]><svg/>',
    ),
    ("imagemagick_pseudo_protocol", SVG + b"<image xlink:href='ms" + b"l:/tmp/x.gif'/></svg>"),
    ("imagemagick_pseudo_protocol", SVG + b'<image href="te' + b'xt:/etc/passwd"/></svg>'),
]


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


def scan(scanner: Signatures, *chunks: bytes) -> Findings:
    running = scanner.begin()
    for chunk in chunks:
        running.feed(chunk)
    return running.finish(io.BytesIO(b"".join(chunks)))


def packed(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", b"A harmless text. " * 40)
        archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "attack"), ATTACKS)
def test_finds_what_it_is_for(scanner, name, attack):
    found = Findings((name,))
    assert scan(scanner, attack) == found
    assert scan(scanner, packed("a", attack)) == found
    # After the first chunk, in which its type is told.
    far = attack[:40] + b" " * 20_000 + attack[40:] if attack.startswith(JPEG) else attack
    for split in range(1, len(far), max(1, len(far) // 20)):
        assert scan(scanner, far[:split], far[split:]) == found


@pytest.mark.parametrize(
    "harmless",
    [
        # Of another type than that in which it would be an attack.
        PE,
        packed("setup.exe", PE),
        ELF,
        b"<html><script>a.href=URL.createObj" + b"ectURL(b)</script></html>",
        b"<?php echo 1; __HALT_COM" + b"PILER(); ?>",
        # Ordinary, and alike.
        JPEG + b"MZ" + bytes(100) + b"PE\0\0",
        SVG + b"<script>alert(1)</script><a href='https://example.com/text:/x'/></svg>",
        SVG + b"<text>createObjectURL makes a URL</text></svg>",
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd" [<!ENTITY a "b">]><svg/>',
        PDF + b"<< /S /Launch /F (brochure.pdf) >>",
        PDF + b"<< /S /JavaScript /JS (app.alert('cmd')) >>",
        b"<% if request('a') then response.write('eval') %>",
        b"Run cmd.exe or PowerShell, or a program with ms-msdt: links.",
        b"<w:instrText> MERGEFIELD cmd </w:instrText>",
        SHORTCUT + bytes(300) + "C:\\Photos\\a.jpg".encode("utf-16-le"),
        SHORTCUT + bytes(5000) + b"cmd.exe",
        b"In Java, getRuntime().exec starts a program; request.getParameter reads one.",
    ],
)
def test_leaves_the_ordinary_alone(scanner, harmless):
    assert scan(scanner, harmless) == CLEAN


@pytest.mark.parametrize("sample", MANIFEST, ids=lambda sample: sample["file"])
def test_photos_are_clean_alone_and_packed(scanner, sample):
    data = (SAMPLES / sample["file"]).read_bytes()
    assert scan(scanner, data) == scan(scanner, packed(sample["file"], data)) == CLEAN


def test_nothing_in_this_repository_is_found(scanner):
    """Texts and programs about all of this, and none of it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    paths = [ROOT / name.decode() for name in listed if name]
    found = {
        path.name: matches
        for path in paths
        if path.is_file() and (matches := scan(scanner, path.read_bytes()).matches)
    }
    assert len(paths) > 100
    assert found == {}


EXIF, IPTC, XMP = "exifData", "iptcData", "xmpData"


@pytest.mark.parametrize(
    ("file", "kind", "key"),
    [
        (file, kind, key)
        for kind, key, files in (
            (EXIF, "Exif.Photo.UserComment", "cat.jpg launch.png astronaut.tif coffee.webp"),
            (EXIF, "Exif.Image.ImageDescription", "cat.jpg launch.png astronaut.tif coffee.webp"),
            (XMP, "Xmp.dc.description", "cat.jpg launch.png astronaut.tif coffee.webp"),
            # WebP has no place for it.
            (IPTC, "Iptc.Application2.Caption", "cat.jpg launch.png astronaut.tif"),
        )
        for file in files.split()
    ],
)
def test_the_test_file_is_found_in_a_pictures_metadata(scanner, file, kind, key):
    image = exiv2.ImageFactory.open((SAMPLES / file).read_bytes())
    image.readMetadata()
    getattr(image, kind)()[key] = eicar().decode()
    image.writeMetadata()
    picture = bytes(image.io().mmap())
    found = Findings(("eicar_test_file",))
    assert scan(scanner, packed(file, picture)) == scan(scanner, picture) == found


def test_rules_of_a_file_are_for_the_same_types(tmp_path):
    rule = (
        'rule {} {{ meta: date = "2026-01-02" reach = 5 within = "{}" '
        'strings: $a = "hello" condition: any of them }}'
    )
    (tmp_path / "a.yar").write_text(rule.format("a", "image/") + rule.format("b", "audio/"))
    with pytest.raises(ValueError, match="same media types"):
        Signatures(tmp_path)
