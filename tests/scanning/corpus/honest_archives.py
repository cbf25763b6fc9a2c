"""Honest archives that look odd, as ordinary programs write them."""

import bz2
import io
import lzma
import tarfile
import zipfile
from collections.abc import Buffer

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import CLEAN, Cases

ARCHIVES = Cases("honest archive")


class _Stream(io.RawIOBase):
    """A file that cannot seek, into which a zip is written with data descriptors."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        self.data += data
        return len(memoryview(data))


def _streamed(method: int) -> bytes:
    stream = _Stream()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in (("a.txt", b"hello " * 50), ("empty", b""), ("photo.jpg", p.photo())):
            with archive.open(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), "w") as member:
                member.write(data)
    return bytes(stream.data)


def _commented() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = b"Made by a camera. " * 20
        archive.writestr(zipfile.ZipInfo("a.jpg"), p.photo())
    return buffer.getvalue()


def _tar_links() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind in (
            ("dir", tarfile.DIRTYPE),
            ("link", tarfile.SYMTYPE),
            ("n" * 150, tarfile.REGTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "l" * 120 if kind == tarfile.SYMTYPE else ""
            archive.addfile(info)
    return buffer.getvalue()


def _archives() -> None:
    add = ARCHIVES.add
    add("zip with data descriptors", CLEAN, lambda: _streamed(zipfile.ZIP_DEFLATED))
    add("stored zip with data descriptors", CLEAN, lambda: _streamed(zipfile.ZIP_STORED))
    add("zip with a comment", CLEAN, _commented)
    add("empty zip", CLEAN, p.zipped)
    add("zip with an empty member and folders", CLEAN, lambda: p.zipped(("a/", b""), ("a/b", b"")))
    add(
        "zip in a zip, stored",
        CLEAN,
        lambda: p.zipped(("a.zip", p.zipped(("b.jpg", p.photo()))), method=zipfile.ZIP_STORED),
    )
    add(
        "zip from a Mac",
        CLEAN,
        lambda: p.zipped(
            ("a.jpg", p.photo()), ("__MACOSX/._a.jpg", b"\0\5\x16\7\0\2\0\0" + bytes(80))
        ),
    )
    add("zip with a name in Japanese", CLEAN, lambda: p.zipped(("写真.jpg", p.photo())))
    add(
        "Java archive",
        CLEAN,
        lambda: p.zipped(
            ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n"),
            ("A.class", b"\xca\xfe\xba\xbe\0\0\0\x34" + p.noise(300)),
        ),
    )
    for form, name in (
        (tarfile.PAX_FORMAT, "pax"),
        (tarfile.GNU_FORMAT, "GNU"),
        (tarfile.USTAR_FORMAT, "ustar"),
    ):
        add(
            f"tar, {name}",
            CLEAN,
            lambda form=form: p.tarred(("Grüße.txt", b"hi"), ("a.jpg", p.photo()), form=form),
        )
    add("tar with links and long names", CLEAN, _tar_links)
    add(
        "tar.gz of photos",
        CLEAN,
        lambda: p.gzipped(p.tarred(("a.jpg", p.photo()), ("b.png", p.sample("launch.png")))),
    )
    add("gzip of two members", CLEAN, lambda: p.gzipped(b"one ") + p.gzipped(b"two"))
    add("gzip with zeros behind", CLEAN, lambda: p.gzipped(b"one " * 99) + bytes(512))
    add("bzip2 of two streams", CLEAN, lambda: bz2.compress(b"one") + bz2.compress(b"two"))
    add("xz with padding", CLEAN, lambda: lzma.compress(b"one " * 99) + bytes(8))
    add(
        "Debian package",
        CLEAN,
        lambda: p.ar(
            ("debian-binary", b"2.0\n"),
            ("control.tar.gz", p.gzipped(p.tarred(("control", b"Package: a\n")))),
            ("data.tar.xz", lzma.compress(p.tarred(("usr/a.jpg", p.photo())))),
        ),
    )
    rows = lzma.compress(lzma.compress(b"rows of a table " * 99))
    package = p.gzipped(p.tarred(("inst/a.rds.gz", p.gzipped(rows))))
    add(
        "Debian package of R, with tables and a package within",
        CLEAN,
        lambda: p.ar(("data.tar.xz", lzma.compress(p.tarred(("a.rds", rows), ("b", package))))),
    )
    add(
        "resources of a browser, of 3,000 gzips",
        CLEAN,
        lambda: b"\5\0\0\0\1" + b"".join(p.gzipped(b"text %d" % one) for one in range(3000)),
    )
    add(
        "static library",
        CLEAN,
        lambda: p.ar(("/", bytes(4)), ("a.o", b"\x7fELF\2\1\1" + p.noise(300))),
    )
    add(
        "packed initramfs",
        CLEAN,
        lambda: p.gzipped(p.cpio("newc", ("init", b"#!/bin/sh\n"), ("bin/a", p.noise(99)))),
    )
    add(
        "disc of photos, with Joliet",
        CLEAN,
        lambda: p.iso([p.photo(), p.sample("launch.png")], joliet=True),
    )


_archives()
