"""`verify-log` on exports: intact, and with each kind of tampering."""

import base64
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.ops.__main__ import main
from shared.merkle import COSIGNATURE, Note, Redaction, SigningKey, leaf_hash
from shared.merkle.export import end_line, entry_line, header_line, missing_line, unsigned_line
from tests.merkle.logs import tiles_of
from tests.ops.conftest import Verify, found
from tests.ops.logs import KEY, NOW, ORIGIN, OTHER_KEY, SIZE, Log, entry, lines_with


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "acme.ndjson"


def write(file: Path, lines: list[bytes]) -> Path:
    file.write_bytes(b"".join(lines))
    return file


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 512, SIZE, 66_000])
def test_an_intact_log(verify: Verify, file: Path, size: int):
    answer = verify(Log([entry(number) for number in range(size)]).export(file))
    assert answer.status == 0
    assert answer.said.startswith(f"The log {ORIGIN} is intact: its ")
    assert f"{size:,}" in answer.said or size == 1


def test_a_log_with_redactions_is_intact_and_says_so(verify: Verify, file: Path):
    answer = verify(Log().redact(0, 300, SIZE - 1).export(file))
    assert answer.status == 0
    assert "3 of them redacted" in answer.said


def test_entries_may_be_any_bytes_that_are_an_object_or_a_redaction(verify: Verify, file: Path):
    log = Log(
        [b'{"a":"\xc3\xa4\\n\\u0000"}', b'{"raw":"\n"}', b'{"bad":"\xff"}', b"{}", b"{broken"]
    )
    assert verify(log.export(file)).status == 0


def test_an_export_that_was_written_anew_by_another_tool_is_intact(verify: Verify, file: Path):
    log = Log().redact(5)
    rewritten = [json.dumps(json.loads(line)).encode() + b"\r\n" for line in log.lines()]
    assert verify(write(file, rewritten)).status == 0


def test_without_its_checks_and_tiles_a_log_is_intact_as_well(verify: Verify, file: Path):
    lines = [line for line in Log().lines() if not line.startswith(b'{"tile"')]
    bare = [re.sub(rb',"check":"\w+"', b"", line) for line in lines]
    assert verify(write(file, bare)).status == 0


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\n\n", b"\n \n"])
def test_how_the_file_ends_does_not_matter(verify: Verify, file: Path, end: bytes):
    whole = b"".join(Log().lines())
    file.write_bytes(whole.removesuffix(b"\n") + end)
    assert verify(file).status == 0


def test_a_wrong_check_or_tile_alone_leaves_the_log_intact(verify: Verify, file: Path):
    log = Log()
    log.checks[3] = bytes(8)
    log.tiles = tiles_of(log.leaves[::-1])
    assert verify(log.export(file)).status == 0
    # Also after the close look, forced by the missing last line.
    assert verify(write(file, log.lines()[:-1])).status == 0


def test_it_continues_an_older_log(verify: Verify, file: Path, tmp_path: Path):
    log = Log()
    for size in (0, 1, 255, 256, 257, 511, 512, 513, 600, SIZE):
        older = tmp_path / "older"
        older.write_text(log.checkpoint(size).sign([KEY]))
        answer = verify(log.export(file), "--older", older)
        assert answer.status == 0
        assert "continue the older log" in answer.said
        Log(log.entries[:size]).export(older)
        assert verify(log.export(file), "--older", older).status == 0


CHANGED = entry(0, "asset.delete")


def test_a_changed_entry_is_located(verify: Verify, file: Path):
    for place in (0, 255, 256, 400, 512, SIZE - 1):
        log = Log()
        log.entries[place] = CHANGED
        answer = verify(log.export(file))
        assert answer.said == f"The log {ORIGIN} is not intact: entry {place} has been changed."
        assert found(verify(file, "--json")) == ("changed", place, place)


