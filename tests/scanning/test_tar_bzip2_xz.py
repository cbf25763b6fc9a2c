"""Tars: what is in them is found, and hostile headers cost neither memory nor time."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.eicar import eicar, eicar_nested_zip, eicar_zip
from shared.scanning.archive import is_archive
from shared.scanning.scanner import Findings
from shared.scanning.yara import Signatures

MIB = 1024 * 1024
CLEAN = Findings()
INFECTED = Findings(("eicar_test_file",))
BROKEN = Findings(refusal="archive-broken")
TOO_LARGE = Findings(refusal="archive-too-large")


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


def scan(scanner: Signatures, data: bytes) -> Findings:
    running = scanner.begin()
    running.feed(data)
    return running.finish(io.BytesIO(data))


def tar(*members: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def header(kind: bytes, size: int, **fields: bytes) -> bytes:
    """One header of 512 bytes with a sound checksum."""
    block = bytearray(512)
    block[0:4] = b"name"
    block[100:108] = b"0000644\0"
    # Base-256, which takes any number, where octal has no room for it.
    if 0 <= size < 8**11:
        block[124:136] = f"{size:011o}\0".encode()
    else:
        block[124:136] = struct.pack(">Bxxxq", 0x80 if size >= 0 else 0xFF, size)
        if size < 0:
            block[125:128] = b"\xff\xff\xff"
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


END = bytes(1024)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize(
    "member",
    [eicar_zip(), eicar_nested_zip(), gzip.compress(b"x" * 99 + eicar()), tar(("a", eicar_zip()))],
    ids=["zip", "zip in zip", "gzip", "tar"],
)
def test_virus_in_a_packed_member(scanner, form, member):
    name = "folder/" * 20 + "ä.bin"
    data = tar(("first.txt", b"harmless"), (name[-90:], member), form=form)
    assert eicar() not in data
    assert scan(scanner, data) == INFECTED
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        assert scan(scanner, compress(data)) == INFECTED


def test_virus_across_the_border_of_two_pieces(scanner):
    data = tar(("a", b"x" * (256 * 1024 - 30) + eicar()))
    assert scan(scanner, gzip.compress(data)) == INFECTED


def test_a_tar_of_before_there_was_a_mark(scanner):
    old = bytearray(tar(("a", eicar_zip()), form=tarfile.USTAR_FORMAT))
    old[257:265] = bytes(8)
    old[148:156] = b" " * 8
    old[148:156] = f"{sum(old[:512]):06o}\0 ".encode()
    assert is_archive(bytes(old[:512]))
    assert scan(scanner, bytes(old)) == INFECTED


@pytest.mark.parametrize(
    "data",
    [
        tar(("a.txt", b"text"), ("b.txt", b"")),
        tar(),
        tar(("a" * 300, b"text"), form=tarfile.GNU_FORMAT),
        tar(("ä" * 300, b"text"), form=tarfile.PAX_FORMAT),
        tar(("a.txt", b"text"))[:1024],
        header(b"5", 0) + END,
        header(b"2", 0) + header(b"0", 4) + padded(b"text") + END,
        tar(*((f"{number}.txt", b"text") for number in range(1000))),
    ],
    ids=["two", "none", "GNU name", "PAX name", "no end", "folder", "link", "many"],
)
def test_harmless_tars_pass(scanner, data):
    assert scan(scanner, data) == CLEAN


HIDDEN = padded(gzip.compress(b"x" * 99 + eicar()))


@pytest.mark.parametrize(
    "data",
    [
        tar(("a", b"text"))[:514],
        header(b"0", 4) + padded(b"text") + b"x" * 512 + header(b"0", len(HIDDEN)) + HIDDEN,
        tar(("a", b"text")) + tar(("b", HIDDEN)),
        header(b"0", 4) + padded(b"text") + END + HIDDEN,
        # Data where a link has none: its size is not skipped.
        header(b"1", len(HIDDEN)) + HIDDEN + END,
        header(b"0", 100 * MIB) + b"text",
        header(b"0", -512) + END,
        header(b"0", 2**62) + b"text",
        header(b"x", -1) + b"x" * MIB,
        header(b"x", 30) + padded(b"30 size=-99999999999999999999\n") + header(b"0", 4) + END,
        header(b"L", 10) + padded(b"a name") + b"x" * 512,
        b"x" * 257 + b"ustar" + bytes(250),
        header(b"x", 512) + b"9999999999 path=a\n" + bytes(494) + header(b"0", 0) + END,
    ],
)
def test_what_other_programs_might_find_is_not_cleared(scanner, data):
    assert scan(scanner, data) == BROKEN


def test_a_sparse_file_is_not_cleared(scanner):
    # GNU's old form: the map of what is there is in the header, from byte 386 on.
    sparse = bytearray(header(b"S", 0))
    sparse[386:410] = b"00000000000\0" + b"00000000000\0"
    sparse[148:156] = b" " * 8
    sparse[148:156] = f"{sum(sparse):06o}\0 ".encode()
    assert scan(scanner, bytes(sparse) + END).refusal in {"archive-unsupported", "archive-broken"}


def flood(kind: bytes, size: int, count: int) -> bytes:
    record = header(kind, size) + padded(b"x" * size)
    return record * count + header(b"0", 0) + END


@pytest.mark.parametrize(
    "data",
    [
        header(b"x", 20 * MIB) + b"x" * (20 * MIB) + END,
        header(b"L", 20 * MIB) + b"x" * (20 * MIB) + END,
        flood(b"L", 600 * 1024, 10),
        b"".join(header(b"0", 0) for _ in range(20_001)) + END,
    ],
    ids=["PAX", "GNU", "many", "members"],
)
@pytest.mark.exhausting
def test_giant_headers_are_not_read(scanner, data):
    tracemalloc.start()
    try:
        assert scan(scanner, data) == TOO_LARGE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The file itself, twice: as the chunk's window and as the spool.
    assert peak < 2 * len(data) + 12 * MIB


def test_headers_that_follow_headers_are_given_up(scanner):
    assert scan(scanner, flood(b"L", 1, 900)) == BROKEN
    assert scan(scanner, flood(b"g", 0, 900)) == BROKEN


@pytest.mark.exhausting
def test_what_headers_declare_for_all_is_not_kept(scanner):
    def declared(number: int) -> bytes:
        record = f"key{number:05}={'x' * 900}\n".encode()
        line = f"{len(record) + 4} ".encode() + record
        return header(b"g", len(line)) + padded(line) + header(b"0", 0)

    data = b"".join(declared(number) for number in range(5000)) + END
    tracemalloc.start()
    try:
        assert scan(scanner, data) == CLEAN
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(data) + 4 * MIB


def test_a_tar_in_a_zip_of_tars(scanner):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tar", tar(("a.txt", b"text")))
        archive.writestr("b.tar.xz", lzma.compress(tar(("b.zip", eicar_zip()))))
    assert scan(scanner, buffer.getvalue()) == INFECTED


@given(
    position=st.integers(min_value=0, max_value=len(tar(("a", eicar_zip()))) - 1),
    value=st.integers(min_value=0, max_value=255),
)
def test_a_damaged_tar_comes_to_a_verdict(scanner, position, value):
    data = bytearray(tar(("a", eicar_zip())))
    data[position] = value
    findings = scan(scanner, bytes(data))
    assert findings in (INFECTED, CLEAN) or findings.refusal.startswith("archive-")
