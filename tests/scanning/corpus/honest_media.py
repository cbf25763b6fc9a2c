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
    add("WebAssembly", CLEAN, lambda: b"\0asm\1\0\0\0" + p.noise(300))
    add(
        "shortcut of a Mac (AppleDouble)",
        CLEAN,
        lambda: b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(60),
    )


_media()
_others()
