"""Honest documents and mails that look odd, as ordinary programs write them."""

import base64
import binascii
import io
import zlib
from email.message import EmailMessage
from email.policy import SMTP

from pypdf import PdfWriter

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import CLEAN, Cases, noted

DOCUMENTS = Cases("honest document")


def _office(*members: tuple[str, bytes]) -> bytes:
    return p.zipped(
        ("[Content_Types].xml", b'<?xml version="1.0"?><Types/>'),
        ("_rels/.rels", b'<?xml version="1.0"?><Relationships/>'),
        ("word/document.xml", b'<?xml version="1.0"?><w:document/>' + b" " * 20_000),
        *members,
    )


def _mail(*attachments: tuple[str, str, bytes]) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = (
        "a@example.org",
        "b@example.org",
        "Fotos aus Zürich",
    )
    message.set_content("Grüße aus Zürich, siehe Anhang. " * 9)
    message.add_alternative(
        "<html><body>Gr&uuml;&szlig;e &amp; <b>Fotos</b></body></html>", subtype="html"
    )
    for maintype, subtype, data in attachments:
        message.add_attachment(data, maintype=maintype, subtype=subtype, filename="a")
    message.set_boundary("fixed")
    return bytes(message)


def _written(**options: bool) -> bytes:
    writer = PdfWriter()
    for _ in range(3):
        page = writer.add_blank_page(200, 200)
        page.compress_content_streams()
    writer.add_metadata({"/Title": "Grüße"})
    writer.add_attachment("photo.jpg", p.photo())
    writer._ID = None  # random otherwise
    if options.get("restricted"):
        writer.encrypt("", "owner", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _documents() -> None:
    add = DOCUMENTS.add
    pixels = b"".join(b"\2" + bytes(60) for _ in range(20))
    picture = (
        b"/Type/XObject/Subtype/Image/Width 20/Height 20/ColorSpace/DeviceRGB/BitsPerComponent 8"
    )
    add(
        "Word document with a blank picture",
        CLEAN,
        lambda: _office(("word/media/image2.emf", bytes(103141))),
    )
    add(
        "Word document with an older document within",
        CLEAN,
        lambda: _office(("word/embeddings/a.doc", p.ole({"WordDocument": bytes(9000)}))),
    )
    add(
        "Word document with a harmless macro",
        CLEAN,
        lambda: _office(
            (
                "word/vbaProject.bin",
                p.ole(
                    {
                        "Module1": bytes(50)
                        + p.vba(b'Attribute VB_Name = "M"\r\nSub A()\r\nEnd Sub\r\n' * 9)
                    }
                ),
            )
        ),
    )
    add(
        "EPUB with a long blank page",
        CLEAN,
        lambda: p.zipped(("mimetype", b"application/epub+zip"), ("a.xhtml", b" " * 3_000_000)),
    )
    add(
        "OpenDocument",
        CLEAN,
        lambda: p.zipped(
            ("mimetype", b"application/vnd.oasis.opendocument.text"),
            ("content.xml", b"<?xml version='1.0'?><a/>"),
        ),
    )
    add(
        "older Word document",
        CLEAN,
        lambda: p.ole(
            {"WordDocument": bytes(7000), "1Table": b"t" * 5000, "\5SummaryInformation": b"s" * 200}
        ),
    )
    add(
        "older document with a packaged zip",
        CLEAN,
        lambda: p.ole({"\1Ole10Native": p.packaged(p.zipped(("a.jpg", p.photo())))}),
    )
    add(
        "Outlook message with a Word document",
        CLEAN,
        lambda: p.ole(
            {
                "__substg1.0_37010102": _office(("word/media/a.jpg", p.photo())),
                "__properties_version1.0": bytes(80),
            }
        ),
    )
    add("PDF of a library", CLEAN, lambda: p.sample("report.pdf"))
    add("PDF with an attached photo", CLEAN, _written)
    add("PDF with restrictions", noted("encrypted-document"), lambda: _written(restricted=True))
    add(
        "PDF with two revisions",
        CLEAN,
        lambda: p.pdf(p.CATALOG, p.PAGES) + p.pdf(p.CATALOG, p.PAGES, head=b"%changed\n"),
    )
    add(
        "PDF with a predicted picture",
        CLEAN,
        lambda: p.pdf(
            p.CATALOG,
            p.PAGES,
            p.stream(
                picture + b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Columns 20/Colors 3>>",
                zlib.compress(pixels),
            ),
        ),
    )
    add(
        "PDF with a photo",
        CLEAN,
        lambda: p.pdf(p.CATALOG, p.PAGES, p.stream(picture + b"/Filter/DCTDecode", p.photo())),
    )
    add(
        "PDF with a photo in ASCII85",
        CLEAN,
        lambda: p.pdf(
            p.CATALOG,
            p.PAGES,
            p.stream(
                picture + b"/Filter[/ASCII85Decode/DCTDecode]",
                base64.a85encode(p.photo()[:20_000]) + b"~>",
            ),
        ),
    )
    add(
        "PDF of fax pages",
        CLEAN,
        lambda: p.pdf(
            p.CATALOG,
            p.PAGES,
            p.stream(picture + b"/Filter/CCITTFaxDecode/DecodeParms<</K -1>>", p.noise(900)),
        ),
    )
    add(
        "PDF of 12,000 streams",
        CLEAN,
        lambda: p.pdf(
            p.CATALOG,
            p.PAGES,
            *[
                p.stream(b"/Filter/FlateDecode", zlib.compress(b"q %d 0 m Q" % number))
                for number in range(12_000)
            ],
        ),
    )
    add("PDF behind a line of a web server", CLEAN, lambda: b"\r\n\r\n" + p.sample("report.pdf"))
    add(
        "RTF with a picture",
        CLEAN,
        lambda: (
            b"{\\rtf1\\ansi{\\pict\\jpegblip\n"
            + binascii.hexlify(p.photo())
            + b"}\\par Gr\\'fc\\'dfe}"
        ),
    )
    add(
        "RTF with an embedded document",
        CLEAN,
        lambda: (
            b"{\\rtf1{\\object{\\*\\objdata "
            + binascii.hexlify(p.ole({"Data": bytes(5000)}))
            + b"}}}"
        ),
    )
    add(
        "mail with photos",
        CLEAN,
        lambda: _mail(("image", "jpeg", p.photo()), ("image", "png", p.sample("launch.png"))),
    )
    add(
        "mail with a Word document",
        CLEAN,
        lambda: _mail(("application", "octet-stream", _office())),
    )
    add(
        "mail with a mail",
        CLEAN,
        lambda: p.mail(
            b"Content-Type: message/rfc822\r\n\r\n" + _mail(("image", "jpeg", p.photo())),
            boundary=b"o",
        ),
    )
    add(
        "mailbox of three mails",
        CLEAN,
        lambda: b"\n".join(b"From a Mon Jan  1 00:00:00 2024\n" + _mail() for _ in range(3)),
    )
    add("winmail.dat with a photo", CLEAN, lambda: p.tnef(p.photo(), b"text"))
    add(
        "mail signed with S/MIME",
        CLEAN,
        lambda: p.mail(
            p.mail_part(
                p.lines_of_base64(bytes.fromhex("308006092a864886f70d010702a080") + p.noise(900))
            )
        ),
    )


_documents()
