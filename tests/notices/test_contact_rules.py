"""Addresses, URLs, languages and time zones of contacts."""

import pytest

from shared.errors import InvalidInputError
from shared.notices.contact_rules import (
    check_kinds,
    check_language,
    check_time_zone,
    checked_mail_address,
    checked_webhook_url,
    is_public,
)
from shared.notices.rules import KINDS


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("privacy@example.com", "privacy@example.com"),
        ("Privacy@EXAMPLE.com", "Privacy@example.com"),
        ("post@bücher.example", "post@bücher.example"),
        ("post@xn--bcher-kva.example", "post@bücher.example"),
        ("o'hara+gdpr@example.com", "o'hara+gdpr@example.com"),
        ("jürgen@example.com", "jürgen@example.com"),
    ],
)
def test_addresses(given, normal):
    assert checked_mail_address(given) == normal


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "a@b",
        "a b@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com\nBcc: b@example.com",
        "a@example.com\x00",
        "a@example.com,b@example.com",
        "Ada <a@example.com>",
        "<a@example.com>",
        '"a b"@example.com',
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@@example.com",
        ".a@example.com",
        "a..b@example.com",
        "a@-example.com",
        "a@exa_mple.com",
        "a@example.com ",
        "a" * 65 + "@example.com",
        "a@" + "b" * 64 + ".com",
        "a@example.com\u2028",
        "a\u202e@example.com",
        "a@example.com%0d%0aBcc:b@example.com",
    ],
)
def test_no_addresses(address):
    with pytest.raises(InvalidInputError) as refused:
        checked_mail_address(address)
    assert refused.value.code == "contact-address-invalid"
    assert "example" not in refused.value.detail


def test_urls():
    for url in (
        "https://hooks.example.com/a?b=c",
        "https://hooks.example.com:8443/",
        "https://[2606:4700::1111]/",
    ):
        assert checked_webhook_url(url, "") == url
    assert checked_webhook_url("https://127.0.0.1:8448/h", "127.0.0.1:8448")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "hooks.example.com",
        "https://",
        "https:///a",
        "https://user:password@hooks.example.com/",
        "https://user@hooks.example.com/",
        "https://hooks.example.com/#a",
        "https://hooks.example.com/ a",
        "https://hooks.example.com/\r\nHost: inside",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.exämple.com/",
        "https://hooks.example.com:0x50/",
        "https://hooks.example.com:99999/",
    ],
)
def test_no_urls(url):
    with pytest.raises(InvalidInputError) as refused:
        checked_webhook_url(url, "")
    assert refused.value.code == "contact-url-invalid"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fc00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "localhost",
        "localhost.",
        "app.localhost",
        "printer.local",
        "metadata.google.internal",
        "intranet",
    ],
)
def test_hosts_inside(host):
    with pytest.raises(InvalidInputError) as refused:
        checked_webhook_url(f"https://{host}/", "")
    assert refused.value.code == "contact-url-inside"


def test_the_loopback_of_the_local_stack_is_one_port():
    with pytest.raises(InvalidInputError):
        checked_webhook_url("https://127.0.0.1:8449/", "127.0.0.1:8448")
    with pytest.raises(InvalidInputError):
        checked_webhook_url("https://127.0.0.1/", "")


def test_public_addresses():
    assert is_public("93.184.215.14")
    assert is_public("2606:4700:4700::1111")
    assert not is_public("fe80::1%eth0")


@pytest.mark.parametrize("language", ["", "EN", "sv", "de-DE", "english", "nn", "../de"])
def test_unknown_languages(language):
    with pytest.raises(InvalidInputError) as refused:
        check_language(language)
    assert "en, de, fr, nb" in refused.value.remedy


@pytest.mark.parametrize("zone", ["", "Oslo", "Mars/Phobos", "../../etc/passwd", "europe/oslo"])
def test_unknown_time_zones(zone):
    with pytest.raises(InvalidInputError):
        check_time_zone(zone)


def test_kinds():
    assert check_kinds(["maintenance", "breach", "breach"], KINDS) == ("breach", "maintenance")
    with pytest.raises(InvalidInputError):
        check_kinds(["maintenance", "gossip"], KINDS)
