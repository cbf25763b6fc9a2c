"""What is packed is unpacked and scanned, within limits; what cannot be is not cleared."""

import base64
import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.eicar import eicar, eicar_nested_zip, eicar_zip
from shared.scanning.archive import HEAD_SIZE, Limits, is_archive
from shared.scanning.scanner import Findings, NotExamined
from shared.scanning.yara import Signatures

MIB = 1024 * 1024
CLEAN = Findings()
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(500) + b"\xff\xd9"
INFECTED = Findings(("eicar_test_file",))


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


def packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def nested(data: bytes, depth: int) -> bytes:
    for level in range(depth):
        data = packed((f"level{level}", data))
    return data


def scan(scanner: Signatures, data: bytes) -> Findings:
    running = scanner.begin()
    running.feed(data)
    return running.finish(io.BytesIO(data))


def word_document(*media: tuple[str, bytes]) -> bytes:
    return packed(
        ("[Content_Types].xml", b'<?xml version="1.0"?><Types/>' + b" " * 2000),
        ("_rels/.rels", b'<?xml version="1.0"?><Relationships/>'),
        ("word/document.xml", b'<?xml version="1.0"?><w:document/>' + b" " * 20_000),
        *media,
    )


@pytest.mark.parametrize("make", [eicar_zip, eicar_nested_zip])
def test_virus_in_a_zip(scanner, make):
    assert eicar() not in make()
    assert scan(scanner, make()) == INFECTED


@pytest.mark.parametrize("depth", range(1, 9))
def test_virus_in_zips_within_zips(scanner, depth):
    assert scan(scanner, nested(b"harmless " * 50 + eicar(), depth)) == INFECTED


def test_virus_across_the_border_of_two_pieces(scanner):
    # Members are unpacked 256 KiB at a time.
    data = b"x" * (256 * 1024 - 30) + eicar()
    assert scan(scanner, packed(("big", data))) == INFECTED


def test_virus_in_gzip(scanner):
    assert scan(scanner, gzip.compress(b"harmless " * 50 + eicar(), mtime=0)) == INFECTED
    assert scan(scanner, packed(("a.gz", gzip.compress(b"x" * 500 + eicar(), mtime=0)))) == INFECTED


@pytest.mark.parametrize("compress", [bz2.compress, lzma.compress])
def test_virus_in_other_compression(scanner, compress):
    infected = b"harmless " * 50 + eicar()
    assert scan(scanner, compress(infected)) == INFECTED
    assert scan(scanner, compress(b"harmless") + compress(infected)) == INFECTED
    assert scan(scanner, packed(("a", compress(infected)))) == INFECTED
    assert scan(scanner, gzip.compress(compress(infected))) == INFECTED
    assert scan(scanner, compress(eicar_nested_zip())) == INFECTED


def test_xz_within_xz_as_in_packages_of_r(scanner):
    for text, findings in ((b"harmless " * 50, CLEAN), (b"harmless " * 50 + eicar(), INFECTED)):
        data = lzma.compress(packed(("a.rds", lzma.compress(lzma.compress(text)))))
        assert scan(scanner, data) == findings


def test_a_refused_xz_leaves_the_turn_to_the_next(scanner):
    bomb = lzma.compress(lzma.compress(bytes(80 * MIB), preset=1))
    assert scan(scanner, bomb).refusal == "archive-too-large"
    assert scan(scanner, lzma.compress(eicar_zip())) == INFECTED


def test_virus_in_a_zip_at_the_end_of_a_picture(scanner):
    picture = b"\xff\xd8\xff\xe0" + bytes(5000) + b"\xff\xd9"
    assert scan(scanner, picture + eicar_zip()) == INFECTED


def test_virus_in_a_zip_at_the_end_of_a_picture_in_an_archive(scanner):
    picture = b"\xff\xd8\xff\xe0" + bytes(5000) + b"\xff\xd9" + eicar_zip()
    assert scan(scanner, packed(("a.jpg", picture))) == INFECTED
    assert scan(scanner, gzip.compress(picture)) == INFECTED
    assert scan(scanner, packed(("b.zip", packed(("a.jpg", picture))))) == INFECTED


