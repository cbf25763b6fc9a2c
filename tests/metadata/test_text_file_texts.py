"""Metadata of text: HTML, RTF, PostScript, vCard, e-mail, Takeout's JSON, SVG; files made here."""

import json

import pytest

from tests.metadata.texts import collected, texts

NAME = "Zoë Winter"
LEGACY = "Иван Петров"


def test_html():
    page = (
        "<!DOCTYPE html><html><head><meta charset='utf-8'><title>About\nBo</title>"
        f'<meta name="author" content="{NAME}"><meta property="og:title" content="Cy &amp; Di">'
        '<link rel="author" title="Ed" href="mailto:ed@example.org"></head>'
        "<body><p>The text</p><svg><title>A drawing of Flo</title></svg></body></html>"
    )
    assert texts(page.encode()) == {
        "HTML:title": ["About\nBo", "A drawing of Flo"],
        "HTML:author": [NAME, "Ed", "mailto:ed@example.org"],
        "HTML:og:title": ["Cy & Di"],
    }
    legacy = f'<html><head><meta charset=windows-1251><meta name=author content="{LEGACY}">'
    assert texts(legacy.encode("cp1251"))["HTML:author"] == [LEGACY]


@pytest.mark.parametrize("declared", ["", "<meta charset=utf-16>"])
def test_html_in_utf16(declared):
    page = f'<html><head>{declared}<meta name="author" content="{NAME}"></head></html>'
    assert texts(page.encode("utf-16"))["HTML:author"] == [NAME]


@pytest.mark.parametrize(
    ("inside", "field", "found"),
    [
        (r"{\info{\author Zoe Winter}}", "RTF:author", "Zoe Winter"),
        (r"{\info{\author Zo\'eb Winter}}", "RTF:author", NAME),
        (r"{\info{\operator Zo\u235?\uc2 x}}", "RTF:operator", "Zoëx"),
        (r"{\info{\title {\b Of} Bo}}", "RTF:title", "Bo"),
        (r"{\*\revtbl{Unknown;}{Zo\'eb Winter;}}", "RTF:revtbl", NAME),
        (r"{\*\atnauthor Bo}", "RTF:atnauthor", "Bo"),
        (r"{\*\userprops{\propname Client}\proptype30{\staticval Cy}}", "RTF:staticval", "Cy"),
    ],
)
def test_rtf(inside, field, found):
    data = (r"{\rtf1\ansi\ansicpg1252" + inside + r"{\fonttbl{\f0 Arial;}}The text}").encode()
    every = texts(data)
    assert any(found in text for text in every[field])
    assert not any("The text" in text for some in every.values() for text in some)
    assert collected(data).note is None


def test_rtf_in_another_encoding():
    author = "".join(f"\\'{byte:02x}" for byte in LEGACY.encode("cp1251"))
    data = r"{\rtf1\ansi\ansicpg1251{\info{\author " + author + "}}}"
    assert LEGACY in texts(data.encode())["RTF:author"]
    undeclared = r"{\rtf1\ansi{\info{\author " + author + "}}}"
    assert LEGACY in texts(undeclared.encode())["RTF:author"]


def test_hostile_rtf():
    assert collected(b"{\\rtf1" + b"{\\info" * 200_000).note == "metadata-unreadable"
    assert collected(b"{\\rtf1{\\info{\\author Bo").note == "metadata-unreadable"


def test_postscript():
    head = b"%!PS-Adobe-3.0 EPSF-3.0\n%%Title: (Of Bo)\n%%Creator: Cy\n%%For: Zo\xeb Winter\n"
    found = texts(head + b"%%Pages: 1\n%%EndComments\nshowpage\n%%EOF\n")
    assert found.pop("DSC:For")[0] == NAME
    assert found == {"DSC:Title": ["Of Bo"], "DSC:Creator": ["Cy"]}


def test_vcard():
    card = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Winter;Zoë;;;\r\nFN:Zoë\r\n  Winter\r\n"
        "item1.EMAIL;TYPE=work:zoe@example.org\r\nNOTE:Met Bo\\, then Cy\r\n"
        "PHOTO;ENCODING=b:AAAA\r\nEND:VCARD\r\n"
    )
    assert texts(card.encode()) == {
        "vCard:N": ["Winter Zoë"],
        "vCard:FN": [NAME],
        "vCard:EMAIL": ["zoe@example.org"],
        "vCard:NOTE": ["Met Bo, then Cy"],
    }


def test_vcard_of_an_old_phone():
    quoted = "=D0=98=D0=B2=D0=B0=D0=BD=\r\n=20=D0=9F=D0=B5=D1=82=D1=80=D0=BE=D0=B2"
    card = f"BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{quoted}\r\n"
    assert texts(f"{card}END:VCARD\r\n".encode())["vCard:FN"] == [LEGACY]


