"""XMP in every wrapping and encoding, in every place where intake finds XMP."""

import re
import struct

import pytest

from tests.metadata.test_parsing import with_metadata
from tests.metadata.texts import collected

NAME = "Zoë 山田"
_RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'rdf:about="" xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><ext:PersonInImage>'
    f"<rdf:Bag><rdf:li>{NAME}</rdf:li></rdf:Bag></ext:PersonInImage></rdf:Description></rdf:RDF>"
)
_META = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{_RDF}</x:xmpmeta>'
HEADER = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
TRAILER = '\n<?xpacket end="w"?>'
FORMS = {
    "xmpmeta": _META,
    "xapmeta": _META.replace("xmpmeta", "xapmeta"),
    "rdf": _RDF,
    "filters": f'<?adobe-xap-filters esc="CRLF"?>\n{_META}',
    "comment": f"<!-- made by a program -->\n{_META}",
    "prefix of rdf": _META.replace("rdf:", "r:").replace(":rdf=", ":r="),
    "no prefix of rdf": re.sub("(?<=<)rdf:|(?<=</)rdf:", "", _META)
    .replace(":rdf=", "=")
    .replace('rdf:about=""', ""),
    "references": _META.replace(NAME, "".join(f"&#x{ord(letter):X};" for letter in NAME)),
    "prefix": _META.replace("x:", "xm:").replace(":x=", ":xm="),
}
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")


def mp4(packet: bytes) -> bytes:
    return box(b"ftyp", b"isom\0\0\0\0isom") + box(b"uuid", _UUID, packet) + box(b"mdat", bytes(20))


def mov(packet: bytes) -> bytes:
    moov = box(b"moov", box(b"udta", box(b"XMP_", packet)))
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + moov + box(b"mdat", bytes(20))


def jpg(packet: bytes) -> bytes:
    segment = b"http://ns.adobe.com/xap/1.0/\0" + packet
    picture = with_metadata()
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(segment)) + segment + picture[2:]


def gif(packet: bytes) -> bytes:
    trailer = bytes([1]) + bytes(range(255, -1, -1)) + b"\0"
    start = b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff!\xff\x0bXMP DataXMP"
    return start + packet + trailer + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


def eps(packet: bytes) -> bytes:
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%EndComments\n" + packet + b"\nshowpage\n%%EOF\n"


def mp3(packet: bytes) -> bytes:
    private = b"XMP\0" + packet
    size = len(private) + 10
    sizes = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    frame = b"PRIV" + struct.pack(">I", len(private)) + b"\0\0"
    return b"ID3\x03\0\0" + sizes + frame + private + (b"\xff\xfb\x90\0" + bytes(413)) * 5


def pdf(packet: bytes) -> bytes:
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/Metadata 4 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
        b"<</Length %d>>stream\n" % len(packet) + packet + b"\nendstream",
    ]
    out = b"%PDF-1.4\n"
    places = []
    for number, written in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + written + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + table
    return out + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start


def bare(packet: bytes) -> bytes:
    return packet


PLACES = (jpg, mp4, mov, gif, eps, mp3, pdf, bare)


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("form", FORMS)
def test_a_packet_of_any_form(form, encoding, wrapped):
    text = HEADER + FORMS[form] + TRAILER if wrapped else FORMS[form]
    for place in PLACES:
        if not wrapped and place is eps:
            # Without a header nothing tells a packet within text.
            continue
        if not wrapped and encoding != "utf-8" and place is jpg:
            # A JPEG's packet is in UTF-8 (XMP part 3), and Exiv2 reads no other.
            continue
        if place is bare and encoding.startswith("utf-32") and not wrapped:
            # A type that no reader of text knows.
            continue
        mark = "\ufeff" if place is bare and encoding.startswith("utf-16") else ""
        metadata = collected(place((mark + text).encode(encoding)))
        assert [found.text for found in metadata.texts if NAME in found.text] == [NAME], place
