"""Compound files (OLE) that carry the test file."""

import zlib

from samples.eicar import eicar
from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import INFECTED, Cases, noted, refused

OLE = Cases("OLE")


def _ole() -> None:
    add, ole = OLE.add, p.ole
    add(
        "stream in scattered sectors",
        INFECTED,
        lambda: ole({"Data": p.spread(eicar())}, fragment=True),
    )
    add("small stream", INFECTED, lambda: ole({"A": b"a" * 63, "Data": p.virus()}, fragment=True))
    add(
        "stream that no directory names",
        INFECTED,
        lambda: ole({"Data": p.spread(eicar())}, fragment=True, listed=False),
    )
    add(
        "packaged zip",
        INFECTED,
        lambda: ole({"\1Ole10Native": p.packaged(p.virus_zip())}, fragment=True),
    )
    add(
        "PDF in a stream",
        INFECTED,
        lambda: ole(
            {"CONTENTS": p.attached(b"/Filter/Fl", zlib.compress(p.virus())).ljust(9000)},
            fragment=True,
        ),
    )
    source = (
        b'Attribute VB_Name = "Module1"\r\n'
        + b"' nothing here nothing here\r\n" * 9
        + b"' "
        + eicar()
    )
    add(
        "source of a macro",
        INFECTED,
        lambda: ole({"Module1": bytes(99) + p.vba(source)}, fragment=True),
    )
    add(
        "macros in an Office document",
        INFECTED,
        lambda: p.zipped(
            ("[Content_Types].xml", b"<Types/>"),
            ("word/document.xml", b"<w/>"),
            ("word/vbaProject.bin", ole({"Module1": bytes(99) + p.vba(source)})),
        ),
    )
    add(
        "attachment of a .msg",
        INFECTED,
        lambda: ole(
            {"__substg1.0_37010102": p.large_zip(("a.com", p.virus())), "__properties": b"x" * 99},
            fragment=True,
        ),
    )
    add(
        "OLE in OLE",
        INFECTED,
        lambda: ole({"Inner": ole({"Data": p.spread(eicar())}, fragment=True)}, fragment=True),
    )
    add(
        "OLE behind a photo",
        INFECTED,
        lambda: p.photo() + ole({"Data": p.spread(eicar())}, fragment=True),
    )
    add(
        "OLE in a mail",
        INFECTED,
        lambda: p.mail(
            p.mail_part(p.lines_of_base64(ole({"Data": p.spread(eicar())}, fragment=True)))
        ),
    )
    add(
        "installer with a cabinet (.msi)",
        refused("unsupported"),
        lambda: ole(
            {"Cab": (b"MSCF\0\0\0\0" + bytes(16) + b"\3\1" + bytes(80)).ljust(5000, b"\0")}
        ),
    )
    add(
        "encrypted Office document",
        noted("encrypted-document"),
        lambda: ole({"EncryptionInfo": b"\4\0\4\0" + bytes(60), "EncryptedPackage": bytes(6000)}),
    )
    add(
        "a table that runs in a circle", INFECTED, lambda: _circle(ole({"Data": p.spread(eicar())}))
    )


def _circle(data: bytes) -> bytes:
    """Lead the last sector of a stream back to its first."""
    changed = data.replace((0xFFFFFFFE).to_bytes(4, "little"), (0).to_bytes(4, "little"))
    return data[:512] + changed[512:]


_ole()