def test_vcard_in_an_encoding_of_a_system():
    card = f"BEGIN:VCARD\r\nVERSION:2.1\r\nFN:{LEGACY}\r\nEND:VCARD\r\n"
    assert LEGACY in texts(card.encode("cp1251"))["vCard:FN"]


def test_mail():
    mail = (
        "Received: from a.example by b.example\r\n\tfor <bo@example.org>\r\n"
        "From: =?UTF-8?Q?Zo=C3=AB?= Winter <zoe@example.org>\r\n"
        "To: Bo <bo@example.org>,\r\n Cy <cy@example.org>\r\nSubject: About Di\r\n\r\n"
        "Ed: the text\r\n"
    )
    found = texts(mail.encode())
    assert found["Mail:From"] == ["Zoë Winter <zoe@example.org>"]
    assert found["Mail:To"] == ["Bo <bo@example.org>, Cy <cy@example.org>"]
    assert found["Mail:Subject"] == ["About Di"]
    assert "Ed" not in str(found)
    raw = b"Subject: " + LEGACY.encode("cp1251") + b"\nFrom: a@example.org\n\nText"
    assert LEGACY in texts(raw).get("Mail:Subject", [])


@pytest.mark.parametrize(
    "body",
    [
        'Content-Type: image/jpeg; name="Bo.jpg"\n\n/9j/',
        "Content-Type: message/rfc822\n\nFrom: Bo <bo@example.org>\n",
        "The text\n\nFrom bo@example.org Sat Nov 28\nFrom: Bo <bo@example.org>\n",
    ],
)
def test_the_parts_of_a_mail_are_noted_as_unread(body):
    head = "From: a@example.org\nTo: b@example.org\n\n"
    assert collected((head + body).encode()).note == "metadata-partial"
    assert collected((head + "Content-Type: text/html\n\nText").encode()).note is None


def test_prose_is_no_mail():
    letter = b"From: the desk of somebody\nThis is a letter, and no header.\n"
    assert list(texts(letter)) == ["text:line"]
    assert collected(b"Dear Bo,\nto: Cy\n").note is None


def test_takeout():
    record = {
        "title": "IMG_1.jpg",
        "description": "With Bo",
        "people": [{"name": NAME}, {"name": "Cy"}],
        "photoTakenTime": {"timestamp": "1714000000"},
        "geoData": {"latitude": 1.5},
    }
    found = texts(json.dumps(record).encode())
    assert found["Takeout:people/name"] == [NAME, "Cy"]
    assert found["Takeout:description"] == ["With Bo"]
    assert texts(json.dumps({"title": "A", "rows": ["Bo"]}).encode())["JSON:rows"] == ["Bo"]
    deep = b'{"title": "a", "people": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert collected(deep).note in {None, "metadata-unreadable"}


def test_svg():
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:cc="http://creativecommons.org/ns#"><title>Of Bo</title><g><desc>For Cy</desc></g>'
        "<metadata><rdf:RDF><cc:Work><dc:creator><cc:Agent><dc:title>Di</dc:title></cc:Agent>"
        "</dc:creator><dc:description>Ed</dc:description></cc:Work></rdf:RDF></metadata>"
        "<text>The text</text></svg>"
    )
    assert texts(drawing.encode()) == {
        "svg:title": ["Of Bo"],
        "svg:desc": ["For Cy"],
        "dc:creator": ["Di"],
        "dc:description": ["Ed"],
    }


def test_a_drawing_in_a_declared_encoding():
    drawing = (
        "<?xml version='1.0' encoding='iso-8859-1'?><svg xmlns='http://www.w3.org/2000/svg'>"
        f"<title>{NAME}</title></svg>"
    )
    assert texts(drawing.encode("latin-1")) == {"svg:title": [NAME]}


def test_xmp_whose_namespaces_a_drawing_declares():
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="adobe:ns:meta/" '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><metadata><x:xmpmeta><rdf:RDF>'
        "<rdf:Description><ext:PersonInImage><rdf:Bag><rdf:li>Bo</rdf:li></rdf:Bag>"
        "</ext:PersonInImage></rdf:Description></rdf:RDF></x:xmpmeta></metadata></svg>"
    )
    assert texts(drawing.encode()) == {"Iptc4xmpExt:PersonInImage": ["Bo"]}


@pytest.mark.exhausting
def test_text_of_ten_megabytes():
    page = b"<html><head><title>" + b"x" * 10_000_000 + b"</title></head></html>"
    [text] = collected(page).texts
    assert len(text.text) == 10_000_000
    many = b"".join(b'<meta name="a" content="%d">' % number for number in range(300_000))
    assert collected(b"<html><head>" + many).note in {"metadata-cut", "metadata-too-large"}