def test_a_changed_entry_with_its_check_is_located_to_its_tile(verify: Verify, file: Path):
    log = Log()
    log.entries[300], log.checks[300] = CHANGED, leaf_hash(CHANGED)[:8]
    answer = verify(log.export(file))
    assert "an entry from 256 to 511 has been changed" in answer.said
    assert found(verify(file, "--json")) == ("changed", 256, 511)
    # The last tile is in the export itself.
    log = Log()
    log.entries[600], log.checks[600] = CHANGED, leaf_hash(CHANGED)[:8]
    assert found(verify(log.export(file), "--json")) == ("changed", 600, 600)


def _rewritten(place: int) -> Log:
    """Return a log rewritten in full, but not signed."""
    honest, log = Log(), Log()
    log.entries[place] = CHANGED
    log = Log(log.entries)
    log.signed = honest.signed
    return log


def test_what_was_changed_throughout_is_found_and_narrowed_by_what_the_tenant_kept(
    verify: Verify, file: Path, tmp_path: Path
):
    older = tmp_path / "older"
    assert found(verify(_rewritten(300).export(file), "--json")) == ("changed", 0, SIZE - 1)
    older.write_text(Log().checkpoint(500).sign([KEY]))
    assert found(verify(file, "--json", "--older", older)) == ("changed", 0, 499)
    older.write_text(Log().checkpoint(200).sign([KEY]))
    assert found(verify(file, "--json", "--older", older)) == ("changed", 200, SIZE - 1)
    Log(Log().entries[:500]).export(older)
    assert found(verify(file, "--json", "--older", older)) == ("changed", 300, 300)


def test_a_missing_entry_is_located(verify: Verify, file: Path):
    lines = Log().lines()
    assert found(verify(write(file, lines_with(lines, 300)), "--json")) == ("missing", 300, 300)
    more = lines_with(lines_with(lines, 300), 301)
    answer = verify(write(file, more), "--json")
    assert found(answer) == ("missing", 300, 301)


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 0), (0, 299), (300, 300), (250, 260), (256, 511), (100, 698), (699, 699), (600, 699)],
)
def test_entries_that_the_export_says_are_missing_are_located(
    verify: Verify, file: Path, tmp_path: Path, first: int, last: int
):
    """A gap at the end counts too, as a gap and no truncation. No further line hides the gap."""
    lines = lines_with(Log().lines(), first, missing_line(first, last))
    for place in range(first + 1, last + 1):
        lines = lines_with(lines, place)
    answer = verify(write(file, lines))
    what = f"entry {first} is" if first == last else f"entries {first} to {last} are"
    assert answer.said == (
        f"The log {ORIGIN} is not intact: {what} missing (the export says so itself)."
    )
    assert found(verify(file, "--json")) == ("missing", first, last)
    older = Log(Log().entries[:500]).export(tmp_path / "older")
    assert found(verify(file, "--json", "--older", older)) == ("missing", first, last)


def test_missing_entries_are_told_together_and_what_comes_first_before_them(
    verify: Verify, file: Path
):
    log = Log()
    log.entries[100], log.entries[400] = CHANGED, CHANGED
    gap = lines_with(log.lines(), 255, missing_line(255, 255), missing_line(256, 256))
    gap = lines_with(gap, 256)
    assert found(verify(write(file, gap), "--json")) == ("changed", 100, 100)
    log.entries[100] = entry(100)
    gap = lines_with(log.lines(), 255, missing_line(255, 255), missing_line(256, 256))
    assert found(verify(write(file, lines_with(gap, 256)), "--json")) == ("missing", 255, 256)


@pytest.mark.parametrize(
    "line", [missing_line(300, 1 << 60), b'{"missing":300,"last":299}\n', b'{"missing":300}\n']
)
def test_a_line_that_says_an_impossible_number_is_missing_is_one_that_is_none(
    verify: Verify, file: Path, line: bytes
):
    lines = lines_with(Log().lines(), 300, line)
    assert found(verify(write(file, lines), "--json")) == ("changed", 300, 300)


