"""All texts of films and sounds: a file of each kind, made here."""

import io
import struct
import uuid

import pytest
from mutagen.id3 import APIC, COMM, ID3, TIPL, TPE1, TXXX, USLT

from shared.metadata.matroska_tags import MatroskaWalker
from tests.metadata.test_parsing import with_metadata
from tests.metadata.test_xmp_forms import box
from tests.metadata.texts import collected, texts

NAME = "Zoë Winter"
FTYP = box(b"ftyp", b"isom\0\0\0\0isom")
LEGACY = "Иван Петров"


def data(text: str, kind: int = 1) -> bytes:
    encoded = text.encode("utf-16-be" if kind == 2 else "utf-8")
    return box(b"data", struct.pack(">II", kind, 0) + encoded)


def own(name: str, text: str) -> bytes:
    mean = box(b"mean", bytes(4) + b"com.example")
    return box(b"----", mean, box(b"name", bytes(4) + name.encode()), data(text))


def keyed(*pairs: tuple[str, str]) -> bytes:
    """Apple's metadata: keys, and items that name a key by number."""
    keys = b"".join(struct.pack(">I4s", 8 + len(key), b"mdta") + key.encode() for key, _ in pairs)
    items = [box(struct.pack(">I", n), data(text)) for n, (_, text) in enumerate(pairs, 1)]
    listed = box(b"keys", struct.pack(">II", 0, len(pairs)) + keys)
    return box(b"meta", box(b"hdlr", bytes(24)), listed, box(b"ilst", *items))


def international(*found: str) -> bytes:
    return b"".join(struct.pack(">HH", len(one.encode()), 0x55C4) + one.encode() for one in found)


def asset(text: bytes) -> bytes:
    return bytes(4) + b"\x15\xc7" + text + b"\0"


ILST = box(
    b"ilst",
    box(b"\xa9ART", data(NAME), data("Bo Winter")),
    box(b"\xa9nam", data("Title", 2)),
    own("PERFORMER", "Cy Winter"),
    box(b"covr", box(b"data", bytes(8) + with_metadata())),
)
META = box(b"meta", bytes(4), box(b"hdlr", bytes(24)), ILST)
LEGACY_ATOM = struct.pack(">HH", len(LEGACY), 7) + LEGACY.encode("mac_cyrillic")


@pytest.mark.parametrize(
    ("inside", "found"),
    [
        (
            box(b"udta", META),
            {
                "ilst:©ART": [NAME, "Bo Winter"],
                "ilst:©nam": ["Title"],
                "ilst:PERFORMER": ["Cy Winter"],
            },
        ),
        (keyed(("com.apple.quicktime.author", NAME)), {"mdta:com.apple.quicktime.author": [NAME]}),
        (
            box(b"trak", keyed(("com.example.title", NAME), ("com.example.note", "Bo"))),
            {"mdta:com.example.title": [NAME], "mdta:com.example.note": ["Bo"]},
        ),
        (
            box(b"udta", box(b"\xa9aut", international(NAME, "Bo")), bytes(4)),
            {"udta:©aut": [NAME, "Bo"]},
        ),
        (box(b"udta", box(b"auth", asset(NAME.encode()))), {"udta:auth": [NAME]}),
        (
            box(b"udta", box(b"titl", asset("\ufeffZoë".encode("utf-16-be") + b"\0"))),
            {"udta:titl": ["Zoë"]},
        ),
        (box(b"trak", box(b"udta", box(b"name", NAME.encode()))), {"udta:name": [NAME]}),
        (
            box(b"trak", box(b"mdia", box(b"hdlr", bytes(24) + b"Zoe Winter\0"))),
            {"hdlr:name": ["Zoe Winter"]},
        ),
        (
            box(b"trak", box(b"mdia", box(b"hdlr", bytes(24) + b"\x0aZoe Winter"))),
            {"hdlr:name": ["Zoe Winter"]},
        ),
        (
            box(b"udta", box(b"Xtra", b"\1\2\0\3" + "Zoe Winter".encode("utf-16-le") + b"\0\0\7")),
            {"udta:Xtra": ["Zoe Winter"]},
        ),
        (
            box(b"meta", bytes(4), box(b"xml ", bytes(4) + b"<a name='Zoe'/>")),
            {"meta:xml": ["<a name='Zoe'/>"]},
        ),
    ],
)
def test_a_film(inside, found):
    film = FTYP + box(b"mdat", bytes(5000)) + box(b"moov", inside)
    metadata = collected(film)
    assert metadata.note is None
    assert texts(film) == found


