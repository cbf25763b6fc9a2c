"""The e-mail of a notice: text and HTML with the same content. Pure."""

from binascii import b2a_qp
from email.header import Header
from email.utils import format_datetime
from typing import Final

from shared.notices.channels.base import Parcel

_HIDDEN: Final = "undisclosed-recipients:;"


def mail_of(parcel: Parcel, sender: str) -> bytes:
    """Make the e-mail of a parcel, as SMTP takes an e-mail.

    The Message-ID is that of every attempt, so that a receiver can tell a repetition. An address
    beyond ASCII stands in the envelope alone. The lines are written here, because the classes of
    `email` would take as long as the rest of a delivery. Raises ValueError for a line break in a
    header. Sources: RFC 5322; RFC 2045 and 2046; RFC 3834 section 5 (Auto-Submitted); RFC 2369 and
    RFC 8058 (List-Unsubscribe).
    """
    letter, address = parcel.letter, parcel.contact.address
    boundary = f"=_{parcel.id.replace(':', '_')}"
    headers = {
        "From": f"Vouchsafe <{sender}>",
        "To": address if address.isascii() else _HIDDEN,
        "Subject": letter.subject,
        "Date": format_datetime(parcel.sent_at),
        "Message-ID": f"<{parcel.id.replace(':', '.')}@{sender.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": letter.language,
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    if parcel.unsubscribe is not None:
        headers["List-Unsubscribe"] = f"<{parcel.unsubscribe}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    lines = [_header(name, value) for name, value in headers.items()]
    for content, kind in ((letter.text, "plain"), (letter.html, "html")):
        lines += [
            b"",
            b"--" + boundary.encode(),
            f"Content-Type: text/{kind}; charset=utf-8".encode(),
            b"Content-Transfer-Encoding: quoted-printable",
            b"",
            b2a_qp(content.replace("\n", "\r\n").encode()),
        ]
    return b"\r\n".join([*lines, b"--" + boundary.encode() + b"--", b""])


def _header(name: str, value: str) -> bytes:
    if not value.isprintable():
        raise ValueError(f"the header {name} has more than one line")
    if not value.isascii():
        value = Header(value, "utf-8", header_name=name).encode(linesep="\r\n")
    return f"{name}: {value}".encode("ascii")


def envelope_address(address: str) -> str:
    """Return an address for the envelope: the domain in ASCII, where the local part is."""
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        return address
    import idna

    return f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"