def unlisted(hidden: bytes) -> bytes:
    """A zip whose directory lists its second entry only."""
    whole = packed(("a", hidden), ("b", b"text"))
    start = whole.index(b"PK\x01\x02")
    second = whole.index(b"PK\x01\x02", start + 4)
    end = whole.index(b"PK\x05\x06")
    directory = whole[second:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), start, 0)
    return whole[:start] + directory + tail


@pytest.mark.parametrize(
    "data",
    [
        eicar_zip() + packed(("a.txt", b"text")),
        packed(("a.txt", b"text")) + packed(("b.txt", b"text")),
        unlisted(b"harmless " * 50 + eicar()),
        packed(("c.zip", unlisted(b"harmless " * 50 + eicar()))),
        # In the comment at the end, which may be as long as this.
        packed(("a", b"text"))[:-2] + struct.pack("<H", len(eicar_zip())) + eicar_zip(),
    ],
    ids=["before", "two", "unlisted", "inner", "comment"],
)
def test_entries_that_only_some_programs_find_are_not_cleared(scanner, data):
    assert scan(scanner, data) in (Findings(refusal="archive-contradictory"), INFECTED)


@pytest.mark.parametrize(
    "data",
    [
        b"#!/bin/sh\nexec unzip $0\n" + packed(("a.txt", b"text"), ("b.txt", b"text")),
        b"\xff\xd8\xff\xe0" + bytes(300_000) + packed(("a.txt", b"text")),
        packed(("a.zip", packed(("b.txt", b"text"))), method=zipfile.ZIP_STORED),
    ],
)
def test_entries_that_the_directory_lists_hide_nothing(scanner, data):
    assert scan(scanner, data) == CLEAN


def test_an_entry_of_unknown_size_hides_nothing(scanner):
    """Written to where there is no going back: the sizes follow the data."""

    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise io.UnsupportedOperation

        def tell(self):
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"text " * 50)
        archive.writestr("b.txt", b"text " * 50)
    assert scan(scanner, pipe.getvalue()) == CLEAN


def test_two_members_do_not_make_one_virus(scanner):
    halves = packed(("a", b"x" * 99 + eicar()[:34]), ("b", eicar()[34:]))
    assert scan(scanner, halves) == CLEAN


@pytest.mark.parametrize(
    "data",
    [
        packed(("a.txt", b"text"), ("folder/", b""), ("folder/b.txt", b"")),
        packed(("a.txt", b"text"), method=zipfile.ZIP_STORED),
        packed(),
        word_document(),
        word_document(("word/media/chart.emz", gzip.compress(b"a picture " * 500, mtime=0))),
        packed(("report.docx", word_document(("word/embeddings/s.xlsx", word_document())))),
        gzip.compress(b"<svg/>", mtime=0),
        bz2.compress(b"<svg/>"),
        bz2.compress(b""),
        lzma.compress(b"<svg/>"),
        lzma.compress(b"<svg/>", preset=9),
        lzma.compress(b"a") + bytes(8) + lzma.compress(b"b") + bytes(4),
        b"BZh is no archive, and neither is LZMA",
        b"\xff\xd8\xff\xe0" + bytes(100) + b"PK\x05\x06" + bytes(range(200)),
    ],
)
def test_harmless_archives_pass(scanner, data):
    assert scan(scanner, data) == CLEAN


def test_a_spooled_file_will_do(scanner):
    with tempfile.SpooledTemporaryFile(1) as spool:
        spool.write(eicar_nested_zip())
        running = scanner.begin()
        running.feed(eicar_nested_zip())
        assert running.finish(spool) == INFECTED