def test_entries_that_nothing_was_signed_over_are_told_and_not_taken_for_inserted_ones(
    verify: Verify, file: Path
):
    log = Log()
    behind = [entry_line(n, entry(n), leaf_hash(entry(n))) for n in range(SIZE, SIZE + 5)]

    def written() -> Path:
        return write(file, [*log.lines()[:-1], unsigned_line(SIZE), *behind, end_line(SIZE)])

    answer = verify(written())
    assert f"no checkpoint is signed from entry {SIZE} on" in answer.said
    said = json.loads(verify(file, "--json").said)
    assert (said["intact"], said["kind"], said["entry"]) == (False, "unsigned", SIZE)
    # A fault in the signed entries comes first.
    log.entries[300] = CHANGED
    assert found(verify(written(), "--json")) == ("changed", 300, 300)
    # Nor can the line hide the log's real end.
    lines = Log().lines()
    at = lines.index(next(line for line in lines if line.startswith(b'{"index":600,')))
    shorter = [*lines[:at], unsigned_line(600), *lines[at:]]
    assert found(verify(write(file, shorter), "--json")) == ("truncated", 600, SIZE - 1)


def _renumbered(entries: list[bytes], checks: list[bytes]) -> list[bytes]:
    """Return the honest log's export with different entries, numbered in order."""
    honest = iter(Log().lines())
    lines, place = [], 0
    for line in honest:
        if not line.startswith(b'{"index"'):
            lines.append(line)
        elif place < len(entries):
            lines.append(entry_line(place, entries[place], checks[place]))
            place += 1
    more = [entry_line(n, entries[n], checks[n]) for n in range(place, len(entries))]
    return [*lines[:-1], *more, end_line(len(entries))]


def test_a_missing_entry_is_found_also_when_the_rest_was_renumbered(verify: Verify, file: Path):
    log = Log()
    entries = log.entries[:300] + log.entries[301:]
    checks = log.checks[:300] + log.checks[301:]
    lines = _renumbered(entries, checks)
    assert found(verify(write(file, lines), "--json")) == ("missing", 256, 511)
    # The checks of the remaining entries, each still at its place.
    lines = _renumbered(entries, log.checks)
    assert found(verify(write(file, lines), "--json")) == ("missing", 300, 300)


def test_an_inserted_entry_is_located(verify: Verify, file: Path):
    log, lines = Log(), Log().lines()
    forged = entry_line(300, CHANGED, leaf_hash(CHANGED))
    own = entry_line(300, log.entries[300], log.leaves[300])
    assert found(verify(write(file, lines_with(lines, 300, own, forged)), "--json")) == (
        "inserted",
        301,
        301,
    )
    entries = [*log.entries[:300], CHANGED, *log.entries[300:]]
    checks = [*log.checks[:300], leaf_hash(CHANGED)[:8], *log.checks[300:]]
    renumbered = _renumbered(entries, checks)
    assert found(verify(write(file, renumbered), "--json")) == ("inserted", 256, 511)
    assert found(verify(write(file, _renumbered(entries, [*log.checks, bytes(8)])), "--json")) == (
        "inserted",
        300,
        300,
    )
    # Behind every entry.
    entries, checks = [*log.entries, CHANGED], [*log.checks, leaf_hash(CHANGED)[:8]]
    answer = verify(write(file, _renumbered(entries, checks)), "--json")
    assert found(answer) == ("inserted", SIZE, SIZE)


def test_a_reordered_entry_is_located(verify: Verify, file: Path):
    log, lines = Log(), Log().lines()
    first = entry_line(300, log.entries[300], log.checks[300])
    second = entry_line(600, log.entries[600], log.checks[600])
    swapped = lines_with(lines_with(lines, 600, first), 300, second)
    assert found(verify(write(file, swapped), "--json")) == ("reordered", 300, 300)
    # The entries swapped under the checks that the log keeps.
    log.entries[300], log.entries[600] = log.entries[600], log.entries[300]
    assert found(verify(log.export(file), "--json")) == ("reordered", 300, 300)


