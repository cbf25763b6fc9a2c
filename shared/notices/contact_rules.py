"""Contacts: the addresses for notices, and the preferences of each. Pure rules."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from shared.errors import InvalidInputError
from shared.rows import Stored

type Timing = Literal["at-once", "daily"]

LANGUAGES: Final = ("en", "de", "fr", "nb")
"""The languages of the notices; the first is the default."""
DEFAULT_ZONE: Final = "Europe/Berlin"
MOST_CONTACTS: Final = 24
"""The contacts of a tenant: one transaction takes a notice with the deliveries to each contact."""

# RFC 5321 section 4.5.3.1.3 for addresses; a URL of this length fits every server.
type Address = Annotated[str, Meta(min_length=1, max_length=2000)]
type KindNames = Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=64)]


class Contact(Stored, frozen=True):
    """A contact of a tenant, or of the stamp: an address, and the preferences.

    `kinds` is None for every kind. `roles` are the roles of a contact of the stamp. `disabled` is
    the reason for which the contact gets nothing. `secret` is the sealed secret of a webhook, and
    `token` the token of the links that turn a kind off. `is_registered` marks an address of the
    tenant's registration.
    """

    id: str
    channel: Literal["mail", "webhook"]
    address: str
    language: str
    time_zone: str
    timing: Timing
    created_at: datetime
    token: str
    kinds: tuple[str, ...] | None = None
    roles: tuple[str, ...] = ()
    disabled: str | None = None
    secret: str | None = None
    is_registered: bool = False


class ContactTerms(Struct, frozen=True):
    """The checked preferences of a contact. `address` is in its normal form."""

    channel: Literal["mail", "webhook"]
    address: str
    language: str
    time_zone: str
    timing: Timing
    kinds: tuple[str, ...] | None = None
    roles: tuple[str, ...] = ()


def checked_mail_address(address: str) -> str:
    """Return an e-mail address in its normal form. Raises InvalidInputError for any other text.

    Nothing is looked up: whether a server takes mail for the address shows at the delivery.
    """
    # Imported here: the library would slow every cold start.
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(
            address,
            check_deliverability=False,
            strict=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            # Names for tests and documents are no mistake of form (RFC 2606).
            test_environment=True,
        )
    except EmailNotValidError:
        # Not the text of the error, which may repeat the address.
        raise InvalidInputError(
            "contact-address-invalid",
            "The address is no e-mail address.",
            "Pass one address, such as privacy@example.com, without a name and without brackets.",
        ) from None
    return found.normalized


def checked_webhook_url(url: str, loopback: str) -> str:
    """Return the URL of a webhook. Raises InvalidInputError unless the URL is an https URL.

    `loopback` is the host and port of the local stack's receiver, or empty. The addresses that the
    host has are checked at each delivery.
    """
    try:
        parts = urlsplit(url)
        is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
        port = parts.port or 443
    except ValueError:
        parts, is_plain, port = urlsplit(""), False, 0
    right = (
        is_plain
        and parts.scheme == "https"
        and parts.hostname
        and parts.username is None
        and parts.password is None
        and not parts.fragment
    )
    if not right:
        raise InvalidInputError(
            "contact-url-invalid",
            "The address is no https URL of plain characters without a user and a fragment.",
            "Pass a URL such as https://hooks.example.com/vouchsafe; a name beyond ASCII in the"
            " form xn--.",
        )
    if f"{parts.hostname}:{port}" != loopback:
        check_webhook_host(str(parts.hostname))
    return url


def check_webhook_host(host: str) -> None:
    """Refuse a literal address that is not public, and names that are never public.

    Raises InvalidInputError.
    """
    from ipaddress import ip_address

    try:
        is_inside = not is_public(str(ip_address(host)))
    except ValueError:
        # A dotless number, hexadecimal and octal notations are addresses to many resolvers.
        last = host.rstrip(".").rpartition(".")[2]
        is_inside = not last or "." not in host or last.isdigit() or last.startswith("0x")
        is_inside |= last in ("localhost", "local", "internal")
    if is_inside:
        raise InvalidInputError(
            "contact-url-inside",
            "The URL names a private, link-local or loopback address, or no public host.",
            "Pass the URL of a host that the internet reaches.",
        )


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet.

    An IPv6 address that carries an IPv4 address (mapped, 6to4, Teredo, NAT64) is as public as that.
    """
    from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            return False
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in ip_network("64:ff9b::/96") or found in ip_network("::/96"):
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None and not is_public(str(inner)):
            return False
    # 168.63.129.16 is the address of Azure's own platform: "What is IP address 168.63.129.16?".
    return found.is_global and not found.is_multicast and str(found) != "168.63.129.16"


def check_language(language: str) -> str:
    """Return a language of the notices. Raises InvalidInputError for any other."""
    if language not in LANGUAGES:
        raise InvalidInputError(
            "contact-language-unknown",
            "There are no notices in the language.",
            f"Use one of: {', '.join(LANGUAGES)}.",
        )
    return language


def check_time_zone(name: str) -> str:
    """Return the name of a time zone. Raises InvalidInputError for any other text."""
    if name not in _zones():
        raise InvalidInputError(
            "contact-time-zone-unknown",
            "There is no such time zone.",
            "Use a name of the IANA time zone database, such as Europe/Oslo.",
        )
    return name


@cache
def _zones() -> frozenset[str]:
    from zoneinfo import available_timezones

    return frozenset(available_timezones())


def check_kinds(kinds: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return kinds of notices, sorted. Raises InvalidInputError for an unknown kind."""
    if not set(kinds) <= set(known):
        raise InvalidInputError(
            "contact-kind-unknown",
            "A kind of notice is none that there is.",
            f"Use some of: {', '.join(known)}; or leave the kinds out for all.",
        )
    return tuple(sorted(set(kinds)))
