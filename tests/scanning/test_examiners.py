"""The hook of the examiners: embedded parts are scanned, unpacked in turn, or noted."""

import io
import zipfile
from collections.abc import Iterator
from typing import IO

import pytest

from samples.eicar import eicar_zip
from shared.scanning import archive
from shared.scanning.carriers.parts import Part
from shared.scanning.scanner import Findings, NotExamined, RefusedArchiveError
from shared.scanning.yara import Signatures

LOCKED = NotExamined("locked", "part 2")


def carriers(file: IO[bytes], head: bytes, marks: object) -> Iterator[Part]:
    """An examiner of a format of these tests: each line of digits is a part."""
    if not head.startswith(b"CARRIER"):
        return
    file.seek(len(b"CARRIER"))
    for line in file.read().split(b"\n"):
        if line == b"locked":
            yield LOCKED
        elif line == b"secret":
            raise RefusedArchiveError("archive-encrypted")
        else:
            yield bytes.fromhex(line[:40].decode())
            yield bytes.fromhex(line[40:].decode())
            yield b""


@pytest.fixture
def scanner(monkeypatch) -> Signatures:
    monkeypatch.setattr(archive, "EXAMINERS", (carriers,))
    return Signatures()


def scan(scanner: Signatures, data: bytes) -> Findings:
    running = scanner.begin()
    running.feed(data)
    return running.finish(io.BytesIO(data))


def carrier(*parts: bytes) -> bytes:
    return b"CARRIER" + b"\n".join(parts)


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zip_file:
        zip_file.writestr("a", data)
    return buffer.getvalue()


VIRUS = eicar_zip().hex().encode()
TEXT = (b"a harmless text" * 9).hex().encode()


@pytest.mark.parametrize("wrap", [bytes, zipped, lambda data: carrier(data.hex().encode())])
@pytest.mark.parametrize(
    ("expected", "parts"),
    [
        (Findings(), [TEXT]),
        (Findings(("eicar_test_file",)), [TEXT, VIRUS]),
        (Findings(not_examined=(LOCKED,)), [TEXT, b"locked", TEXT]),
        (Findings(("eicar_test_file",), not_examined=(LOCKED,)), [b"locked", VIRUS]),
        (Findings(refusal="archive-encrypted"), [TEXT, b"secret", VIRUS]),
    ],
)
def test_parts_are_scanned_or_noted(scanner, wrap, expected, parts):
    assert scan(scanner, wrap(carrier(*parts))) == expected


def test_parts_count_as_members_and_levels(scanner):
    deep = carrier(TEXT)
    for _ in range(8):
        deep = carrier(deep.hex().encode())
    assert scan(scanner, deep) == Findings(refusal="archive-too-deep")
    assert scan(scanner, carrier(*[b"00"] * 20_001)) == Findings(refusal="archive-too-large")