def with_flag(data: bytes, flag: int) -> bytes:
    """A zip whose every header carries `flag`."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = changed.find(signature)
        while position >= 0:
            (flags,) = struct.unpack_from("<H", changed, position + offset)
            struct.pack_into("<H", changed, position + offset, flags | flag)
            position = changed.find(signature, position + 4)
    return bytes(changed)


SOUND = packed(("a.txt", b"some text " * 100), ("b.txt", b"more text " * 100))


@pytest.mark.parametrize(
    ("refusal", "data"),
    [
        ("archive-encrypted", with_flag(SOUND, 0x1)),
        ("archive-encrypted", with_flag(SOUND, 0x41)),
        ("archive-encrypted", packed(("inner.zip", with_flag(SOUND, 0x1)))),
        ("archive-broken", SOUND[:-30]),
        ("archive-broken", SOUND[: len(SOUND) // 2]),
        ("archive-broken", b"PK\x03\x04"),
        ("archive-contradictory", SOUND.replace(b"a.txt", b"c.txt", 1)),
        ("archive-contradictory", SOUND[:45] + bytes(6) + SOUND[51:]),
        ("archive-broken", gzip.compress(b"text" * 100, mtime=0)[:-3]),
        ("archive-broken", b"\x1f\x8b" + bytes(20)),
        ("archive-broken", packed(("inner.zip", SOUND[:-30]))),
        ("archive-too-deep", nested(b"text", 9)),
        ("archive-too-deep", nested(b"text", 40)),
        ("archive-unsupported", packed(("a", b"text"), method=zipfile.ZIP_BZIP2)),
        ("archive-unsupported", packed(("a", b"text"), method=zipfile.ZIP_LZMA)),
        ("archive-broken", bz2.compress(b"text")[:-1]),
        ("archive-broken", bz2.compress(b"text") + b"more"),
        ("archive-broken", b"BZh91AY&SY" + bytes(50)),
        ("archive-broken", lzma.compress(b"text")[:-1]),
        ("archive-broken", lzma.compress(b"text") + b"more"),
        ("archive-broken", b"\xfd7zXZ\0" + bytes(50)),
        ("archive-unsupported", lzma.compress(b"text", lzma.FORMAT_ALONE)),
        ("archive-unsupported", b"\x28\xb5\x2f\xfd" + bytes(50)),
        ("archive-unsupported", b"7z\xbc\xaf\x27\x1c" + bytes(50)),
        ("archive-unsupported", b"Rar!\x1a\x07\x01\x00" + bytes(50)),
        ("archive-unsupported", packed(("a.txt", b"text"), ("b.7z", b"7z\xbc\xaf\x27\x1c"))),
    ],
)
def test_what_cannot_be_scanned_is_not_cleared(scanner, refusal, data):
    assert scan(scanner, data) == Findings(refusal=refusal)


def test_without_a_file_an_archive_is_not_cleared(scanner):
    for data, refusal in (
        (SOUND, "archive-too-large"),
        (b"7z\xbc\xaf\x27\x1c", "archive-unsupported"),
        (b"a text", None),
    ):
        running = scanner.begin()
        running.feed(data[:3])
        running.feed(data[3:])
        assert running.finish(None).refusal == refusal


def test_a_virus_is_reported_rather_than_a_refusal(scanner):
    assert scan(scanner, packed(("a", eicar() + b"x" * 99), ("inner.zip", SOUND[:-30]))) == INFECTED
    assert scan(scanner, SOUND[:-30] + eicar()) == INFECTED


@pytest.mark.parametrize(
    "bomb",
    [
        lambda: packed(*((f"{number}", bytes(40 * MIB)) for number in range(3))),
        lambda: packed(("inner.zip", packed(("a", bytes(40 * MIB)))), ("b", bytes(40 * MIB))),
        lambda: gzip.compress(bytes(80 * MIB), mtime=0),
        lambda: bz2.compress(bytes(80 * MIB)),
        lambda: lzma.compress(bytes(80 * MIB), preset=1),
        lambda: packed(("a.gz", gzip.compress(bytes(80 * MIB), mtime=0))),
        lambda: packed(*((f"{number}", b"") for number in range(20_001))),
    ],
    ids=["ratio", "nested", "gzip", "bzip2", "xz", "gzip in zip", "members"],
)
@pytest.mark.exhausting
def test_bombs_are_refused_in_flat_memory(scanner, bomb):
    data = bomb()
    tracemalloc.start()
    try:
        assert scan(scanner, data).refusal == "archive-too-large"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * MIB


def overlapping(members: int, size: int) -> bytes:
    """Every entry of the directory points to the same data (D. Fifield, 2019)."""
    data = packed(("a", bytes(size)))
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    directory = data[start:end] * members
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, members, members, len(directory), start, 0)
    return data[:start] + directory + tail


def test_one_member_listed_many_times_is_refused(scanner):
    assert scan(scanner, overlapping(2, 1000)).refusal == "archive-contradictory"
    assert scan(scanner, overlapping(9000, MIB)).refusal == "archive-contradictory"


def test_a_giant_directory_is_not_read(scanner):
    directory = b"PK\x01\x02" + bytes(42) + b"x" * (8 * MIB)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), 30, 0)
    data = b"PK\x03\x04" + bytes(26) + directory + tail
    tracemalloc.start()
    try:
        assert scan(scanner, data).refusal == "archive-too-large"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The window is a copy of the chunk, as is the spool; the directory would be a third.
    assert peak < 2 * len(data) + 6 * MIB


def test_limits_can_be_set():
    narrow = Signatures(limits=Limits(depth=1, members=2, free=1000, ratio=1))
    assert scan(narrow, packed(("a", b"a"), ("b", b"b"))) == CLEAN
    assert (
        scan(narrow, packed(("a", b"a"), ("b", b"b"), ("c", b"c"))).refusal == "archive-too-large"
    )
    assert scan(narrow, packed(("a", bytes(2000)))).refusal == "archive-too-large"
    assert scan(narrow, packed(("a", packed(("b", b"b"))))).refusal == "archive-too-deep"


REFUSALS = {
    None,
    "archive-broken",
    "archive-contradictory",
    "archive-encrypted",
    "archive-too-deep",
    "archive-too-large",
    "archive-unsupported",
}


HEADS = [
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"",
    lzma.compress(b"x")[:24],
    b"BZh91AY&SY",
    b"a" * 257 + b"ustar\x0000",
]


@given(tail=st.binary(max_size=400), head=st.sampled_from(HEADS))
def test_any_bytes_come_to_a_verdict(scanner, head, tail):
    assert scan(scanner, head + tail).refusal in REFUSALS


@given(
    position=st.integers(min_value=0, max_value=len(eicar_nested_zip()) - 1),
    value=st.integers(min_value=0, max_value=255),
)
def test_a_damaged_archive_comes_to_a_verdict(scanner, position, value):
    data = bytearray(eicar_nested_zip())
    data[position] = value
    findings = scan(scanner, bytes(data))
    assert findings.refusal in REFUSALS
    assert not findings.matches or findings == INFECTED


def test_is_archive():
    assert is_archive(SOUND[:HEAD_SIZE])
    assert is_archive(word_document()[:HEAD_SIZE])
    assert is_archive(gzip.compress(b"", mtime=0))
    assert is_archive(bz2.compress(b""))
    assert is_archive(bz2.compress(b"text"))
    assert is_archive(lzma.compress(b""))
    assert not is_archive(b"BZh9 is a name")
    assert not is_archive(bytes(512))
    assert not is_archive(b"")
    assert not is_archive(b"PK is a name")


def directory_changed(change) -> bytes:
    """The virus in a zip, of whose directory's one entry `change` makes another."""
    zipped = bytearray(eicar_zip())
    entry = zipped.index(b"PK\x01\x02")
    change(zipped, entry)
    return bytes(zipped)


