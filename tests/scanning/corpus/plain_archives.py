"""Disc images, ar and cpio whose members carry the test file."""

import bz2
import lzma
import zlib

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import INFECTED, Cases

PLAIN = Cases("disc, ar, cpio")


def _plain() -> None:
    add = PLAIN.add
    add(
        "disc with a packed mail",
        INFECTED,
        lambda: p.iso([b"read me", p.mail(p.mail_part(p.lines_of_base64(p.virus_zip())))]),
    )
    add(
        "disc whose Joliet tree alone has the file",
        INFECTED,
        lambda: p.iso([p.gzipped(p.virus())], joliet=True, hidden=True),
    )
    add(
        "disc with a PDF, in a zip",
        INFECTED,
        lambda: p.zipped(("a.iso", p.iso([p.attached(b"/Filter/Fl", zlib.compress(p.virus()))]))),
    )
    add("disc behind 2,048 bytes", INFECTED, lambda: bytes(2048) + p.iso([p.gzipped(p.virus())]))
    add(
        "Debian package",
        INFECTED,
        lambda: p.ar(
            ("debian-binary", b"2.0\n"),
            ("control.tar.gz", p.gzipped(p.tarred(("control", b"")))),
            ("data.tar.xz", lzma.compress(p.tarred(("a.com", p.virus())))),
        ),
    )
    add(
        "ar with bzip2", INFECTED, lambda: p.ar(("odd", b"abc"), ("a.bz2", bz2.compress(p.virus())))
    )
    for form in ("newc", "odc", "bin"):
        add(
            f"cpio, {form}",
            INFECTED,
            lambda form=form: p.cpio(form, ("a", b"abc"), ("a.xz", lzma.compress(p.virus()))),
        )
    add("packed cpio", INFECTED, lambda: p.gzipped(p.cpio("newc", ("a.gz", p.gzipped(p.virus())))))
    add(
        "cpio behind a photo",
        INFECTED,
        lambda: (
            p.photo() + p.cpio("newc", ("m.eml", p.mail(p.mail_part(p.lines_of_base64(p.virus())))))
        ),
    )


_plain()