def test_a_truncated_export_is_found(verify: Verify, file: Path):
    lines = Log().lines()
    whole = b"".join(lines)
    for place in (1, 200, 300, 512, 699):
        at = whole.index(b'{"index":%d,' % place)
        for cut in (at, at + 5, whole.index(b"\n", at)):
            file.write_bytes(whole[:cut])
            kind, first, _ = found(verify(file, "--json"))
            # A cut line may pass for a changed line, but the place is the same.
            assert (kind in {"truncated", "changed"}, first) == (True, place)
    file.write_bytes(whole[: whole.index(b'{"index":512,')] + end_line(512))
    answer = verify(file)
    assert answer.status == 1
    assert "truncated, entry 512 is missing and with it all up to 699" in answer.said


def test_a_log_that_is_shorter_than_before_is_found(verify: Verify, file: Path, tmp_path: Path):
    older = tmp_path / "older"
    older.write_text(Log().signed)
    shorter = Log(Log().entries[:600])
    answer = verify(shorter.export(file), "--older", older)
    assert "entry 600 is missing and with it all up to 699" in answer.said
    assert found(verify(file, "--older", older, "--json")) == ("truncated", 600, 699)


def test_a_fork_is_found(verify: Verify, file: Path, tmp_path: Path):
    """The log signs a history that differs from the older history."""
    older = tmp_path / "older"
    forked = Log([*Log().entries[:300], CHANGED, *Log().entries[301:]])
    assert verify(forked.export(file)).status == 0
    for size in (301, 512, SIZE):
        older.write_text(Log().checkpoint(size).sign([KEY]))
        assert found(verify(file, "--older", older, "--json")) == ("forked", 0, size - 1)
        Log(Log().entries[:size]).export(older)
        assert found(verify(file, "--older", older, "--json")) == ("forked", 300, 300)
    older.write_text(Log().checkpoint(300).sign([KEY]))
    assert verify(file, "--older", older).status == 0


def test_a_redaction_that_the_log_has_not_signed_is_found(verify: Verify, file: Path):
    log = Log()
    log.entries[300] = Redaction(ORIGIN, 300, log.leaves[300], NOW, "r").sign([OTHER_KEY])
    answer = verify(log.export(file))
    assert answer.status == 1
    assert "entry 300 has been changed (its redaction is not validly signed)" in answer.said
    log = Log().redact(299)
    log.entries[300] = log.entries[299]
    assert found(verify(log.export(file), "--json")) == ("changed", 300, 300)
    log = Log()
    log.entries[5] = b"anything"
    assert found(verify(log.export(file), "--json")) == ("changed", 5, 5)


@pytest.mark.parametrize("tiles", [True, False])
@pytest.mark.parametrize(
    ("instead", "expected"),
    [
        (missing_line(300, 301), ("missing", 300, 301)),
        (b"broken\n", ("changed", 300, 300)),
        (entry_line(300, b"no entry", b""), ("changed", 300, 300)),
        (
            entry_line(300, Redaction(ORIGIN, 300, bytes(32), NOW, "r").sign([OTHER_KEY]), b""),
            ("changed", 300, 300),
        ),
    ],
)
def test_no_leaf_that_was_signed_makes_up_for_an_entry_that_cannot_be_read(
    verify: Verify, file: Path, tmp_path: Path, *, tiles: bool, instead: bytes, expected: object
):
    log = Log()
    log.sign_zeros(300, 301)
    second = () if instead == missing_line(300, 301) else (instead.replace(b":300", b":301"),)
    lines = lines_with(lines_with(log.lines(), 301, *second), 300, instead)
    lines = [line for line in lines if tiles or not line.startswith(b'{"tile"')]
    assert found(verify(write(file, lines), "--json")) == expected
    older = tmp_path / "older"
    older.write_text(log.checkpoint(500).sign([KEY]))
    assert found(verify(file, "--json", "--older", older)) == expected


