"""The SASL layer as bytes, with the mechanisms of Microsoft's .NET and Java clients."""

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.sas import KEY, KEY_NAME
from infra.local.servicebus.sasl import Sasl

HEADER = b"AMQP\x03\x01\x00\x00"
AMQP = b"AMQP\x00\x01\x00\x00"
RIGHT = f"\0{KEY_NAME}\0{KEY}".encode()


def init(mechanism: str, response: bytes | None = None) -> bytes:
    fields = b"\xa3" + bytes((len(mechanism),)) + mechanism.encode()
    fields += b"\x40" if response is None else b"\xa0" + bytes((len(response),)) + response
    body = b"\x00\x53\x41\xc0" + bytes((len(fields) + 1, 2)) + fields
    return struct.pack(">IBBH", len(body) + 8, 2, 1, 0) + body


def negotiated(data: bytes, piece: int = 10_000) -> tuple[Sasl, bytes, bytes]:
    """Feed bytes to the SASL layer; return the layer, its answer, and the bytes left to AMQP."""
    sasl, answer, rest = Sasl(), b"", b""
    for at in range(0, len(data), piece):
        part = data[at : at + piece]
        if sasl.is_done:
            rest += part
        else:
            said, left = sasl.feed(part)
            answer, rest = answer + said, rest + left
    return sasl, answer, rest


@pytest.mark.parametrize("piece", [1, 5, 10_000])
@pytest.mark.parametrize(
    ("start", "code", "trusted"),
    [
        (init("MSSBCBS"), 0, False),
        (init("ANONYMOUS", b"who"), 0, False),
        (init("PLAIN", RIGHT), 0, True),
        (init("PLAIN", RIGHT + b"x"), 1, False),
        (init("PLAIN", b"\0\0"), 1, False),
        (init("PLAIN"), 1, False),
        # A response that is text; the specification has binary.
        (init("PLAIN", RIGHT).replace(b"\xa0", b"\xa1"), 1, False),
        (init("SCRAM-SHA-256", b"n,,"), 1, False),
    ],
)
def test_a_login_has_its_outcome(start: bytes, code: int, trusted: bool, piece: int) -> None:
    """AMQP 1.0 part 5, 5.3.3.6: 0 is ok, 1 is failed for the credentials."""
    sasl, answer, rest = negotiated(HEADER + start + AMQP, piece)
    assert answer.startswith(HEADER)
    for mechanism in (b"MSSBCBS", b"PLAIN", b"ANONYMOUS"):
        assert mechanism in answer
    assert answer.endswith(b"\x00\x53\x44\xc0\x03\x01\x50" + bytes((code,)))
    assert (sasl.has_failed, sasl.is_trusted) == (code == 1, trusted)
    assert rest == AMQP


def test_what_begins_without_the_layer_goes_on_unchanged() -> None:
    sasl, answer, rest = negotiated(AMQP + b"more")
    assert (sasl.is_done, answer, rest) == (True, b"", AMQP + b"more")
    assert not sasl.is_trusted


def test_a_client_that_wants_tls_is_told_apart() -> None:
    with pytest.raises(MalformedMessageError, match="UseDevelopmentEmulator"):
        Sasl().feed(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60))
def test_nonsense_is_never_trusted_and_raises_nothing_else(noise: bytes) -> None:
    for data in (noise, HEADER + noise, HEADER + struct.pack(">IBBH", 40, 2, 1, 0) + noise):
        with contextlib.suppress(MalformedMessageError):
            assert not negotiated(data)[0].is_trusted
