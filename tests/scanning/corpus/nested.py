"""Carriers within carriers, in orders that nobody packs, and texts within pictures and music."""

import base64
import binascii
import lzma
import quopri
import struct
import zlib
from bz2 import compress as bzip2

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import INFECTED, Cases

NESTED = Cases("nested")


def _chunked(kind: bytes, data: bytes) -> bytes:
    """A PNG with a chunk right behind the header."""
    picture = p.sample("launch.png")
    chunk = kind + data
    packed = struct.pack(">L", len(data)) + chunk + struct.pack(">L", zlib.crc32(chunk))
    return picture[:33] + packed + picture[33:]


def _described(text: bytes) -> bytes:
    """A JPEG with XMP."""
    photo = p.photo()
    packet = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + text + b"</x:xmpmeta>"
    return photo[:2] + b"\xff\xe1" + struct.pack(">H", len(packet) + 2) + packet + photo[2:]


def _linked(kind: bytes, data: bytes) -> bytes:
    link = b"data:" + kind + b";base64," + base64.b64encode(data)
    return b'<svg xmlns="http://www.w3.org/2000/svg"><image href="' + link + b'"/></svg>'


def _nested() -> None:
    add = NESTED.add
    coded = base64.b64encode(p.virus_zip())
    letter = p.mail(p.mail_part(p.virus()))

    add(
        "mail in a zip in a mail",
        INFECTED,
        lambda: p.mail(p.mail_part(p.zipped(("a.eml", letter)))),
    )
    add(
        "web archive with a data URI in quoted-printable",
        INFECTED,
        lambda: (
            b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            + quopri.encodestring(b'<a href="data:application/zip;base64,' + coded + b'">')
        ),
    )
    add(
        "calendar with an attachment in folded lines",
        INFECTED,
        lambda: (
            b"BEGIN:VCALENDAR\r\nATTACH;ENCODING=BASE64;VALUE=BINARY:"
            + b"\r\n ".join(coded[at : at + 74] for at in range(0, len(coded), 74))
            + b"\r\nEND:VCALENDAR\r\n"
        ),
    )
    add("PDF in a PDF", INFECTED, lambda: _pdf(_pdf(p.virus())))
    add("zip in a zip in a PDF", INFECTED, lambda: _pdf(p.zipped(("a.zip", p.virus_zip()))))
    add("mail in a PDF", INFECTED, lambda: _pdf(letter))
    add(
        "PDF in a zip in a compound file",
        INFECTED,
        lambda: p.ole({"Package": p.zipped(("a.pdf", _pdf(p.virus())))}),
    )
    add(
        "package of a compound file in a document",
        INFECTED,
        lambda: p.zipped(
            ("[Content_Types].xml", b"<Types/>"),
            ("word/embeddings/a.bin", p.ole({"\1Ole10Native": p.packaged(p.virus_zip())})),
        ),
    )
    add(
        "disc image in a gzip in a zip",
        INFECTED,
        lambda: p.zipped(("a.iso.gz", p.gzipped(p.iso([p.virus()])))),
    )
    add(
        "bzip2 in an xz in a gzip in a tar",
        INFECTED,
        lambda: p.tarred(("a.gz", p.gzipped(lzma.compress(bzip2(p.virus()))))),
    )
    add(
        "drawing in a drawing",
        INFECTED,
        lambda: _linked(b"image/svg+xml", _linked(b"x/y", p.virus_zip())),
    )
    add("packed drawing", INFECTED, lambda: p.gzipped(_linked(b"image/png", p.virus_zip())))
    add(
        "RTF in a zip in a mail",
        INFECTED,
        lambda: p.mail(
            p.mail_part(
                p.zipped(
                    (
                        "a.rtf",
                        b"{\\rtf1{\\object\\objdata " + binascii.hexlify(p.virus_zip()) + b"}}",
                    )
                )
            )
        ),
    )
    add("TNEF with a zip in a mail", INFECTED, lambda: p.mail(p.mail_part(p.tnef(p.virus_zip()))))
    add(
        "PNG with a zip in a packed text",
        INFECTED,
        lambda: _chunked(b"zTXt", b"a\0\0" + zlib.compress(p.virus_zip())),
    )
    add(
        "PNG with a PDF in the profile",
        INFECTED,
        lambda: _chunked(b"iCCP", b"a\0\0" + zlib.compress(_pdf(p.virus()))),
    )
    add("PNG with base64 in a text", INFECTED, lambda: _chunked(b"tEXt", b"chara\0" + coded))
    add(
        "PNG with base64 in a packed text",
        INFECTED,
        lambda: _chunked(b"zTXt", b"a\0\0" + zlib.compress(coded)),
    )
    add(
        "PNG with base64 in XMP",
        INFECTED,
        lambda: _chunked(b"iTXt", b"a\0\0\0\0\0<a>" + coded + b"</a>"),
    )
    add(
        "JPEG with base64 in XMP",
        INFECTED,
        lambda: _described(b"<xmpGImg:image>" + coded + b"</xmpGImg:image>"),
    )
    add(
        "JPEG with two texts of XMP",
        INFECTED,
        lambda: _described(b"a") + b"<x:xmpmeta><a b='" + coded + b"'/></x:xmpmeta>",
    )
    add(
        "Ogg with a cover in base64",
        INFECTED,
        lambda: (
            b"OggS\0\2"
            + bytes(20)
            + b"\1vorbis"
            + b"metadata_block_picture="
            + coded
            + b"\1"
            + p.noise(99)
        ),
    )
    add("MP4 with a gzip in a box", INFECTED, lambda: _boxed(p.gzipped(p.virus())))


def _pdf(data: bytes) -> bytes:
    return p.attached(b"/Filter/FlateDecode", zlib.compress(data))


def _boxed(data: bytes) -> bytes:
    boxes = (b"ftyp", b"isom\0\0\0\0isom"), (b"uuid", bytes(16) + data), (b"mdat", p.noise(400))
    return b"".join(struct.pack(">L", 8 + len(body)) + kind + body for kind, body in boxes)


_nested()
