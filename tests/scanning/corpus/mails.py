"""Mails that carry the test file."""

import base64

from tests.scanning.corpus import pieces as p
from tests.scanning.corpus.cases import INFECTED, Cases, noted, refused

MAIL = Cases("mail")
B64 = b"Content-Transfer-Encoding: base64"
QP = b"Content-Transfer-Encoding: quoted-printable"


def _mails() -> None:
    add, mail, part = MAIL.add, p.mail, p.mail_part
    text = b"Content-Type: text/plain\r\n\r\nSee attached."
    body = p.lines_of_base64(p.virus())
    add("attachment in base64", INFECTED, lambda: mail(text, part(body)))
    add("attached zip", INFECTED, lambda: mail(text, part(p.lines_of_base64(p.virus_zip()))))
    add(
        "header in capitals and folded",
        INFECTED,
        lambda: mail(part(body, b"CONTENT-TRANSFER-ENCODING:\r\n\t BASE64 (really)")),
    )
    add(
        "two headers, base64 second",
        INFECTED,
        lambda: mail(part(body, b"Content-Transfer-Encoding: 7bit\r\n" + B64)),
    )
    add(
        "two headers, base64 first",
        INFECTED,
        lambda: mail(part(body, B64 + b"\r\nContent-Transfer-Encoding: 7bit")),
    )
    add(
        "junk between the characters",
        INFECTED,
        lambda: mail(part(b"!".join(body[at : at + 3] for at in range(0, len(body), 3)))),
    )
    add(
        "one character a line",
        INFECTED,
        lambda: mail(
            part(b"\r\n".join(body[at : at + 1] for at in range(len(body)) if body[at] > 32))
        ),
    )
    add(
        "padding in the middle",
        INFECTED,
        lambda: mail(part(p.lines_of_base64(p.virus()[:40]) + p.lines_of_base64(p.virus()[40:]))),
    )
    add(
        "a line like a boundary within",
        INFECTED,
        lambda: mail(part(body[:40] + b"\r\n--!!\r\n" + body[40:])),
    )
    add("declared boundary never used", INFECTED, lambda: mail(part(body), declared=b"other"))
    add("no boundary declared", INFECTED, lambda: mail(part(body), declared=b""))
    add("no last boundary", INFECTED, lambda: mail(part(body))[:-8])
    add("base64 without a header", INFECTED, lambda: mail(text + b"\r\n\r\n" + body))
    add(
        "spaces on the empty line",
        INFECTED,
        lambda: mail(part(body)).replace(B64 + b"\r\n\r\n", B64 + b"\r\n \t\r\n"),
    )
    add("lines end with LF alone", INFECTED, lambda: mail(part(body)).replace(b"\r\n", b"\n"))
    add("quoted-printable", INFECTED, lambda: mail(part(p.quoted(p.virus()), QP)))
    add("uuencode", INFECTED, lambda: mail(text + b"\r\n\r\n" + p.uuencoded(p.virus())))
    add(
        "begin-base64",
        INFECTED,
        lambda: b"begin-base64 644 a\n" + base64.encodebytes(p.virus()) + b"====\n",
    )
    add("yEnc", INFECTED, lambda: mail(text + b"\r\n\r\n" + p.yencoded(p.virus())))
    add(
        "mail within a mail in base64",
        INFECTED,
        lambda: mail(part(p.lines_of_base64(mail(part(body))))),
    )
    add(
        "mail within a mail, plain",
        INFECTED,
        lambda: mail(b"Content-Type: message/rfc822\r\n\r\n" + mail(part(body), boundary=b"b2")),
    )
    add(
        "second mail of a mailbox",
        INFECTED,
        lambda: (
            b"From a Mon Jan 1 00:00:00 2024\n"
            + mail(text)
            + b"\nFrom b Mon Jan 1\n"
            + mail(part(body))
        ),
    )
    add(
        "mail in 8 bits with Latin-1",
        INFECTED,
        lambda: mail(b"\r\n\r\nGr\xfc\xdfe \x80\x81", part(body)),
    )
    add("zip with a mail", INFECTED, lambda: p.zipped(("a.eml", mail(part(body)))))
    add("winmail.dat with a zip", INFECTED, lambda: p.tnef(b"first", p.virus_zip()))
    add(
        "winmail.dat in base64",
        INFECTED,
        lambda: mail(part(p.lines_of_base64(p.tnef(p.virus_zip())))),
    )
    add(
        "attached 7z",
        refused("unsupported"),
        lambda: mail(part(p.lines_of_base64(b"7z\xbc\xaf\x27\x1c\0\4" + bytes(range(60))))),
    )
    add(
        "attached encrypted PGP",
        noted("encrypted-mail"),
        lambda: mail(b"\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nhQEMA\r\n-----END PGP MESSAGE-----"),
    )
    add(
        "S/MIME, encrypted",
        noted("encrypted-mail"),
        lambda: mail(
            part(
                p.lines_of_base64(
                    bytes.fromhex("308201a006092a864886f70d010703a0820191") + bytes(60)
                )
            )
        ),
    )
    add(
        "a fragment of a mail",
        noted("mail-fragment"),
        lambda: mail(b"Content-Type: message/partial; number=1; total=2; id=x\r\n\r\nhalf"),
    )
    add(
        "BinHex",
        noted("binhex"),
        lambda: mail(b"\r\n(This file must be converted with BinHex 4.0)\r\n:#3!!:\r\n"),
    )
    add(
        "an encoding that nobody knows",
        INFECTED,
        lambda: mail(part(p.virus(), b"Content-Transfer-Encoding: x-own")),
    )


_mails()
