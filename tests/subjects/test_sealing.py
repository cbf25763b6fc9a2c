"""Sealed records: what opens, and what is refused."""

import os
import zlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SealError
from shared.subjects import sealing
from shared.subjects.sealing import LARGEST, seal, unseal

KEY = bytes(range(32))
KEYS = st.binary(min_size=32, max_size=32)
BOUND = b"acme/01J0000000000000000000000A"


def forged(compressed):
    """What only a holder of the key can make."""
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(KEY).encrypt(nonce, compressed, b"\x01" + BOUND)


@given(key=KEYS, data=st.binary(max_size=4096), bound=st.binary(max_size=64))
def test_what_is_sealed_opens(key, data, bound):
    sealed = seal(key, data, bound)
    assert unseal(key, sealed, bound) == data
    assert seal(key, data, bound) != sealed


@given(data=st.binary(max_size=256), bound=st.binary(max_size=16), where=st.integers(min_value=0))
def test_a_flipped_bit_is_refused(data, bound, where):
    sealed = bytearray(seal(KEY, data, bound))
    where %= len(sealed) * 8
    sealed[where // 8] ^= 1 << where % 8
    with pytest.raises(SealError):
        unseal(KEY, bytes(sealed), bound)


def test_every_flipped_bit_is_refused():
    sealed = seal(KEY, b"Anna Berg", BOUND)
    for where in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[where // 8] ^= 1 << where % 8
        with pytest.raises(SealError):
            unseal(KEY, bytes(changed), BOUND)


def test_every_cut_and_every_addition_is_refused():
    sealed = seal(KEY, b"Anna Berg", BOUND)
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            unseal(KEY, sealed[:length], BOUND)
    with pytest.raises(SealError):
        unseal(KEY, sealed + b"\0", BOUND)


@given(key=KEYS, other=KEYS, bound=st.binary(max_size=16), elsewhere=st.binary(max_size=16))
def test_another_key_and_another_record_are_refused(key, other, bound, elsewhere):
    sealed = seal(key, b"Anna Berg", bound)
    if other != key:
        with pytest.raises(SealError):
            unseal(other, sealed, bound)
    if elsewhere != bound:
        with pytest.raises(SealError):
            unseal(key, sealed, elsewhere)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(sealed):
    with pytest.raises(SealError):
        unseal(KEY, sealed, BOUND)


def test_nothing_of_the_text_is_readable_and_texts_are_compressed():
    data = b"Anna Berg " * 100
    sealed = seal(KEY, data, BOUND)
    assert b"Anna" not in sealed
    assert len(sealed) < len(data) // 5


def test_nonces_do_not_repeat():
    assert len({seal(KEY, b"", BOUND)[1:13] for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "compressed",
    [
        b"",
        b"not zlib",
        zlib.compress(b"Anna Berg")[:-1],
        zlib.compress(b"Anna Berg") + b"more",
        zlib.compress(b"Anna Berg")[:-4] + b"\0\0\0\0",
    ],
)
def test_a_damaged_record_within_is_refused(compressed):
    with pytest.raises(SealError):
        unseal(KEY, forged(compressed), BOUND)


def test_a_bomb_fills_no_memory(monkeypatch):
    monkeypatch.setattr(sealing, "LARGEST", 1000)
    assert unseal(KEY, forged(zlib.compress(bytes(1000))), BOUND) == bytes(1000)
    for size in (1001, 1_000_000):
        with pytest.raises(SealError, match="larger"):
            unseal(KEY, forged(zlib.compress(bytes(size))), BOUND)
    with pytest.raises(ValueError, match="at most 1000 bytes"):
        seal(KEY, bytes(1001), BOUND)


def test_a_record_of_the_largest_size_opens():
    assert LARGEST == 67_108_864
    data = bytes(LARGEST)
    assert unseal(KEY, seal(KEY, data, BOUND), BOUND) == data


@pytest.mark.parametrize("length", [0, 16, 24, 31, 33])
def test_a_key_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="32 bytes"):
        seal(bytes(length), b"", BOUND)
    with pytest.raises(ValueError, match="32 bytes"):
        unseal(bytes(length), seal(KEY, b"", BOUND), BOUND)
