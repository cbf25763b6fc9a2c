"""XMP packets are found in what streams past, however it is cut into chunks."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.metadata.film_boxes import BoxWalker
from shared.metadata.xmp_packets import MAX_PACKET, MAX_PACKETS, PacketFinder

HEADER = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
TRAILER = b'<?xpacket end="w"?>'
UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")


def wrapped(inside: bytes) -> bytes:
    return HEADER + b"\n" + inside + b"\n" + b" " * 40 + TRAILER


def box(kind: bytes, inside: bytes = b"", *, long: bool = False) -> bytes:
    if long:
        return struct.pack(">I4sQ", 1, kind, 16 + len(inside)) + inside
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def found_by(search, data: bytes, size: int) -> list[bytes]:
    for start in range(0, len(data), size):
        search.feed(data[start : start + size])
    return search.packets.found


@pytest.mark.parametrize("size", [1, 7, 23, 24, 25, 64, 10_000])
def test_packets_among_other_bytes(size):
    data = b"%PDF" + wrapped(b"<a/>") + bytes(500) + wrapped(b"<b/>") + wrapped(b"<a/>") + b"end"
    finder = PacketFinder()
    assert found_by(finder, data, size) == [b"<a/>", b"<b/>"]
    assert not finder.packets.cut


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 200))
def test_a_packet_among_any_bytes(before, after, size):
    assert b"<a/>" in found_by(PacketFinder(), before + wrapped(b"<a/>") + after, size)


def test_headers_without_a_trailer():
    assert found_by(PacketFinder(), HEADER * 5 + b"<a/>" + TRAILER, 100) == [b"<a/>"]
    finder = PacketFinder()
    assert found_by(finder, HEADER * 100_000, 4 * 1024 * 1024) == []
    finder.feed(b"<b/>" + TRAILER + wrapped(b"<c/>"))
    assert finder.packets.found == [b"<b/>", b"<c/>"]


def test_packets_that_are_too_long_or_too_many():
    finder = PacketFinder()
    long = wrapped(b"x" * (MAX_PACKET + 1)) + wrapped(b"<a/>")
    assert found_by(finder, long, 100_000) == [b"<a/>"]
    assert finder.packets.cut
    finder = PacketFinder()
    many = b"".join(wrapped(b"%d" % number) for number in range(MAX_PACKETS + 1))
    assert len(found_by(finder, many, 999)) == MAX_PACKETS
    assert finder.packets.cut


FTYP = box(b"ftyp", b"isom" + bytes(4))
FILM = box(b"mdat", b"uuid" * 300)
XMP = box(b"uuid", UUID + wrapped(b"<a/>"))
FILMS = {
    "before": FTYP + XMP + FILM + box(b"moov"),
    "after": FTYP + FILM + box(b"moov", box(b"mvhd", bytes(100))) + XMP,
    "long": FTYP + box(b"mdat", bytes(999), long=True) + XMP,
    "last": FTYP + XMP + struct.pack(">I4s", 0, b"mdat") + bytes(99),
    "inside": FTYP + box(b"moov", box(b"trak", box(b"udta", XMP)) + box(b"free")),
    "QuickTime": box(b"moov", box(b"udta", box(b"XMP_", b"<a/>") + bytes(4))) + FILM,
    "padded": box(b"moov", box(b"udta", box(b"XMP_", b"<a/>") + bytes(400)) + box(b"trak")),
    "long uuid": struct.pack(">I4sQ", 1, b"uuid", 32 + 4) + UUID + b"<a/>",
}


@pytest.mark.parametrize("film", FILMS.values(), ids=FILMS)
@pytest.mark.parametrize("size", [1, 5, 64, 10_000])
def test_packets_in_films(film, size):
    walker = BoxWalker()
    assert found_by(walker, film, size) == [b"<a/>"]
    assert walker.complete
    assert not walker.packets.cut


@pytest.mark.parametrize(
    "film",
    [
        FTYP + FILM[:-1],
        FTYP + FILM + struct.pack(">I4s", 500, b"moov") + box(b"mvhd"),
        FTYP + b"\0\0\0\x07free",
        FTYP + struct.pack(">I4sQ", 1, b"free", 15),
        FTYP + FILM[:3],
        FTYP + XMP[:-3],
        FTYP + struct.pack(">I4s", 12, b"uuid") + bytes(4),
    ],
)
@pytest.mark.parametrize("size", [1, 10_000])
def test_films_that_are_cut_or_broken(film, size):
    walker = BoxWalker()
    assert found_by(walker, film, size) == []
    assert not walker.complete


def test_a_film_is_not_walked_for_ever_nor_its_packets_kept_whatever_their_size():
    walker = BoxWalker()
    assert found_by(walker, FTYP + box(b"free") * 1_000_100 + XMP, 4 * 1024 * 1024) == []
    assert not walker.complete
    walker = BoxWalker()
    assert (
        found_by(walker, box(b"moov", b"") + box(b"uuid", UUID + bytes(MAX_PACKET + 1)), 65_536)
        == []
    )
    assert walker.packets.cut
    assert walker.complete
    deep = b""
    for _ in range(100):
        deep = box(b"moov", deep)
    walker = BoxWalker()
    assert found_by(walker, deep, 3) == []
    assert walker.complete


@given(st.lists(st.binary(max_size=64), max_size=20))
def test_any_bytes_as_a_film(chunks):
    walker = BoxWalker()
    for chunk in chunks:
        walker.feed(chunk)
    assert len(walker.packets.found) <= MAX_PACKETS