def test_a_line_that_is_none_is_found(verify: Verify, file: Path):
    for line in (b"broken\n", b"{}\n", b"\n", b"x" * (3 << 20) + b"\n", b"[" * 5000 + b"\n"):
        lines = lines_with(Log().lines(), 300, line)
        assert found(verify(write(file, lines), "--json")) == ("changed", 300, 300)


@pytest.mark.parametrize(
    "said",
    [
        # A reader may show either of two equal names (RFC 8259 section 4).
        b'{"index":300,"entry":%s,"entry":{"actor":"nobody"}}\n',
        b'{"index":300,"entry":%s,"check":"","entry":"abcde"}\n',
        b'{"index":300,"entry":{"actor":"nobody"},"entry":%s}\n',
        b'{"entry":"abcdef012","entry":%s,"index":300}\n',
        b'{"index":7,"index":300, "entry":%s}\n',
    ],
)
def test_a_line_that_says_two_things_is_found(verify: Verify, file: Path, said: bytes):
    log = Log()
    lines = lines_with(log.lines(), 300, said % log.entries[300])
    assert found(verify(write(file, lines), "--json")) == ("changed", 300, 300)


def test_a_line_that_gives_its_entry_another_index_is_found(verify: Verify, file: Path):
    log, lines = Log(), Log().lines()
    for index in (301, 30, 7, SIZE, 1 << 70):
        false = entry_line(index, log.entries[300], log.checks[300])
        answer = verify(write(file, lines_with(lines, 300, false)))
        assert answer.status == 1
        assert "entry 300 is not in its place (its line gives it another index)" in answer.said
        assert found(verify(file, "--json")) == ("reordered", 300, 300)


def test_a_false_signature_is_found(verify: Verify, file: Path):
    log = Log()
    shorter = Log(log.entries[:600])
    note = Note(shorter.checkpoint().text, Note.parse(log.signed).signatures)
    shorter.signed = str(note)
    answer = verify(shorter.export(file))
    assert answer.status == 1
    assert "a signature of the checkpoint of the export does not verify" in answer.said


def test_a_witness_that_is_named_must_have_cosigned(verify: Verify, file: Path, tmp_path: Path):
    first, second = (
        SigningKey.of_seed(f"witness.example/{n}", bytes(31) + bytes([n]), COSIGNATURE)
        for n in (1, 2)
    )
    log, older = Log(), tmp_path / "older"
    older.write_text(log.checkpoint(5).sign([KEY]))
    note = Note.parse(log.signed)
    log.signed = str(note.with_signatures([first.sign(note.text, NOW)]))
    log.export(file)
    assert verify(file).status == 0
    assert verify(file, "--witness", first.verifier).status == 0
    assert verify(file, "--witness", first.verifier, "--older", older).status == 0
    both = verify(file, "--witness", first.verifier, "--witness", second.verifier)
    assert both.error == "witness.example/2 has not cosigned the checkpoint of the export."
    log.signed = str(note.with_signatures([first.sign("another text\n", NOW)]))
    forged = verify(log.export(file), "--witness", first.verifier)
    assert forged.status == 1
    assert "a signature of the checkpoint of the export does not verify" in forged.said
    assert "is not a witness's key" in verify(file, "--witness", KEY.verifier).error
    assert "is not a log's key" in verify(file, key=first.verifier).error


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "is not the export of a log"),
        (b"\n", "is not the export of a log"),
        (b"{}", "is not the export of a log"),
        (b"\xff\xfe", "is not the export of a log"),
        (b"name,time\na,b\n", "is not the export of a log"),
        (end_line(0), "is not the export of a log"),
        (header_line("no note", ORIGIN, 0), "cannot be read"),
        (header_line(Log([]).signed, "other", 0), "contradicts itself"),
        (header_line(Log([]).signed, ORIGIN, 1), "contradicts itself"),
        (header_line(Log([], key=OTHER_KEY).signed, ORIGIN, 0), "None of the given keys"),
        (header_line(Log([], origin="logs.example/umbra").signed, ORIGIN, 0), "is of the log"),
    ],
)
def test_what_cannot_be_verified_is_one_clear_line(
    verify: Verify, file: Path, content: bytes, error: str
):
    file.write_bytes(content)
    answer = verify(file)
    assert answer.status == 2
    assert error in answer.error


