"""PDFs that carry the test file."""

import base64
import binascii
import zlib

from samples.eicar import eicar
from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import INFECTED, Cases, noted, refused

PDF = Cases("PDF")


def _pdfs() -> None:
    add, attached = PDF.add, p.attached
    packed = zlib.compress(p.virus())
    flate = b"/Filter/FlateDecode"
    add("attachment, deflated", INFECTED, lambda: attached(flate, packed))
    add(
        "ASCII85 and deflate",
        INFECTED,
        lambda: attached(b"/Filter[/ASCII85Decode/FlateDecode]", base64.a85encode(packed) + b"~>"),
    )
    add(
        "ASCII85",
        INFECTED,
        lambda: attached(b"/Filter/A85", base64.a85encode(p.virus(), wrapcol=50) + b"~>"),
    )
    add(
        "hexadecimal",
        INFECTED,
        lambda: attached(b"/Filter/ASCIIHexDecode", binascii.hexlify(p.virus(), " ") + b">"),
    )
    add("LZW", INFECTED, lambda: attached(b"/Filter /LZWDecode", p.lzw(p.virus() * 30)))
    add(
        "run lengths",
        INFECTED,
        lambda: attached(b"/Filter[/RunLengthDecode]", p.run_length(p.virus())),
    )
    add(
        "four filters",
        INFECTED,
        lambda: attached(
            b"/Filter[/AHx/A85/Fl/RL]",
            binascii.hexlify(base64.a85encode(zlib.compress(p.run_length(p.virus()))) + b"~>")
            + b">",
        ),
    )
    add(
        "prediction",
        INFECTED,
        lambda: attached(
            flate + b"/DecodeParms<</Predictor 12/Columns 9>>",
            zlib.compress(p.predicted(p.virus(), 9)),
        ),
    )
    add(
        "prediction after hexadecimal",
        INFECTED,
        lambda: attached(
            b"/Filter[/AHx/Fl]/DecodeParms[null<</Predictor 15/Columns 20>>]",
            binascii.hexlify(zlib.compress(p.predicted(p.virus(), 20))) + b">",
        ),
    )
    add("an escaped name", INFECTED, lambda: attached(b"/F#69lter/Flate#44ecode", packed))
    add(
        "a comment before the name",
        INFECTED,
        lambda: attached(b"/Filter % /AHx\n /FlateDecode", packed),
    )
    add(
        "two filters, the second counts",
        INFECTED,
        lambda: attached(b"/Filter/ASCIIHexDecode/Filter/FlateDecode", packed),
    )
    add(
        "the filter in another object",
        INFECTED,
        lambda: attached(b"/Filter 5 0 R", packed, b"[/FlateDecode]"),
    )
    add(
        "a wrong length",
        INFECTED,
        lambda: attached(flate, packed).replace(b"/Length %d>>" % len(packed), b"/Length 3>>"),
    )
    add("no header of zlib", INFECTED, lambda: attached(flate, p.raw_deflated(p.virus())))
    add("a broken end", INFECTED, lambda: attached(flate, packed[:-6]))
    add(
        "an old revision",
        INFECTED,
        lambda: (
            attached(flate, packed) + b"4 0 obj\nnull\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF\n"
        ),
    )
    add(
        "an object that no table lists",
        INFECTED,
        lambda: p.pdf(p.CATALOG, p.PAGES) + b"9 0 obj\n" + p.stream(flate, packed) + b"\nendobj\n",
    )
    add(
        "a stream labelled as a picture",
        INFECTED,
        lambda: attached(flate + b"/Subtype/Image/Width 9/Height 9", packed),
    )
    add(
        "a script in an object stream",
        INFECTED,
        lambda: p.pdf(
            p.CATALOG,
            p.PAGES,
            p.stream(
                b"/Type/ObjStm/N 1/First 4" + flate, zlib.compress(b"5 0 <</JS(" + eicar() + b")>>")
            ),
        ),
    )
    add("attached zip", INFECTED, lambda: attached(b"", p.virus_zip()))
    add("attached zip, deflated", INFECTED, lambda: attached(flate, zlib.compress(p.virus_zip())))
    add("attached PDF", INFECTED, lambda: attached(flate, zlib.compress(attached(flate, packed))))
    add(
        "attached mail",
        INFECTED,
        lambda: attached(flate, zlib.compress(p.mail(p.mail_part(p.lines_of_base64(p.virus()))))),
    )
    add("PDF behind a photo", INFECTED, lambda: p.photo() + attached(flate, packed))
    add("PDF behind 900 bytes", INFECTED, lambda: b"\n" * 900 + attached(flate, packed))
    add("zip with a PDF", INFECTED, lambda: p.zipped(("a.pdf", attached(flate, packed))))
    add(
        "attached RAR",
        refused("unsupported"),
        lambda: attached(flate, zlib.compress(b"Rar!\x1a\x07\x01\0" + bytes(range(50)))),
    )
    add(
        "encrypted",
        noted("encrypted-document"),
        lambda: p.pdf(p.CATALOG, p.PAGES, trailer=b"<</Root 1 0 R/Encrypt 9 0 R/ID[<00><00>]>>"),
    )
    add(
        "a filter that nobody knows",
        noted("pdf-stream"),
        lambda: attached(b"/Filter/OwnDecode", b"abc"),
    )
    add(
        "a filter that is not there",
        noted("pdf-stream"),
        lambda: attached(b"/Filter 99 0 R", b"abc"),
    )
    add(
        "bomb: deflated thrice",
        refused("too-large"),
        lambda: attached(
            b"/Filter[/Fl/Fl/Fl]",
            zlib.compress(zlib.compress(zlib.compress(bytes(300 << 20), 9), 9), 9),
        ),
    )


_pdfs()
