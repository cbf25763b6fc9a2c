"""Texts, RTF and Flash that carry the test file, encoded."""

import base64
import binascii

from samples.eicar import eicar
from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import INFECTED, Cases

TEXT = Cases("text")


def _texts() -> None:
    add = TEXT.add
    packed = base64.b64encode(p.virus_zip())
    plain = base64.b64encode(p.virus())
    add(
        "data URI in HTML",
        INFECTED,
        lambda: (
            b"<html><body><a href='data:application/zip;base64," + packed + b"'>x</a></body></html>"
        ),
    )
    add(
        "data URI in SVG",
        INFECTED,
        lambda: (
            b'<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/png;base64,'
            + plain
            + b'"/></svg>'
        ),
    )
    add(
        "data URI in CSS, with line ends",
        INFECTED,
        lambda: (
            b"a{background:url(data:font/woff;base64,\n"
            + b"\n".join(plain[at : at + 60] for at in range(0, len(plain), 60))
            + b")}"
        ),
    )
    add(
        "data URI, escaped",
        INFECTED,
        lambda: (
            b"<svg><image href='data:;base64,"
            + plain.replace(b"+", b"%2B").replace(b"/", b"%2F").replace(b"=", b"%3D")
            + b"'/></svg>"
        ),
    )
    add(
        "data URI in percents",
        INFECTED,
        lambda: (
            b"<html><a href='data:text/plain,"
            + b"".join(b"%%%02x" % one for one in p.virus())
            + b"'>"
        ),
    )
    add(
        "data URI in entities",
        INFECTED,
        lambda: (
            b"<html><a href='data:text/plain;base64,"
            + b"".join(b"&#%d;" % one for one in plain)
            + b"'>"
        ),
    )
    add(
        "HTML in UTF-16",
        INFECTED,
        lambda: (
            "<html><a href='data:application/zip;base64," + packed.decode() + "'>x</a>"
        ).encode("utf-16"),
    )
    add(
        "packed SVG",
        INFECTED,
        lambda: p.gzipped(b"<svg><image href='data:image/png;base64," + plain + b"'/></svg>"),
    )
    add("blob in JSON", INFECTED, lambda: b'{"file": "' + packed.replace(b"/", b"\\/") + b'"}')
    add(
        "blob in JSON with line ends",
        INFECTED,
        lambda: (
            b'{"file": "'
            + b"\\n".join(packed[at : at + 76] for at in range(0, len(packed), 76))
            + b'"}'
        ),
    )
    add(
        "blob in XML with CR as entities",
        INFECTED,
        lambda: (
            b"<?xml version='1.0'?><a>"
            + b"&#xD;\n".join(plain[at : at + 76] for at in range(0, len(plain), 76))
            + b"</a>"
        ),
    )
    add(
        "blob in YAML",
        INFECTED,
        lambda: (
            b"file: !!binary |\n"
            + b"".join(b"  " + plain[at : at + 60] + b"\n" for at in range(0, len(plain), 60))
        ),
    )
    add(
        "blob in URL-safe base64",
        INFECTED,
        lambda: b"token=" + base64.urlsafe_b64encode(p.virus_zip()) + b";",
    )
    add(
        "flat OpenDocument",
        INFECTED,
        lambda: (
            b"<?xml version='1.0'?><office:document><office:binary-data>"
            + packed
            + b"</office:binary-data></office:document>"
        ),
    )
    hexed = binascii.hexlify(p.ole({"Data": p.spread(eicar())}, fragment=True))
    add(
        "object in RTF",
        INFECTED,
        lambda: b"{\\rtf1{\\object\\objemb{\\*\\objdata " + hexed + b"}}}",
    )
    add(
        "object in RTF, in lines",
        INFECTED,
        lambda: (
            b"{\\rt{\\object{\\*\\objdata\n"
            + b"\r\n".join(hexed[at : at + 77] for at in range(0, len(hexed), 77))
            + b"}}}"
        ),
    )
    dirty = b"{\\*\\x1}\\y ".join(
        binascii.hexlify(p.virus())[at : at + 9] for at in range(0, 206, 9)
    )
    add(
        "object in RTF, between control words",
        INFECTED,
        lambda: b"{\\rtf1{\\object{\\*\\objdata " + dirty + b"}}}",
    )
    add(
        "digits of RTF outside an object",
        INFECTED,
        lambda: b"{\\rtf1{\\*\\datastore " + hexed + b"}}",
    )
    add("Flash", INFECTED, lambda: p.swf(p.virus()))


_texts()
