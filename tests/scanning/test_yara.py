import concurrent.futures
import io
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.eicar import eicar
from shared.scanning.scanner import Findings
from shared.scanning.yara import Signatures

MIB = 1024 * 1024
INFECTED = Findings(("eicar_test_file",))
CLEAN = Findings()


@pytest.fixture(scope="module")
def scanner() -> Signatures:
    return Signatures()


def scan(scanner: Signatures, *chunks: bytes) -> Findings:
    """The findings of chunks that make up one upload, with the spool that a pass would keep."""
    running = scanner.begin()
    for chunk in chunks:
        running.feed(chunk)
    return running.finish(io.BytesIO(b"".join(chunks)))


def test_says_what_scanned(scanner):
    engine = scanner.engine
    assert engine.name == "yara-x"
    assert engine.version.count(".") == 2
    assert len(engine.signatures) == 16
    assert engine.signatures_made_at.tzinfo is UTC
    assert Signatures().engine == scanner.begin().engine == engine


def test_another_rule_is_another_signature_version(scanner, tmp_path):
    rule = 'rule {} {{ meta: date = "{}" reach = 5 strings: $a = "hello" condition: any of them }}'
    (tmp_path / "a.yar").write_text(rule.format("first", "2026-01-02"))
    first = Signatures(tmp_path)
    assert scan(first, b"oh hello there") == Findings(("first",))
    assert first.engine.signatures_made_at == datetime(2026, 1, 2, tzinfo=UTC)
    (tmp_path / "b.yar").write_text(rule.format("second", "2026-03-04"))
    second = Signatures(tmp_path)
    assert second.engine.signatures != first.engine.signatures
    assert second.engine.signatures_made_at == datetime(2026, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "meta",
    [
        "",
        'meta: date = "2026-01-02"',
        'meta: date = "2026-01-02" reach = 1',
        'meta: date = "2026-01-02" reach = "5"',
        "meta: reach = 5",
        'meta: reach = 5 date = "soon"',
    ],
)
def test_a_rule_must_state_its_reach_and_its_date(tmp_path, meta):
    (tmp_path / "a.yar").write_text(
        f'rule careless {{ {meta} strings: $a = "hello" condition: any of them }}'
    )
    with pytest.raises(ValueError, match="careless"):
        Signatures(tmp_path)


@pytest.mark.parametrize("split", range(len(eicar()) + 1))
def test_found_across_every_border(scanner, split):
    virus = eicar()
    before, after = b"x" * 1000 + virus[:split], virus[split:] + b"y" * 1000
    assert scan(scanner, before, after) == INFECTED


@pytest.mark.parametrize("size", [1, 7, 67, 68, 511, 512])
def test_found_in_chunks_of_any_size(scanner, size):
    data = b"x" * 700 + eicar() + b"y" * 700
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    assert scan(scanner, *chunks) == INFECTED


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        (b"",),
        (b"a harmless text",),
        (eicar()[:-1],),
        (eicar()[1:],),
        (eicar()[:30], b" ", eicar()[30:]),
        (b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40,),
    ],
)
def test_harmless(scanner, chunks):
    assert scan(scanner, *chunks) == CLEAN


# Written in pieces for the same reason as the EICAR file.
ATTACKS = {
    "php_web_shell": b"<" + b"?php @ev" + b"al($_PO" + b"ST['a']); ?>",
    "imagemagick_command_injection": b"fill 'url(https://example.com/x\"" + b"|ls \"-la)'",
    "ghostscript_pipe": b"mark /OutputFile (%pi" + b"pe%id) currentdevice putdeviceprops",
    "exiftool_djvu_injection": b'(metadata (Copyright "\\\n" . q' + b'x{id} . \\\n" b "))',
}


@pytest.mark.parametrize(("name", "attack"), ATTACKS.items())
def test_attacks_on_what_processes_media(scanner, name, attack):
    data = b"\xff\xd8\xff\xe0" + bytes(600) + attack + bytes(600)
    assert scan(scanner, data) == Findings((name,))
    middle = data.index(attack) + len(attack) // 2
    assert scan(scanner, data[:middle], data[middle:]) == Findings((name,))


@pytest.mark.parametrize(
    "text",
    [
        b"<?php echo htmlspecialchars($_POST['name']); ?>",
        b"<?xml version='1.0'?><svg><a style=\"fill:url(https://example.com/x#y)\"/></svg>",
        b"background: url(https://example.com/x.png) | none",
        b"%!PS-Adobe-3.0\n(100%pipe%) show",
        b'(metadata (Copyright "2024 NASA"))',
    ],
)
def test_what_only_looks_like_an_attack(scanner, text):
    assert scan(scanner, text) == CLEAN


@given(chunks=st.lists(st.binary(max_size=300), max_size=10))
def test_any_bytes_can_be_scanned(scanner, chunks):
    findings = scan(scanner, *chunks)
    assert findings.matches == ()


def test_scans_in_several_threads_at_once(scanner):
    def one(number: int) -> Findings:
        return scan(scanner, b"x" * number, eicar() if number % 2 else b"", b"y" * 5000)

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        findings = list(threads.map(one, range(200)))
    assert findings == [INFECTED if number % 2 else CLEAN for number in range(200)]


def test_one_scan_may_move_between_threads(scanner):
    running = scanner.begin()
    for chunk in (eicar()[:40], eicar()[40:]):
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            thread.submit(running.feed, chunk).result()
    assert running.finish(None) == INFECTED


def test_memory_does_not_grow_with_the_upload(scanner):
    chunk = bytes(range(256)) * (4 * MIB // 256)
    running = scanner.begin()
    running.feed(chunk)
    tracemalloc.start()
    try:
        for _ in range(64):
            running.feed(chunk)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 64 * 1024
    assert peak < 9 * MIB
    assert running.finish(None) == CLEAN
