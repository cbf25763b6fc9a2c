"""Honest files of programs that bend a format, within what the format allows."""

import base64
import io
import struct
import tarfile
import zipfile
import zlib

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import CLEAN, Cases

UNUSUAL = Cases("honest unusual")


def _extra(number: int, content: bytes, name: str = "a.txt") -> bytes:
    """A zip whose member has an extra field."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.extra = struct.pack("<2H", number, len(content)) + content
        archive.writestr(info, b"hello " * 50)
    return buffer.getvalue()


def _behind(stub: bytes) -> bytes:
    """A zip behind other bytes, with the places that count them."""
    buffer = io.BytesIO(stub)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py"), b"print('hello')\n" * 20)
    return buffer.getvalue()


def _signed_package() -> bytes:
    """An Android package, with the block of its signatures before the directory."""
    package = p.zipped(
        ("classes.dex", b"dex\n035\0" + p.noise(500)), ("a.png", p.sample("launch.png"))
    )
    place = package.index(b"PK\1\2")
    signatures = p.noise(4080)
    size = struct.pack("<Q", len(signatures) + 24)
    block = size + signatures + size + b"APK Sig Block 42"
    directory = bytearray(package[place:])
    struct.pack_into("<I", directory, directory.rindex(b"PK\5\6") + 16, place + len(block))
    return package[:place] + block + bytes(directory)


def _large_member() -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(zipfile.ZipInfo("a.txt"), "w", force_zip64=True) as member,
    ):
        member.write(b"hello " * 1000)
    return buffer.getvalue()


def _block(data: bytes) -> bytes:
    """A block of BGZF, the gzip of genomes."""
    packed = p.raw_deflated(data)
    head = b"\x1f\x8b\x08\4" + bytes(5) + b"\xff\6\0BC\2\0" + struct.pack("<H", len(packed) + 25)
    return head + packed + struct.pack("<2I", zlib.crc32(data), len(data))


def _tar_with(**headers: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("ü" * 120 + ".txt")
        info.size, info.mtime, info.pax_headers = 5, 1700000000.25, headers
        archive.addfile(info, io.BytesIO(b"hello"))
    return buffer.getvalue()


def _with_all_fields() -> bytes:
    text = b"hello " * 50
    head = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x08\0AB\4\0zzzz" + b"file.txt\0" + b"a comment\0"
    sums = struct.pack("<2I", zlib.crc32(text), len(text))
    return head + struct.pack("<H", zlib.crc32(head) & 0xFFFF) + p.raw_deflated(text) + sums


def _unusual() -> None:
    add = UNUSUAL.add
    name = b"\x84.txt".decode("cp437")
    path = b"\1" + struct.pack("<L", zlib.crc32(name.encode())) + name.encode()
    add("Android package with a block of signatures", CLEAN, _signed_package)
    add("program of Python in a zip", CLEAN, lambda: _behind(b"#!/usr/bin/env python3\n"))
    add(
        "zip that unpacks itself",
        CLEAN,
        lambda: b"#!/bin/sh\nunzip $0\nexit\n" + p.zipped(("a", b"hi " * 30)),
    )
    add("zip with the mark of a spanned zip", CLEAN, lambda: _behind(b"PK00"))
    add(
        "extension of a browser",
        CLEAN,
        lambda: b"Cr24\3\0\0\0\x2c\1\0\0" + p.noise(300) + p.zipped(("manifest.json", b"{}")),
    )
    add(
        "zip with times of Windows",
        CLEAN,
        lambda: _extra(0x000A, bytes(4) + b"\1\0\x18\0" + bytes(24)),
    )
    add("zip with padding for alignment", CLEAN, lambda: _extra(0xD935, b"\4" + bytes(5)))
    add("zip with a Unicode path", CLEAN, lambda: _extra(0x7075, path, name))
    add("zip with sizes of 64 bits", CLEAN, _large_member)
    add(
        "gzip of a genome", CLEAN, lambda: b"".join(map(_block, (b"ACGT" * 100, b"TTTT" * 80, b"")))
    )
    add(
        "gzip of 200 members",
        CLEAN,
        lambda: b"".join(p.gzipped(b"line %d\n" % one) for one in range(200)),
    )
    add("gzip with every field", CLEAN, _with_all_fields)
    add(
        "tar with attributes and broken seconds",
        CLEAN,
        lambda: _tar_with(**{"SCHILY.xattr.user.a": "b"}),
    )
    add("tar with its own size twice", CLEAN, lambda: _tar_with(size="5"))
    add("tar without an end", CLEAN, lambda: p.tarred(("a", b"hi"))[:1024])
    add(
        "tar in a tar in a tar",
        CLEAN,
        lambda: p.tarred(("a", p.tarred(("b", p.tarred(("c", b"hi")))))),
    )
    add("photo with a film behind", CLEAN, lambda: p.photo() + p.sample("clip.mp4"))
    add("two photos in one file", CLEAN, lambda: p.photo() * 2)
    add(
        "thumbnails in lines of JSON",
        CLEAN,
        lambda: b"".join(
            b'{"t":"%s"}\n' % base64.b64encode(p.noise(200, one)) for one in range(50)
        ),
    )
    add(
        "font of packed tables",
        CLEAN,
        lambda: b"wOFF\0\1\0\0" + bytes(36) + zlib.compress(p.noise(200) * 4),
    )
    add("pack of git", CLEAN, lambda: b"PACK\0\0\0\2\0\0\0\1" + zlib.compress(b"tree 0" * 50))
    add(
        "mail without a boundary",
        CLEAN,
        lambda: (
            b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=""\r\n\r\n'
            b"--\r\n\r\nhello\r\n"
        ),
    )


_unusual()
