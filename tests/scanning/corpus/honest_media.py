"""Honest pictures, films and other files that look odd."""

import base64
import struct
import zlib

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import CLEAN, Cases

MEDIA = Cases("honest media")
OTHERS = Cases("honest other")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _media() -> None:
    add = MEDIA.add
    for name in (
        "cat.jpg",
        "cat.heic",
        "coffee.avif",
        "coffee.webp",
        "layers.psd",
        "pages.tif",
        "raw.dng",
        "clip.mov",
        "clip.mp4",
        "poster.svg",
        "launch.png",
    ):
        add(name, CLEAN, lambda name=name: p.sample(name))
    add("photo with zeros behind", CLEAN, lambda: p.photo() + bytes(70_000))
    add(
        "photo behind a photo (motion, stereo)",
        CLEAN,
        lambda: p.photo() + p.sample("clip.mp4") + p.photo(),
    )
    add(
        "noise of 8 MiB, with marks by chance",
        CLEAN,
        lambda: (
            p.noise(1 << 22)
            + b"\x1f\x8b\x08"
            + p.noise(99)
            + b"PK\3\4"
            + p.noise(99)
            + b"BZh"
            + p.noise(1 << 22)
            + b"Rar!"
            + p.noise(50)
        ),
    )
    add(
        "PNG with a packed profile and text",
        CLEAN,
        lambda: (
            p.sample("launch.png")[:33]
            + _chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(p.noise(500)))
            + _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"hello " * 99))
            + p.sample("launch.png")[33:]
        ),
    )
    add("packed SVG", CLEAN, lambda: p.gzipped(p.sample("poster.svg")))
    add(
        "SVG with an embedded photo",
        CLEAN,
        lambda: (
            b'<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/jpeg;base64,'
            + base64.b64encode(p.photo())
            + b'"/></svg>'
        ),
    )
    add(
        "WAV",
        CLEAN,
        lambda: (
            b"RIFF"
            + struct.pack("<I", 1036)
            + b"WAVEfmt \x10\0\0\0\1\0\1\0\x44\xac\0\0\x88\x58\1\0\2\0\x10\0data\0\4\0\0"
            + p.noise(1024)
        ),
    )
    add(
        "BMP",
        CLEAN,
        lambda: (
            b"BM"
            + struct.pack("<IHHI", 1078, 0, 0, 54)
            + struct.pack("<IiiHH", 40, 16, 16, 1, 24)
            + bytes(24)
            + p.noise(768)
        ),
    )
    add("WOFF", CLEAN, lambda: b"wOFF\0\1\0\0" + p.noise(900))
    add("Flash of drawings", CLEAN, lambda: p.swf(b"\x78\0\x05\x5f\0\0\x0f\xa0" + bytes(200)))
    add(
        "GIF with a comment",
        CLEAN,
        lambda: (
            b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
            b"!\xfe\x0cbegin 644 a \0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
        ),
    )


# Marks of archives among numbers and text, as programs hold the marks.
_MARKS_IN_PROGRAMS = {
    "7zz": b"7z\xbc\xaf\x27\x1c\0\x008W(" + bytes(5) + b"HW(" + bytes(5) + b"8z\xbc\xaf\x27\x1c",
    "libarchive": b"Rar!\x1a\7\1\0H9\x10u,\xb8\x1e\0\0\0H\x8bT$\x08dH+\x14%(\0\0\0"
    b"xar!\0\x1c\0\1encryption\0traditional\0z",
    "kubectl": b"Rar!\x1a\7\0\0</code>\0<table>\0<thead>\0Rar!\x1a\7\1\0\0\xca\x9a;" + bytes(15),
    "chromedriver": b"0<Rar!\x1a\7" + bytes(6) + b"\x9a\x99\xb9?+\x86\xab\3\xe0\xd3v@xsaveopt",
    "the types of file": b"Rar!\x1a\7\1" + bytes(99) + b"MSCF" + bytes(99) + b"7z\xbc\xaf\x27\x1c"
    + bytes(99) + b"Rar!\x1a\7" + bytes(99) + b"-lh5-" + bytes(99),
    "libxmp": b"\xfe\xff-lhd-\0\xfd7zXZ" + bytes(300),
    "the cache of MIME types": b"7z\xbc\xaf\x27\x1c\0\0**ACE**\0\x1a\x08\0\0\xff\xff\x80\x80\x1a",
}  # fmt: skip


def _others() -> None:
    add = OTHERS.add
    add("empty file", CLEAN, lambda: b"")
    add("one byte", CLEAN, lambda: b"x")
    add("zeros", CLEAN, lambda: bytes(100_000))
    add("noise", CLEAN, lambda: p.noise(100_000, 3))
    add("every byte", CLEAN, lambda: bytes(range(256)) * 99)
    add(
        "database",
        CLEAN,
        lambda: b"SQLite format 3\0\x10\0\1\1\0\x40\x20\x20" + bytes(4072) + b"photo" * 99,
    )
    add(
        "program for Windows",
        CLEAN,
        lambda: (
            b"MZ\x90\0\3"
            + bytes(55)
            + struct.pack("<I", 128)
            + bytes(64)
            + b"PE\0\0\x64\x86"
            + p.noise(900)
        ),
    )
    add(
        "program for Linux",
        CLEAN,
        lambda: b"\x7fELF\2\1\1" + bytes(9) + b"\2\0\x3e\0\1\0\0\0" + p.noise(900),
    )
    for name, marks in _MARKS_IN_PROGRAMS.items():
        add(
            f"program with the marks of archives, as in {name}",
            CLEAN,
            lambda marks=marks: b"\x7fELF\2\1\1" + bytes(900) + marks + p.noise(900),
        )
    matrix = struct.pack("<5I", 0, 2, 1, 0, 11) + b"fit_params\0" + p.noise(16)
    add("matrix of MATLAB 4", CLEAN, lambda: matrix)
    add("table of numbers", CLEAN, lambda: b"\1\0\0\2" + bytes(1020))
    # The signed sum of the numbers, as of the header of an old tar, is zero.
    numbers = bytes(2) + b"\x80\x80" + bytes(144) + b"\0q" * 4 + bytes(1044)
    add("numbers like an old tar", CLEAN, lambda: numbers)
    add("WebAssembly", CLEAN, lambda: b"\0asm\1\0\0\0" + p.noise(300))
    add(
        "shortcut of a Mac (AppleDouble)",
        CLEAN,
        lambda: b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(60),
    )


_media()
_others()