def test_a_file_that_is_not_there_is_one_clear_line(verify: Verify, file: Path, tmp_path: Path):
    assert verify(file).error == f"{file}: No such file or directory."
    assert verify(tmp_path).error == f"There is no log at {tmp_path}: it has no checkpoint."
    Log().export(file)
    assert "No such file" in verify(file, "--older", tmp_path / "older").error
    assert "Is a directory" in verify(file, "--older", tmp_path).error


def test_the_key_of_one_log_does_not_sign_for_another(verify: Verify, file: Path, tmp_path: Path):
    umbra = SigningKey.of_seed("logs.example/umbra", bytes(32))
    log = Log()
    log.signed = log.checkpoint().sign([umbra])
    log.export(file)
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY.verifier}\n{umbra.verifier}\n")
    answer = verify(file, key=keys)
    assert answer.error == "None of the given keys has signed the checkpoint of the export."
    # With an explicit origin the key may have any name.
    assert verify(file, "--origin", ORIGIN, key=umbra.verifier).status == 0


def _jwk(key: bytes, **more: object) -> dict[str, object]:
    x = base64.urlsafe_b64encode(key).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "x": x} | more


def _jwks(key: bytes) -> str:
    return json.dumps({"keys": [{"kty": "RSA"}, _jwk(key)]})


def test_keys_may_be_given_in_files(verify: Verify, file: Path, tmp_path: Path):
    Log().export(file)
    keys = tmp_path / "keys"
    keys.write_text(f"{OTHER_KEY.verifier}\n\n{KEY.verifier}\n")
    assert verify(file, key=keys).status == 0
    keys.write_text(_jwks(KEY.verifier.public))
    assert verify(file, key=keys).status == 0
    assert verify(file, "--origin", ORIGIN, key=keys).status == 0
    assert "is of the log" in verify(file, "--origin", "other", key=keys).error
    keys.write_text(_jwks(OTHER_KEY.verifier.public))
    assert "signed by none" in verify(file, key=keys).error or verify(file, key=keys).status == 2
    assert verify(file, "--key", KEY.verifier, key=keys).status == 0


def test_a_log_that_only_a_revoked_key_has_signed_is_intact_and_says_so(
    verify: Verify, file: Path, tmp_path: Path
):
    log, keys = Log(), tmp_path / "keys"
    log.export(file)
    public, other = KEY.verifier.public, OTHER_KEY.verifier.public
    revoked = _jwk(public, revoked={"revoked_at": 1795500000})
    clause = "but only a revoked key has signed that root."
    for jwks, said in (
        ([revoked, _jwk(other)], True),
        ([revoked], True),
        ([_jwk(public), _jwk(other, revoked={"revoked_at": 1})], False),
        # A second version of the same key still signs.
        ([revoked, _jwk(public)], False),
        ([_jwk(public), revoked], False),
    ):
        keys.write_text(json.dumps({"keys": jwks}))
        answer = verify(file, key=keys)
        assert (answer.status, clause in answer.said) == (0, said)
        assert json.loads(verify(file, "--json", key=keys).said)["revoked"] is said
        served = verify(log.folder(tmp_path / "served"), key=keys)
        assert (served.status, clause in served.said) == (0, said)
    # The signature of a key that still signs is enough.
    log.signed = log.checkpoint().sign([KEY, OTHER_KEY])
    keys.write_text(json.dumps({"keys": [revoked, _jwk(other)]}))
    assert clause not in verify(log.export(file), key=keys).said


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "no Ed25519 key"),
        (b"no key\n", "is not a public key"),
        (b"{}", "is neither a public key nor a JWKS"),
        (b"{", "is neither a public key nor a JWKS"),
        (b'{"keys":7}', "is neither a public key nor a JWKS"),
        (b'{"keys":[]}', "no Ed25519 key"),
        (b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAA"}]}', "not 32 bytes"),
        (b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":7}]}', "is neither"),
        (b"\xff", "is not a public key"),
        (b"x" * 2_000_000, "too large"),
    ],
)
def test_what_is_no_key_is_one_clear_line(
    verify: Verify, file: Path, tmp_path: Path, content: bytes, error: str
):
    Log().export(file)
    keys = tmp_path / "keys"
    keys.write_bytes(content)
    answer = verify(file, key=keys)
    assert answer.status == 2
    assert error in answer.error


