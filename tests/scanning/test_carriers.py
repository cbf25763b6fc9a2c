"""Hostile carriers cost little, and end in a verdict: never in an exception, never in silence."""

import base64
import io
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from shared.scanning.scanner import Findings, NotExamined
from shared.scanning.yara import Signatures
from tests.scanning.corpus import CASES
from tests.scanning.corpus import pieces as p

MIB = 1024 * 1024
TOO_LARGE = Findings(refusal="archive-too-large")
SMALL = 400_000


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


def scan(scanner: Signatures, data: bytes) -> Findings:
    running = scanner.begin()
    running.feed(data)
    return running.finish(io.BytesIO(data))


def flate(data: bytes, times: int = 1) -> bytes:
    for _ in range(times):
        data = zlib.compress(data, 9)
    return data


BOMBS: dict[str, Callable[[], bytes]] = {
    "PDF, one stream": lambda: p.attached(b"/Filter/Fl", flate(bytes(100 * MIB))),
    "PDF, filters in a chain": lambda: p.attached(b"/Filter[/Fl/Fl]", flate(bytes(200 * MIB), 2)),
    "PDF, many streams": lambda: p.pdf(*[p.stream(b"/Filter/Fl", flate(bytes(MIB)))] * 200),
    "PDF in PDFs": lambda: p.attached(
        b"/Filter/Fl", flate(p.attached(b"/Filter/Fl", flate(bytes(100 * MIB))))
    ),
    "mail with a packed file": lambda: p.mail(
        p.mail_part(base64.encodebytes(p.gzipped(bytes(100 * MIB))))
    ),
    "OLE with a packed file": lambda: p.ole({"Data": p.gzipped(bytes(100 * MIB))}),
    "page with a packed file": lambda: (
        b"<html><a href='data:x;base64," + base64.b64encode(p.gzipped(bytes(100 * MIB))) + b"'>"
    ),
    "Flash": lambda: p.swf(bytes(100 * MIB)),
}


@pytest.mark.parametrize("build", BOMBS.values(), ids=BOMBS)
@pytest.mark.exhausting
def test_a_bomb_in_a_carrier_is_refused_in_little_memory(scanner, build):
    data = build()
    tracemalloc.start()
    try:
        findings = scan(scanner, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert findings == TOO_LARGE
    assert peak < 24 * MIB


def test_carriers_in_carriers_are_refused_below_the_limit_of_depth(scanner):
    data = b"harmless"
    for _ in range(10):
        data = p.mail(p.mail_part(p.lines_of_base64(data)))
    assert scan(scanner, data) == Findings(refusal="archive-too-deep")


def test_the_slow_filters_of_a_pdf_end_with_a_note(scanner):
    zeros = b"\x81\0" * (50 * MIB // 128)
    data = p.pdf(*[p.stream(b"/Filter/RL", zeros)] * 2)
    findings = scan(scanner, data)
    assert findings.refusal is None
    assert {note.what for note in findings.not_examined} == {"pdf-stream"}


def test_more_marks_than_are_read_are_noted(scanner):
    findings = scan(scanner, b"data:" * 200_100)
    assert findings == Findings(not_examined=(NotExamined("further-parts", "byte 1000000"),))


def test_more_carriers_than_are_read_are_refused(scanner):
    assert (
        scan(
            scanner, b"!<arch>\n".ljust(66) + b"`\n" + b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 10_001
        )
        == TOO_LARGE
    )


@pytest.mark.exhausting
def test_a_compound_file_with_endless_tables_is_refused(scanner):
    header = bytearray(p.ole({"Data": bytes(5000)})[:512])
    # Every sector of the file is a sector of the table, and leads to the sector behind.
    header[44:48] = (0xFFFF).to_bytes(4, "little")
    header[68:72] = bytes(4)
    body = b"".join(number.to_bytes(4, "little") for number in range(1, 128 * 20_000))
    files = (bytes(header) + body) * 5
    assert scan(scanner, files).refusal == "archive-too-large"


def mutated(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 8))):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = chance.randbytes(1)
            case 1:
                del changed[at : at + chance.randrange(50)]
            case 2:
                changed[at : at + 4] = chance.choice((b"\xff" * 4, b"\xfe" + b"\xff" * 3, bytes(4)))
            case 3:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                changed[at:at] = other[start : start + 2000]
            case _:
                del changed[at:]
    return bytes(changed)


@pytest.mark.exhausting
def test_damaged_files_of_the_corpus_end_in_a_verdict(scanner):
    chance = random.Random(11)
    files = [data for case in CASES if len(data := case.build()) < SMALL]
    for _ in range(600):
        data = mutated(chance.choice(files), files, chance)
        assert isinstance(scan(scanner, data), Findings)