def of_a_later_version(zipped: bytearray, entry: int) -> None:
    struct.pack_into("<H", zipped, entry + 6, 99)


def with_a_name_that_is_no_utf8(zipped: bytearray, entry: int) -> None:
    struct.pack_into("<H", zipped, entry + 8, 0x800)
    zipped[entry + 46] = 0xFF


def with_an_empty_end_behind(zipped: bytearray, _: int) -> None:
    zipped += b"PK\x05\x06" + bytes(18)


CONTRADICTORY = Findings(refusal="archive-contradictory")


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        (of_a_later_version, INFECTED),
        (with_a_name_that_is_no_utf8, CONTRADICTORY),
        (with_an_empty_end_behind, CONTRADICTORY),
    ],
)
@pytest.mark.parametrize("wrap", [bytes, lambda photo: packed(("photo.jpg", photo))])
def test_a_zip_behind_a_picture_is_not_hidden_by_an_odd_directory(scanner, change, findings, wrap):
    data = wrap(JPEG + directory_changed(change))
    assert eicar() not in data
    assert scan(scanner, data) == findings


def test_the_end_of_a_zip_without_a_directory_is_chance(scanner):
    assert scan(scanner, JPEG + b"PK\x05\x06" + b"\xff" * 18 + JPEG) == CLEAN
    assert scan(scanner, JPEG + b"PK\x05\x06" + bytes(18)) == CLEAN
    assert scan(scanner, b"\xff\xd8\xff" + b"PK\x05\x06" + b"\xff\xd9") == CLEAN


