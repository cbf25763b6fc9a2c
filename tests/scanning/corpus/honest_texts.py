"""Honest texts that look odd."""

import base64
import binascii
import json
import random

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import CLEAN, Cases

TEXTS = Cases("honest text")


def _texts() -> None:
    add = TEXTS.add
    words = [
        "the",
        "quick",
        "brown",
        "fox",
        "jumps",
        "over",
        "lazy",
        "dogs",
        "without",
        "much",
        "ado",
        "and",
        "then",
        "rests",
    ]
    prose = " ".join(random.Random(2).choice(words) for _ in range(30_000)).encode()
    add("prose", CLEAN, lambda: prose)
    add("prose in lines", CLEAN, lambda: prose.replace(b" ", b"\n"))
    add("prose in UTF-16", CLEAN, lambda: prose[:9000].decode().encode("utf-16"))
    add(
        "prose in Latin-1", CLEAN, lambda: "Grüße aus Zürich, naïve façade. ".encode("latin-1") * 99
    )
    add(
        "list of 20,000 hashes",
        CLEAN,
        lambda: b"".join(
            b"%s  photo%d.jpg\n" % (binascii.hexlify(p.noise(32, n)), n) for n in range(20_000)
        ),
    )
    add("word list", CLEAN, lambda: b"\n".join(b"word%d" % n for n in range(40_000)))
    add(
        "text about archives",
        CLEAN,
        lambda: (
            b"Signatures: Rar! 7z PK xar! !<arch> MSCF LHA -lh5- koly "
            b"070701 hsqs CD001 %PDF-1.7 begin 644 file\n" * 20
        ),
    )
    add("text that begins like lzip", CLEAN, lambda: b"LZIPPY is a dog. " * 20)
    add("source of a scanner", CLEAN, lambda: p.sample("make.py"))
    add("minified script", CLEAN, lambda: b"function a(b){return b+1};var c='data:';" * 400)
    add(
        "style sheet with a font",
        CLEAN,
        lambda: (
            b"@font-face{src:url(data:font/woff2;base64,"
            + base64.b64encode(b"wOF2" + p.noise(9000))
            + b")}"
        ),
    )
    add(
        "style sheet with an escaped drawing",
        CLEAN,
        lambda: (
            b"a{background:url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'%3E"
            b"%3Cpath d='M0 0'/%3E%3C/svg%3E\")}" * 30
        ),
    )
    add(
        "page with a photo",
        CLEAN,
        lambda: (
            b"<!DOCTYPE html><html><body>&Auml;<img src='data:image/jpeg;base64,"
            + base64.b64encode(p.photo())
            + b"'></body></html>"
        ),
    )
    add(
        "JSON with a photo",
        CLEAN,
        lambda: json.dumps({"photo": base64.b64encode(p.photo()).decode(), "n": 1}).encode(),
    )
    add(
        "tokens (JWT)",
        CLEAN,
        lambda: b"\n".join(
            b".".join(base64.urlsafe_b64encode(p.noise(200, n + k)) for k in range(3))
            for n in range(50)
        ),
    )
    add(
        "certificate",
        CLEAN,
        lambda: (
            b"-----BEGIN CERTIFICATE-----\n"
            + base64.encodebytes(b"0\x82\3\1" + p.noise(769))
            + b"-----END CERTIFICATE-----\n"
        ),
    )
    add("uuencoded photo", CLEAN, lambda: p.uuencoded(p.photo()))
    add(
        "log",
        CLEAN,
        lambda: b"".join(
            b"2024-01-01T00:00:%02dZ GET /a?data:%d,x&b=%%d 200\n" % (n % 60, n)
            for n in range(5000)
        ),
    )
    add(
        "CSV",
        CLEAN,
        lambda: (
            b"name,hash\n"
            + b"".join(b"a%d,%s\n" % (n, base64.b64encode(p.noise(24, n))) for n in range(3000))
        ),
    )
    add(
        "YAML with a photo",
        CLEAN,
        lambda: (
            b"photo: !!binary |\n"
            + b"".join(b"  " + line + b"\n" for line in base64.encodebytes(p.photo()).split())
        ),
    )
    add(
        "translation catalogue",
        CLEAN,
        lambda: (
            b'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
            b'"Content-Transfer-Encoding: 8bit\\n"\n' * 3
        ),
    )


_texts()