def test_a_film_in_an_encoding_of_a_system():
    film = FTYP + box(b"moov", box(b"udta", box(b"\xa9aut", LEGACY_ATOM)))
    assert LEGACY in texts(film)["udta:©aut"]


def test_a_text_of_a_film_that_is_too_long_is_noted():
    film = FTYP + box(b"moov", box(b"udta", box(b"\xa9aut", bytes(2_000_000))))
    assert collected(film).note == "metadata-cut"


def element(identifier: int, *parts: bytes, size: bytes = b"") -> bytes:
    body = b"".join(parts)
    number = identifier.to_bytes((identifier.bit_length() + 7) // 8)
    return number + (size or (1 << 56 | len(body)).to_bytes(8)) + body


def simple_tag(name: str, value: str, *more: bytes, backwards: bool = False) -> bytes:
    parts = [element(0x45A3, name.encode()), element(0x4487, value.encode())]
    return element(0x67C8, *(parts[::-1] if backwards else parts), *more)


MKV_HEAD = element(0x1A45DFA3, element(0x4282, b"matroska"))
TAGS = element(
    0x1254C367,
    element(
        0x7373,
        simple_tag("ARTIST", NAME),
        simple_tag("DIRECTOR", "Bo Winter", simple_tag("EMAIL", "bo@example.org")),
        simple_tag("ACTOR", "Cy Winter", backwards=True),
    ),
)
CLUSTER = element(0x1F43B675, element(0xE7, b"\0"), element(0xA3, b"\x81\0\0\x80" + bytes(900)))
INFO = element(0x1549A966, element(0x7BA9, b"A film of Di"))
TRACKS = element(0x1654AE6B, element(0xAE, element(0x536E, b"Voice of Ed")))
CHAPTERS = element(0x1043A770, element(0x45B9, element(0xB6, element(0x80, element(0x85, b"Flo")))))
ATTACHED = element(0x1941A469, element(0x61A7, element(0x467E, b"Of Gus"), element(0x466E, b"g")))
IN_MKV = {
    "Matroska:Info/Title": ["A film of Di"],
    "Matroska:Track/Name": ["Voice of Ed"],
    "Matroska:Chapter/String": ["Flo"],
    "Matroska:Attachment/Description": ["Of Gus"],
    "Matroska:Attachment/FileName": ["g"],
    "Matroska:ARTIST": [NAME],
    "Matroska:DIRECTOR": ["Bo Winter"],
    "Matroska:EMAIL": ["bo@example.org"],
    "Matroska:ACTOR": ["Cy Winter"],
}


@pytest.mark.parametrize("size", [b"", b"\x01" + b"\xff" * 7, b"\xff"])
def test_matroska(size):
    inside = (INFO, TRACKS, CHAPTERS, CLUSTER, ATTACHED, CLUSTER, TAGS)
    film = MKV_HEAD + element(0x18538067, *inside, size=size)
    walker = MatroskaWalker()
    for at in range(0, len(film), 7):
        walker.feed(film[at : at + 7])
    assert walker.complete
    assert {text.field: [text.text] for text in walker.metadata().texts} == IN_MKV
    assert texts(film) == IN_MKV
    assert collected(film).note is None
    assert collected(film[:-3]).note == "metadata-unreadable"


def chunk(kind: bytes, *parts: bytes, order: str = "<") -> bytes:
    body = b"".join(parts)
    return kind + struct.pack(f"{order}I", len(body)) + body + bytes(len(body) % 2)


LIST = chunk(
    b"LIST",
    b"INFO",
    chunk(b"IART", LEGACY.encode("cp1251") + b"\0"),
    chunk(b"INAM", b"Name of Bo\0"),
    chunk(b"IZZZ", b"A field of Cy\0"),
)
BEXT = chunk(b"bext", b"Of Di".ljust(256, b"\0") + b"Ed".ljust(346, b"\0") + b"History of Flo")


def test_wav():
    form = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    labels = chunk(b"LIST", b"adtl", chunk(b"labl", bytes(4) + b"Of Gus\0"))
    tag = chunk(b"id3 ", id3(TPE1(encoding=3, text=[NAME])))
    parts = (chunk(b"fmt ", form), BEXT, chunk(b"data", bytes(101)), LIST, labels, tag)
    sound = chunk(b"RIFF", b"WAVE", *parts)
    found = texts(sound)
    assert LEGACY in found.pop("RIFF:IART")
    assert found == {
        "RIFF:INAM": ["Name of Bo"],
        "RIFF:IZZZ": ["A field of Cy"],
        "RIFF:bext/Description": ["Of Di"],
        "RIFF:bext/Originator": ["Ed"],
        "RIFF:bext/CodingHistory": ["History of Flo"],
        "RIFF:labl": ["Of Gus"],
        "ID3:TPE1": [NAME],
    }
    assert collected(sound).note is None
    assert collected(sound[:-300]).note == "metadata-unreadable"


def test_avi():
    header = chunk(b"LIST", b"hdrl", chunk(b"avih", bytes(56)))
    movie = chunk(b"LIST", b"movi", chunk(b"00dc", bytes(900)))
    film = chunk(b"RIFF", b"AVI ", header, LIST, movie, chunk(b"IDIT", b"Shot by Bo\0"))
    found = texts(film)
    assert LEGACY in found.pop("RIFF:IART")
    assert found["RIFF:IDIT"] == ["Shot by Bo"]
    assert found["RIFF:INAM"] == ["Name of Bo"]


def test_aiff():
    common = chunk(b"COMM", bytes(18), order=">")
    author = chunk(b"AUTH", NAME.encode("mac_roman"), order=">")
    sound = chunk(b"FORM", b"AIFF", common, author, order=">")
    assert NAME in texts(sound)["AIFF:AUTH"]


def id3(*frames) -> bytes:
    tag = ID3()
    for frame in frames:
        tag.add(frame)
    file = io.BytesIO()
    tag.save(file, v2_version=4)
    return file.getvalue()


SOUND = (b"\xff\xfb\x90\0" + bytes(413)) * 5


def test_mp3_with_tags_of_every_kind():
    frames = (
        TPE1(encoding=3, text=[NAME, "Bo"]),
        TXXX(encoding=1, desc="With", text=["Cy"]),
        COMM(encoding=3, lang="deu", desc="", text=["For Di"]),
        USLT(encoding=3, lang="eng", desc="", text="A song about Ed"),
        TIPL(encoding=3, people=[["producer", "Flo"]]),
    )
    ape_item = struct.pack("<II", len(NAME.encode()), 0) + b"Artist\0" + NAME.encode()
    ape = struct.pack("<8sIIII8x", b"APETAGEX", 2000, len(ape_item) + 32, 1, 0)
    v1 = b"TAG" + b"Title".ljust(30, b"\0") + LEGACY.encode("cp1251").ljust(30, b"\0")
    v1 = v1.ljust(128, b"\0")
    found = texts(id3(*frames) + SOUND + ape_item + ape + v1)
    assert LEGACY in found.pop("ID3v1:TPE1")
    assert found == {
        "ID3:TPE1": [NAME, "Bo"],
        "ID3:TXXX": ["With", "Cy"],
        "ID3:COMM": ["For Di"],
        "ID3:USLT": ["A song about Ed"],
        "ID3:TIPL": ["producer", "Flo"],
        "APE:Artist": [NAME],
        "ID3v1:TIT2": ["Title"],
    }


@pytest.mark.parametrize("encoding", ["cp1251", "koi8_r", "mac_cyrillic"])
def test_id3_in_an_encoding_of_a_system(encoding):
    shown = LEGACY.encode(encoding).decode("latin-1")
    assert LEGACY in texts(id3(TPE1(encoding=0, text=[shown])) + SOUND)["ID3:TPE1"]


def vorbis(*comments: str) -> bytes:
    packed = b"".join(struct.pack("<I", len(one.encode())) + one.encode() for one in comments)
    return struct.pack("<I", 4) + b"made" + struct.pack("<I", len(comments)) + packed


def test_flac():
    comments = vorbis(f"ARTIST={NAME}", "Description=A song for Bo", "MADE UP=Cy")
    info = struct.pack(">B3s", 0, (34).to_bytes(3)) + struct.pack(">HH", 4096, 4096) + bytes(6)
    info += b"\x0a\xc4\x42\xf0" + bytes(20)
    block = struct.pack(">B3s", 0x84, len(comments).to_bytes(3)) + comments
    found = texts(b"fLaC" + info + block + b"\xff\xf8" + bytes(100))
    assert found == {
        "Vorbis:ARTIST": [NAME],
        "Vorbis:Description": ["A song for Bo"],
        "Vorbis:MADE UP": ["Cy"],
        "Vorbis:vendor": ["made"],
    }


COVER = with_metadata(exif=[("Exif.Image.Artist", NAME)])


def test_a_picture_of_flac_without_comments():
    kind, words = b"image/jpeg", NAME.encode()
    sizes = struct.pack(">IIIII", 1, 1, 24, 0, len(COVER))
    picture = struct.pack(">II", 3, len(kind)) + kind + struct.pack(">I", len(words)) + words
    picture += sizes + COVER
    info = struct.pack(">B3s", 0, (34).to_bytes(3)) + struct.pack(">HH", 4096, 4096) + bytes(6)
    info += b"\x0a\xc4\x42\xf0" + bytes(20)
    block = struct.pack(">B3s", 0x86, len(picture).to_bytes(3)) + picture
    found = texts(b"fLaC" + info + block + b"\xff\xf8" + bytes(100))
    assert found == {"FLAC:Picture": [NAME], "Exif:Artist": [NAME]}


def test_the_metadata_of_a_cover_is_read():
    cover = APIC(encoding=3, mime="image/jpeg", type=3, desc="Front", data=COVER)
    assert texts(id3(cover) + SOUND)["Exif:Artist"] == [NAME]


def ogg(*packets: bytes) -> bytes:
    """Pages of one packet each (RFC 3533)."""
    pages = b""
    for number, packet in enumerate(packets):
        lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
        flags = 2 if number == 0 else 4 if number == len(packets) - 1 else 0
        head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, 0, 7, number, 0, len(lacing))
        pages += head + lacing + packet
    return pages


