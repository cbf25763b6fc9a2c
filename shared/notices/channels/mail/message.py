"""The e-mail of a notice: text and HTML with the same content. Pure."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from shared.notices.channels.base import Parcel


def mail_of(parcel: Parcel, sender: str) -> EmailMessage:
    """Make the e-mail of a parcel.

    The Message-ID is that of every attempt, so that a receiver can tell a repetition. Sources: RFC
    5322; RFC 3834 section 5 (Auto-Submitted); RFC 2369 and RFC 8058 (List-Unsubscribe).
    """
    address = parcel.contact.address
    message = EmailMessage(policy=SMTP if address.isascii() else SMTPUTF8)
    domain = sender.rpartition("@")[2]
    message["From"] = Address("Vouchsafe", addr_spec=sender)
    message["To"] = Address(addr_spec=address)
    message["Subject"] = parcel.letter.subject
    message["Date"] = format_datetime(parcel.sent_at)
    message["Message-ID"] = f"<{parcel.id.replace(':', '.')}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = parcel.letter.language
    if parcel.unsubscribe is not None:
        message["List-Unsubscribe"] = f"<{parcel.unsubscribe}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(parcel.letter.text, cte="quoted-printable")
    message.add_alternative(parcel.letter.html, subtype="html", cte="quoted-printable")
    return message


def envelope_address(address: str) -> str:
    """Return an address for the envelope: the domain in ASCII, where the local part is."""
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        return address
    import idna

    return f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode()}"
