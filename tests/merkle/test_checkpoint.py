"""Checkpoints, proofs that stand alone, redactions, and what is said to witnesses."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.merkle import (
    COSIGNATURE,
    EMPTY_ROOT,
    AddCheckpoint,
    BadSignatureError,
    Checkpoint,
    Note,
    NoteError,
    ProofError,
    Redaction,
    SigningKey,
    TlogProof,
    UnknownKeyError,
    consistency_proof,
    cosignatures,
    inclusion_proof,
    is_redaction,
    leaf_hash,
    leaf_of,
    open_checkpoint,
    root_of,
)
from tests.merkle.logs import tiles_of

ORIGIN = "logs.example/tenants/acme"
KEY = SigningKey.of_seed(ORIGIN, sha256(b"log").digest())
RENEWED = SigningKey.of_seed(ORIGIN, sha256(b"renewed").digest())
WITNESS = SigningKey.of_seed("witness.example/w1", sha256(b"witness").digest(), COSIGNATURE)
NOW = datetime(2026, 11, 24, 6, 0, 0, 123_000, tzinfo=UTC)
ENTRIES = [b'{"number":%d}' % number for number in range(300)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
CHECKPOINT = Checkpoint(ORIGIN, 300, root_of(LEAVES))
SIGNED = CHECKPOINT.sign([KEY])
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


def test_the_example_of_c2sp_tlog_checkpoint_is_read():
    text = f"example.com/behind-the-sofa\n20852163\n{ROOT}\n"
    signed = (
        f"{text}\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOo"
        "RDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    note = Note.parse(signed)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.text == text
    assert note.signatures[0].key_id.hex() == "033de0ae"


def test_a_checkpoint_is_opened_with_any_of_the_logs_keys():
    assert open_checkpoint(SIGNED, [KEY.verifier]) == CHECKPOINT
    both = CHECKPOINT.sign([KEY, RENEWED])
    assert open_checkpoint(both, [KEY.verifier]) == CHECKPOINT
    assert open_checkpoint(both, [RENEWED.verifier]) == CHECKPOINT
    with pytest.raises(UnknownKeyError):
        open_checkpoint(SIGNED, [RENEWED.verifier])


@given(st.integers(min_value=0))
def test_a_flipped_bit_anywhere_in_a_checkpoint_is_found(bit: int):
    data = bytearray(SIGNED.encode())
    bit %= len(data) * 8
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteError):
        open_checkpoint(bytes(data), [KEY.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "origin\n",
        "origin\n1\n",
        f"origin\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"origin\n\n{ROOT}\n",
        f"origin\n01\n{ROOT}\n",
        f"origin\n-1\n{ROOT}\n",
        f"origin\n+1\n{ROOT}\n",
        f"origin\n1 \n{ROOT}\n",
        f"origin\n\u0661\n{ROOT}\n",
        f"origin\n9223372036854775808\n{ROOT}\n",
        f"origin\n99999999999999999999999\n{ROOT}\n",
        "origin\n1\n\n",
        "origin\n1\nAAAA\n",
        f"origin\n1\n{ROOT[:-1]}\n",
        f"origin\n1\n{ROOT[:-2]}J=\n",
        f"origin\n1\n{ROOT}\n\n",
        f"origin\n1\n{ROOT}\n\nextension\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str):
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


def test_extension_lines_are_kept():
    checkpoint = Checkpoint("o", 0, EMPTY_ROOT, ("Timestamp: 1679315147", "more"))
    assert Checkpoint.parse(checkpoint.text) == checkpoint
    with pytest.raises(NoteError):
        Checkpoint("o", 0, EMPTY_ROOT, ("",))
    with pytest.raises(NoteError):
        Checkpoint("o\np", 0, EMPTY_ROOT)
    with pytest.raises(NoteError):
        Checkpoint("o", -1, EMPTY_ROOT)


def _proof(index: int = 7, extra: bytes | None = None) -> TlogProof:
    return TlogProof(index, tuple(inclusion_proof(index, 300, tiles_of(LEAVES))), SIGNED, extra)


@pytest.mark.parametrize("extra", [None, b"", b"anything"])
def test_a_proof_stands_alone(extra: bytes | None):
    written = str(_proof(extra=extra))
    assert written.startswith("c2sp.org/tlog-proof@v1\n")
    proof = TlogProof.parse(written)
    assert proof == _proof(extra=extra)
    assert proof.verify(LEAVES[7], [KEY.verifier]) == CHECKPOINT
    with pytest.raises(ProofError):
        proof.verify(LEAVES[8], [KEY.verifier])
    with pytest.raises(UnknownKeyError):
        proof.verify(LEAVES[7], [RENEWED.verifier])


def test_the_proof_of_the_only_entry_has_no_hashes():
    signed = Checkpoint(ORIGIN, 1, LEAVES[0]).sign([KEY])
    written = str(TlogProof(0, (), signed))
    assert written == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{signed}"
    TlogProof.parse(written).verify(LEAVES[0], [KEY.verifier])


@given(st.integers(min_value=0))
def test_a_flipped_bit_anywhere_in_a_proof_is_found(bit: int):
    data = bytearray(str(_proof()).encode())
    bit %= len(data) * 8
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises((NoteError, ProofError, UnicodeDecodeError)):
        TlogProof.parse(bytes(data).decode()).verify(LEAVES[7], [KEY.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n",
        f"c2sp.org/tlog-proof@v2\nindex 0\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\nextra AAAA\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\nindex 0\nextra AAAA\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\nextra A\nindex 0\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\nindex 00\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\nindex -1\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\nindex  1\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n{SIGNED}",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{(ROOT + chr(10)) * 64}\n{SIGNED}",
    ],
)
def test_a_malformed_proof_is_refused(text: str):
    with pytest.raises(NoteError):
        TlogProof.parse(text)


REDACTION = Redaction(ORIGIN, 7, LEAVES[7], NOW, "gdpr-art-17")


def test_a_redaction_keeps_the_leaf():
    note = REDACTION.sign([KEY])
    assert is_redaction(note)
    assert not is_redaction(ENTRIES[7])
    assert leaf_of(note, 7, ORIGIN, [KEY.verifier]) == LEAVES[7]
    assert leaf_of(ENTRIES[7], 7, ORIGIN, []) == LEAVES[7]
    assert Redaction.parse(Note.parse(note).text) == REDACTION
    redacted = [*LEAVES[:7], leaf_of(note, 7, ORIGIN, [KEY.verifier]), *LEAVES[8:]]
    assert root_of(redacted) == CHECKPOINT.root


def test_a_redaction_is_of_one_entry_of_one_log_and_signed_by_its_key():
    note = REDACTION.sign([KEY])
    with pytest.raises(NoteError, match="another entry"):
        leaf_of(note, 8, ORIGIN, [KEY.verifier])
    with pytest.raises(NoteError, match="another entry"):
        leaf_of(note, 7, "logs.example/tenants/umbra", [KEY.verifier])
    with pytest.raises(UnknownKeyError):
        leaf_of(note, 7, ORIGIN, [RENEWED.verifier])
    with pytest.raises(BadSignatureError):
        leaf_of(note.replace(b"gdpr", b"gdpx"), 7, ORIGIN, [KEY.verifier])
    with pytest.raises(NoteError, match="not a redaction"):
        leaf_of(SIGNED.encode(), 7, ORIGIN, [KEY.verifier])
    for other in (b"", b"text", b" {}", b"\xff"):
        with pytest.raises(NoteError):
            leaf_of(other, 7, ORIGIN, [KEY.verifier])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("redaction/v1", "redaction/v2"),
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\nseven\n"),
        ("2026-11-24T06:00:00.123Z", "2026-11-24T06:00:00.123+00:00"),
        ("2026-11-24T06:00:00.123Z", "2026-13-24T06:00:00.123Z"),
        ("2026-11-24T06:00:00.123Z", "yesterday"),
        ("gdpr-art-17", "GDPR Art. 17"),
        ("gdpr-art-17", ""),
        ("gdpr-art-17\n", "gdpr-art-17\nmore\n"),
        ("=\n", "\n"),
    ],
)
def test_a_malformed_redaction_is_refused(old: str, new: str):
    assert old in REDACTION.text
    with pytest.raises(NoteError):
        Redaction.parse(REDACTION.text.replace(old, new, 1))


def test_the_time_of_a_redaction_is_utc():
    local = NOW.astimezone(timezone(timedelta(hours=10)))
    assert (
        Redaction(ORIGIN, 7, LEAVES[7], local, "r").text
        == Redaction(ORIGIN, 7, LEAVES[7], NOW, "r").text
    )
    with pytest.raises(NoteError):
        Redaction(ORIGIN, 7, LEAVES[7], NOW.replace(tzinfo=None), "r")
    with pytest.raises(NoteError):
        Redaction('{"origin"', 7, LEAVES[7], NOW, "r")


def test_a_request_to_a_witness():
    request = AddCheckpoint(100, tuple(consistency_proof(100, 300, tiles_of(LEAVES))), SIGNED)
    assert AddCheckpoint.parse(str(request)) == request
    first = AddCheckpoint(0, (), SIGNED)
    assert str(first) == f"old 0\n\n{SIGNED}"
    assert AddCheckpoint.parse(str(first)) == first


@pytest.mark.parametrize(
    "body",
    [
        "",
        "old 0\n",
        f"old 00\n\n{SIGNED}",
        f"old\n\n{SIGNED}",
        f"0\n\n{SIGNED}",
        f"old 1\nAAAA\n\n{SIGNED}",
        f"old 1\n{(ROOT + chr(10)) * 64}\n{SIGNED}",
    ],
)
def test_a_malformed_request_to_a_witness_is_refused(body: str):
    with pytest.raises(NoteError):
        AddCheckpoint.parse(body)


def test_the_cosignatures_of_known_witnesses_are_taken_over():
    ours = WITNESS.sign(CHECKPOINT.text, NOW)
    unknown = SigningKey.of_seed("witness.example/w2", bytes(32), COSIGNATURE)
    answer = ours.line + unknown.sign(CHECKPOINT.text, NOW).line
    assert cosignatures(SIGNED, answer, [WITNESS.verifier]) == [ours]
    assert cosignatures(SIGNED, unknown.sign("x\n", NOW).line, [WITNESS.verifier]) == []
    other = WITNESS.sign(Checkpoint(ORIGIN, 1, LEAVES[0]).text, NOW)
    with pytest.raises(BadSignatureError):
        cosignatures(SIGNED, other.line, [WITNESS.verifier])
    with pytest.raises(NoteError):
        cosignatures(SIGNED, "no signature\n", [WITNESS.verifier])
    with pytest.raises(NoteError):
        cosignatures(SIGNED, ours.line.strip(), [WITNESS.verifier])