def test_ogg():
    start = b"\1vorbis" + struct.pack("<IBIIIIBB", 0, 2, 44100, 0, 0, 0, 0xB8, 1)
    comments = b"\3vorbis" + vorbis(f"artist={NAME}") + b"\1"
    opus = b"OpusHead\1\2\0\0\x80\xbb\0\0\0\0\0"
    for packets in ((start, comments, b"\5vorbis"), (opus, b"OpusTags" + vorbis(f"artist={NAME}"))):
        assert texts(ogg(*packets, bytes(10)))["Vorbis:artist"] == [NAME]


def test_vorbis_comments_that_are_no_utf8_are_noted():
    comment = b"ARTIST=" + LEGACY.encode("cp1251")
    packed = struct.pack("<I", 4) + b"made" + struct.pack("<II", 1, len(comment)) + comment
    opus = b"OpusHead\1\2\0\0\x80\xbb\0\0\0\0\0"
    assert collected(ogg(opus, b"OpusTags" + packed, bytes(10))).note == "metadata-unreadable"


def asf_object(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return uuid.UUID(kind).bytes_le + struct.pack("<Q", 24 + len(body)) + body


def wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def test_asf():
    lengths = struct.pack("<5H", len(wide("Of Bo")), len(wide(NAME)), 0, 0, 0)
    described = asf_object(
        "75B22633-668E-11CF-A6D9-00AA0062CE6C", lengths, wide("Of Bo"), wide(NAME)
    )
    name, value = wide("WM/Director"), wide("Cy")
    more = struct.pack("<HH", 1, len(name)) + name + struct.pack("<HH", 0, len(value)) + value
    extended = asf_object("D2D0A440-E307-11D2-97F0-00A0C95EA850", more)
    head = asf_object(
        "75B22630-668E-11CF-A6D9-00AA0062CE6C", struct.pack("<IBB", 2, 1, 2), described, extended
    )
    assert texts(head + bytes(100)) == {
        "ASF:Title": ["Of Bo"],
        "ASF:Author": [NAME],
        "ASF:WM/Director": ["Cy"],
    }


def test_a_sound_of_no_registered_type():
    item = struct.pack("<II", len(NAME.encode()), 0) + b"Artist\0" + NAME.encode()
    tag = item + struct.pack("<8sIIII8x", b"APETAGEX", 2000, len(item) + 32, 1, 0)
    for start in (b"MAC \x96\x0f", b"wvpk", b"MPCK"):
        assert texts(start + bytes(500) + tag)["APE:Artist"] == [NAME]


@pytest.mark.exhausting
def test_hostile_sound():
    for broken in (b"ID3\4\0\0\x7f\x7f\x7f\x7f" + SOUND, id3(TPE1(text=["x"]))[:25] + SOUND):
        assert collected(broken).note in {
            None,
            "metadata-unreadable",
            "metadata-too-large",
        }
    many = id3(*(TXXX(encoding=3, desc=str(n), text=["x" * 9]) for n in range(30_000)))
    assert collected(many + SOUND).note in {None, "metadata-cut", "metadata-too-large"}