FILM = (Path(__file__).parents[2] / "samples/clip.mp4").read_bytes()


@pytest.mark.parametrize(
    ("behind", "findings"),
    [
        (eicar_zip(), Findings(refusal="archive-too-large")),
        (b"Rar!\x1a\x07\x01\x00" + bytes(50), Findings(refusal="archive-too-large")),
        (b"%PDF-1.7 stream\n", Findings(not_examined=(NotExamined("large-file", "x"),))),
        (b"", CLEAN),
    ],
)
@pytest.mark.parametrize("chunk", [1 << 16, 1000])
def test_a_film_that_is_too_large_to_keep_is_not_cleared_without_a_word(
    scanner, behind, findings, chunk
):
    data = FILM + behind
    reading = scanner.begin()
    for at in range(0, len(data), chunk):
        reading.feed(data[at : at + chunk])
    found = reading.finish(None)
    assert (found.matches, found.refusal) == (findings.matches, findings.refusal)
    assert [note.what for note in found.not_examined] == [n.what for n in findings.not_examined]


def test_a_film_in_a_tar_may_be_of_any_size(scanner, monkeypatch):
    monkeypatch.setattr("shared.scanning.archive._MAX_COPY", len(FILM))
    assert scan(scanner, tarred(FILM + eicar_zip())).refusal == "archive-too-large"
    assert scan(scanner, tarred(FILM + b"and more")) == CLEAN


def tarred(data):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("film.mp4")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_the_sums_of_a_signed_archive_are_no_archives(scanner):
    """Thousands of sums begin with any two bytes, those of old packers included."""
    sums = b"".join(
        b"SHA-256-Digest: " + base64.b64encode(mark + bytes(range(30))) + b"\n\n"
        for mark in (b"\x1f\x9d", b"\x1f\x8b", b"PK", b"BZ")
    )
    assert scan(scanner, b"Manifest-Version: 1.0\n\n" + sums) == CLEAN


@pytest.mark.parametrize("properties", [{}, {"lc": 0, "lp": 0, "pb": 0}, {"lc": 0, "lp": 2}])
def test_an_older_lzma_of_any_properties_is_refused(scanner, properties):
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, **properties}]
    data = lzma.compress(b"harmless text", lzma.FORMAT_ALONE, filters=filters)
    assert scan(scanner, data).refusal == "archive-unsupported"


def test_four_numbers_are_no_lzma(scanner):
    """The heads of Kotlin's built-in files."""
    numbers = struct.pack(">4I", 3, 1, 0, 7)
    assert scan(scanner, numbers + b"\n\x9e\x03\n\x06kotlin\n\nannotation" * 20) == CLEAN


def test_what_stands_before_the_damage_of_a_gzip_in_a_photo_is_scanned(scanner):
    packed_virus = bytearray(gzip.compress(b"text " * 40 + eicar() + b"words " * 300, mtime=0))
    packed_virus[-20] ^= 0x55
    with pytest.raises(zlib.error):
        gzip.decompress(packed_virus)
    assert scan(scanner, JPEG + bytes(packed_virus)) == INFECTED
