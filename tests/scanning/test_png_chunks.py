"""What a PNG packs is seen by the scanner, in bounded memory."""

import io
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.eicar import eicar
from shared.scanning.png_chunks import SIGNATURE, texts
from shared.scanning.scanner import Findings
from shared.scanning.yara import Signatures

MIB = 1024 * 1024
INFECTED = Findings(("eicar_test_file",))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + bytes(4)


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + chunk(b"IHDR", bytes(13)) + b"".join(chunks) + chunk(b"IEND", b"")


def profile(data: bytes) -> bytes:
    return b"\niptc\n      %d\n" % len(data) + data.hex("\n", 36).encode() + b"\n"


TEXT = b"harmless " * 50 + eicar()
PACKED = zlib.compress(TEXT)


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


def scan(scanner: Signatures, data: bytes) -> Findings:
    running = scanner.begin()
    running.feed(data)
    return running.finish(io.BytesIO(data))


@pytest.mark.parametrize(
    "data",
    [
        chunk(b"zTXt", b"Comment\0\0" + PACKED),
        chunk(b"iCCP", b"ICC profile\0\0" + PACKED),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + PACKED),
        chunk(b"iTXt", "Comment\0\1\0de\0Erläuterung\0".encode() + PACKED),
        chunk(b"tEXt", b"Raw profile type iptc\0" + profile(TEXT)),
        chunk(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(profile(TEXT))),
        chunk(b"zTXt", b"Broken\0\0nonsense") + chunk(b"zTXt", b"Comment\0\0" + PACKED),
        chunk(b"IDAT", bytes(9000)) + chunk(b"zTXt", b"Comment\0\0" + PACKED + b"more"),
    ],
)
def test_what_is_packed_is_found(scanner, data):
    assert scan(scanner, png(data)) == INFECTED


@pytest.mark.parametrize(
    "data",
    [
        b"",
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"text")),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"text" * 100)[:-9]),
        chunk(b"zTXt", b"no text"),
        chunk(b"tEXt", b"Raw profile type iptc\0not hexadecimal"),
        chunk(b"iTXt", b"Comment\0\0\0\0\0text"),
        struct.pack(">L", 2**32 - 1) + b"IDAT",
    ],
)
def test_harmless_pictures_pass(scanner, data):
    assert scan(scanner, png(data)) == Findings()


@pytest.mark.parametrize(
    "build",
    [
        lambda: chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(257 * MIB))),
        lambda: chunk(b"zTXt", b"Raw profile type x\0\0" + zlib.compress(bytes(64 * MIB))),
        lambda: chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(MIB))) * 257,
        lambda: chunk(b"tEXt", b"Raw profile type x\0" + bytes(17 * MIB)),
    ],
    ids=["one", "profile", "many", "plain profile"],
)
@pytest.mark.exhausting
def test_bombs_are_refused_in_flat_memory(scanner, build):
    data = build()
    tracemalloc.start()
    try:
        assert scan(scanner, png(data)).refusal == "archive-too-large"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(data) + 20 * MIB


@pytest.mark.parametrize(
    "build",
    [
        lambda: chunk(
            b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(60 * MIB) + TEXT)
        ),
        lambda: chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(60 * MIB))),
        lambda: chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + bytes(60 * MIB)),
    ],
    ids=["infected", "packed", "plain"],
)
def test_large_texts_are_scanned_in_flat_memory(scanner, build, request):
    data = build()
    found = INFECTED if "infected" in request.node.name else Findings()
    tracemalloc.start()
    try:
        assert scan(scanner, png(data)) == found
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(data) + 20 * MIB


def test_a_text_is_unpacked_to_its_last_byte():
    # The last of it may be in the decompressor when all of the input is.
    for size in range(256 * 1024 - 40, 256 * 1024 + 40):
        file = io.BytesIO(png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size))[:-4])))
        assert sum(map(len, texts(file))) == size


@given(data=st.binary(max_size=300), kind=st.sampled_from([b"zTXt", b"iTXt", b"tEXt", b"iCCP"]))
def test_any_bytes_are_read(kind, data):
    file = io.BytesIO(SIGNATURE + chunk(kind, data) + data)
    pieces = list(texts(file))
    assert all(isinstance(piece, bytes) for piece in pieces)
