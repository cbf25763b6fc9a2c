"""Frames as bytes: the broker understands or refuses any bytes, and raises no error besides."""

import contextlib
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.framing import IncomingFrames
from infra.local.servicebus.message_format import BATCH_FORMAT

ATTACH, TRANSFER = b"\x00\x53\x12", b"\x00\x53\x14"


def frame(body: bytes) -> bytes:
    return struct.pack(">IBBH", len(body) + 8, 2, 0, 0) + body


def fields(*values: bytes) -> bytes:
    """Encode a list of encoded values."""
    encoded = b"".join(values)
    return b"\xd0" + struct.pack(">II", len(encoded) + 4, len(values)) + encoded


def attach(name: bytes, handle: int) -> bytes:
    return frame(ATTACH + fields(b"\xa1" + bytes((len(name),)) + name, bytes((0x52, handle))))


def transfer(
    handle: int, delivery: int, message_format: int, *, more: bool = False, wide: bool = False
) -> bytes:
    number = b"\x70" + struct.pack(">I", message_format)
    identifier = b"\x70" + struct.pack(">I", delivery) if wide else bytes((0x52, delivery))
    settled, goes_on = b"\x42", b"\x41" if more else b"\x42"
    values = (bytes((0x52, handle)), identifier, b"\xa0\x01t", number, settled, goes_on)
    return frame(TRANSFER + fields(*values) + b"payload")


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_each_delivery_has_its_format_however_the_bytes_come(piece: int) -> None:
    wire = b"".join(
        (
            b"AMQP\x00\x01\x00\x00",
            attach(b"one", 3),
            attach(b"two", 4),
            transfer(3, 1, 0),
            transfer(4, 2, BATCH_FORMAT, more=True),
            # The second transfer of the same delivery is not a new delivery.
            transfer(4, 2, BATCH_FORMAT),
            transfer(3, 3, BATCH_FORMAT),
            transfer(4, 4, 0),
        )
    )
    formats = IncomingFrames()
    passed = b"".join(formats.feed(wire[at : at + piece]) for at in range(0, len(wire), piece))
    assert passed == wire
    assert [formats.next_message_format("one"), formats.next_message_format("one")] == [
        0,
        BATCH_FORMAT,
    ]
    assert [formats.next_message_format("two"), formats.next_message_format("two")] == [
        BATCH_FORMAT,
        0,
    ]


def test_delivery_ids_begin_anew_at_their_end() -> None:
    """AMQP 1.0 part 2, 2.8.10: a sequence number has 32 bits and wraps around (RFC 1982)."""
    last = 2**32 - 1
    wire = (
        attach(b"one", 3),
        transfer(3, last, BATCH_FORMAT, wide=True),
        transfer(3, 0, 0, wide=True),
        transfer(3, 0, BATCH_FORMAT, wide=True),  # Repeated, and corrected.
    )
    frames = IncomingFrames()
    passed = [frames.feed(piece) for piece in wire]
    assert passed == [*wire[:3], transfer(3, 1, BATCH_FORMAT, wide=True)]
    assert [frames.next_message_format("one") for _ in range(3)] == [BATCH_FORMAT, 0, BATCH_FORMAT]


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_a_repeated_delivery_id_is_put_right(piece: int) -> None:
    """AMQP 1.0 part 2, 2.5.1: delivery ids are consecutive in a session, across its links."""
    before = (
        attach(b"one", 3),
        attach(b"two", 4),
        transfer(3, 1, 0),
        transfer(4, 1, 0, more=True),
        transfer(4, 1, 0),
        transfer(4, 1, BATCH_FORMAT),
        transfer(3, 4, 0),
    )
    after = (
        *before[:3],
        transfer(4, 2, 0, more=True, wide=True),
        transfer(4, 2, 0, wide=True),
        transfer(4, 3, BATCH_FORMAT, wide=True),
        before[6],
    )
    wire, frames = b"".join(before), IncomingFrames()
    passed = b"".join(frames.feed(wire[at : at + piece]) for at in range(0, len(wire), piece))
    assert passed == b"".join(after)
    assert [frames.next_message_format("two"), frames.next_message_format("two")] == [
        0,
        BATCH_FORMAT,
    ]


@settings(deadline=None, max_examples=300)
@given(st.sampled_from((ATTACH, TRANSFER, b"")), st.binary(max_size=60))
# A UUID in place of a name, cut short by the end of the frame.
@example(ATTACH, b"\xc0\x14\x02\x98")
# A name that is not UTF-8, and a transfer on a handle without an attach.
@example(ATTACH, fields(b"\xa1\x01\xff", b"\x43"))
@example(TRANSFER, fields(b"\x43", b"\x43"))
def test_nonsense_is_refused_and_raises_nothing_else(code: bytes, noise: bytes) -> None:
    formats = IncomingFrames()
    with contextlib.suppress(MalformedMessageError):
        formats.feed(frame(code + noise))