def test_an_older_state_that_is_no_use_is_one_clear_line(
    verify: Verify, file: Path, tmp_path: Path
):
    Log().export(file)
    older = tmp_path / "older"
    broken = Log()
    broken.entries[3] = CHANGED
    broken.export(older)
    assert "not intact itself" in verify(file, "--older", older).error
    older.write_text("no checkpoint")
    assert "cannot be read" in verify(file, "--older", older).error
    older.write_text(Log(key=OTHER_KEY).signed)
    assert "None of the given keys" in verify(file, "--older", older).error
    other = Log([], origin="logs.example/umbra")
    older.write_text(other.checkpoint().sign([KEY]))
    assert "is of the log" in verify(file, "--older", older).error
    forged = Note(Log().checkpoint(5).text, Note.parse(Log().signed).signatures)
    older.write_text(str(forged))
    assert "does not verify" in verify(file, "--older", older).error


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0), st.integers(0, 40), st.binary(max_size=40))
def test_any_damage_ends_in_an_answer(tmp_path, capsys, start: int, length: int, by: bytes):
    """After any replaced bytes the export counts as intact only with the same entries."""
    whole = b"".join(Log([entry(number) for number in range(20)]).lines())
    start %= len(whole)
    damaged = whole[:start] + by + whole[start + length :]
    file = tmp_path / "damaged.ndjson"
    file.write_bytes(damaged)
    status = main(["verify-log", str(file), "--key", str(KEY.verifier)])
    assert sum(part.count("\n") for part in capsys.readouterr()) == 1
    if status == 0:
        for number in range(20):
            assert b"%026d" % number in damaged
    else:
        assert status in {1, 2}


def test_many_ranges_are_hashed_by_workers(file: Path):
    """Large enough for several processes; with redactions, and tiles cut by the ranges."""
    padding = b"x" * 1500
    entries = [b'{"id":%d,"padding":"%s"}' % (number, padding) for number in range(16_000)]
    log = Log(entries).redact(*random.Random(5).sample(range(16_000), 40))
    assert log.export(file).stat().st_size > 20 << 20
    older = file.with_name("older")
    command = ("-m", "infra.ops", "verify-log", str(file), "--key", str(KEY.verifier))
    for size in (9_999, 10_240):
        older.write_text(log.checkpoint(size).sign([KEY]))
        done = _run(*command, "--older", str(older))
        assert (done.returncode, done.stderr) == (0, "")
        assert "40 of them redacted" in done.stdout
    log.entries[12_345] = entries[12_344]
    log.export(file)
    done = _run(*command)
    assert (done.returncode, done.stderr) == (1, "")
    assert "entry 12345 has been changed" in done.stdout


def test_the_command_as_it_is_run(file: Path):
    """With no part of the app but `shared.merkle`, in a process of its own."""
    Log().export(file)
    program = (
        "import sys; from infra.ops.__main__ import main;"
        f"status = main(['verify-log', {str(file)!r}, '--key', {str(KEY.verifier)!r}]);"
        "print([m for m in sys.modules if m.startswith(('shared.', 'functions', 'azure'))"
        " and not m.startswith('shared.merkle')]); sys.exit(status)"
    )
    done = _run("-c", program)
    assert done.stdout.splitlines()[1] == "[]"
    assert done.returncode == 0
    assert "exit status" in _run("-m", "infra.ops", "verify-log", "--help").stdout
    unknown = _run("-m", "infra.ops", "no-such")
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
