"""Signed notes, their keys, and what is refused as none."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.merkle import (
    COSIGNATURE,
    BadSignatureError,
    Note,
    NoteError,
    SigningKey,
    UnknownKeyError,
    VerifierKey,
    cosigned_at,
    parse_signatures,
)

# The example of golang.org/x/mod/sumdb/note, which defined the format.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNATURE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdng"
    "otpRZb6KE6RyyBwJnAM=\n"
)
NOTE = f"{TEXT}\n{SIGNATURE}"
PETER = VerifierKey.parse(VKEY)
SIGNER = SigningKey.of_seed("PeterNeumann", SEED)
OTHER = SigningKey.of_seed("other.example/log", bytes(32))
NOW = datetime(2026, 11, 24, 6, 0, 0, tzinfo=UTC)


def test_the_published_example():
    assert SIGNER.verifier == PETER
    assert str(PETER) == VKEY
    assert str(Note.sign(TEXT, [SIGNER])) == NOTE
    note = Note.parse(NOTE.encode())
    assert note.text == TEXT
    assert [key for key, _ in note.verify([PETER])] == [PETER]


def test_several_keys_sign_and_unknown_ones_are_ignored():
    note = Note.parse(str(Note.sign(TEXT, [OTHER, SIGNER])))
    assert len(note.signatures) == 2
    assert [key for key, _ in note.verify([PETER])] == [PETER]
    assert [key for key, _ in note.verify([PETER, OTHER.verifier])] == [OTHER.verifier, PETER]


def test_a_key_of_the_same_name_is_still_unknown():
    renewed = SigningKey.of_seed("PeterNeumann", bytes(32))
    with pytest.raises(UnknownKeyError):
        Note.parse(NOTE).verify([renewed.verifier])
    # As while keys are rotated: the old checkpoints with the old key, the new ones with both.
    both = Note.sign(TEXT, [SIGNER, renewed])
    assert both.verify([PETER])
    assert both.verify([renewed.verifier])
    assert len(both.verify([PETER, renewed.verifier])) == 2


def test_one_bad_signature_of_a_known_key_spoils_the_note():
    good = Note.sign(TEXT, [SIGNER, OTHER])
    bad = Note("Other text.\n", good.signatures)
    with pytest.raises(BadSignatureError):
        bad.verify([PETER])
    mixed = Note(TEXT, (Note.sign("Other text.\n", [OTHER]).signatures[0], good.signatures[0]))
    with pytest.raises(BadSignatureError):
        mixed.verify([PETER, OTHER.verifier])
    assert mixed.verify([PETER])


@given(st.integers(min_value=0))
def test_a_flipped_bit_anywhere_in_a_note_is_found(bit: int):
    data = bytearray(NOTE.encode())
    bit %= len(data) * 8
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(NoteError):
        Note.parse(bytes(data)).verify([PETER])


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "\n",
        TEXT,
        SIGNATURE,
        f"{TEXT}\n",
        f"{TEXT}{SIGNATURE}",
        f"{TEXT}\n{SIGNATURE}".removesuffix("\n"),
        f"{TEXT}\n{SIGNATURE}\n",
        f"{TEXT}\n{SIGNATURE}text\n",
        f"{TEXT}\n{SIGNATURE.replace('—', '-')}",
        f"{TEXT}\n{SIGNATURE.replace('— ', '—')}",
        f"{TEXT}\n{SIGNATURE.replace('— ', '—  ')}",
        f"{TEXT}\n{SIGNATURE.replace('Peter', 'Peter+')}",
        f"{TEXT}\n{SIGNATURE.replace('Peter', 'Peter ')}",
        f"{TEXT}\n{SIGNATURE.replace('Peter', 'Peter\u00a0')}",
        f"{TEXT}\n{SIGNATURE.replace('nAM=', 'nAM')}",
        f"{TEXT}\n{SIGNATURE.replace('nAM=', 'nAN=')}",
        f"{TEXT}\n{SIGNATURE.replace('nAM=', 'nAM= ')}",
        f"{TEXT}\n{SIGNATURE.replace('nAM=', 'n_-=')}",
        f"{TEXT}\n{SIGNATURE.replace('nAM=', 'nA\u00e9=')}",
        f"{TEXT}\n— PeterNeumann x08gow==\n",
        f"{TEXT}\n— PeterNeumann \n",
        f"{TEXT}\n— PeterNeumann\n",
        f"{TEXT}\r\n\r\n{SIGNATURE}",
        f"tab\there\n\n{SIGNATURE}",
        f"nul\0here\n\n{SIGNATURE}",
        b"\xff\n\n" + SIGNATURE.encode(),
        f"{TEXT}\n{SIGNATURE * 101}",
        "x" * 1_000_000 + NOTE,
        "\ud800\n\n" + SIGNATURE,
    ],
)
def test_a_malformed_note_is_refused(malformed: str | bytes):
    with pytest.raises(NoteError):
        Note.parse(malformed)


def test_a_hundred_signatures_and_empty_lines_in_the_text_are_accepted():
    assert len(Note.parse(f"{TEXT}\n{SIGNATURE * 100}").verify([PETER])) == 100
    text = "\n\nempty lines\n\n\naround\n\n"
    assert Note.parse(str(Note.sign(text, [SIGNER]))).text == text


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        VKEY.replace("c74f20a3", "c74f20a4"),
        VKEY.replace("c74f20a3", "C74F20A3"),
        VKEY.replace("c74f20a3", "74f20a3"),
        VKEY.replace("Peter", "peter"),
        VKEY.replace("Peter", "Peter "),
        VKEY.replace("ARpc", "BRpc"),
        VKEY.removesuffix("10TW"),
        VKEY + "=",
        VKEY + "\n",
        "PeterNeumann+c74f20a3+",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
    ],
)
def test_a_malformed_key_is_refused(vkey: str):
    with pytest.raises(NoteError):
        VerifierKey.parse(vkey)


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "\r\n", "\udcff\n"])
def test_text_that_no_note_holds_is_not_signed(text: str):
    with pytest.raises(NoteError):
        Note.sign(text, [SIGNER])


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused(length: int):
    with pytest.raises(NoteError):
        SigningKey.of_seed("name", bytes(length))
    with pytest.raises(NoteError):
        VerifierKey("name", bytes(length))


def test_a_private_key_does_not_show():
    assert SEED.hex() not in repr(SIGNER)
    assert "private" not in repr(SIGNER)


def test_a_cosignature_states_its_time():
    witness = SigningKey.of_seed("witness.example/w1", bytes(31) + b"1", COSIGNATURE)
    text = "example.com/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    signature = witness.sign(text, NOW)
    assert cosigned_at(signature) == NOW
    note = Note.sign(text, [SIGNER]).with_signatures([signature])
    assert VerifierKey.parse(str(witness.verifier)) == witness.verifier
    assert note.verify([witness.verifier]) == [(witness.verifier, signature)]
    later = bytearray(signature.value)
    later[7] ^= 1
    forged = note.with_signatures(
        parse_signatures(f"— {witness.name} {_base64(signature.key_id + bytes(later))}\n")
    )
    with pytest.raises(BadSignatureError):
        forged.verify([witness.verifier])
    # The same key as that of a log is another key, with another id.
    with pytest.raises(UnknownKeyError):
        note.verify([VerifierKey(witness.name, witness.verifier.public)])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("algorithm", "at"),
    [(1, NOW), (COSIGNATURE, None), (COSIGNATURE, datetime(1969, 1, 1, tzinfo=UTC))],
)
def test_only_a_cosignature_has_a_time(algorithm: int, at: datetime | None):
    key = SigningKey.of_seed("name", bytes(32), algorithm)
    with pytest.raises(NoteError):
        key.sign("text\n", at)


def test_a_later_signature_of_a_key_takes_the_place_of_the_old_one():
    note = Note.parse(NOTE)
    assert note.with_signatures(note.signatures) == note
    assert len(note.with_signatures([OTHER.sign(TEXT)]).signatures) == 2
