"""Messages as bytes: an accepted message can be delivered and dead-lettered."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from proton import Message, symbol

from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.message_format import (
    BrokerProperties,
    dead_lettered,
    encode,
    parse,
    unbatch,
)

PROPERTIES = BrokerProperties(sequence=7, enqueued_at=1.5, delivery_count=2, locked_until=9.0)
WHOLE = Message(
    id="id",
    group_id="session",
    ttl=1.5,
    subject="subject",
    annotations={symbol("x-opt-partition-key"): "p", symbol("x-opt-sequence-number"): 99},
    properties={"a": 1, "DeadLetterReason": "old"},
    body=b"body",
).encode()


def test_a_message_is_taken_apart_and_stamped() -> None:
    content = parse(WHOLE)
    assert (content.message_id, content.session_id, content.ttl) == ("id", "session", 1.5)
    read = Message()
    read.decode(encode(dead_lettered(content, "why", "because"), PROPERTIES))
    assert (read.id, read.subject, read.body, read.delivery_count) == ("id", "subject", b"body", 2)
    assert read.annotations["x-opt-partition-key"] == "p"
    # Broker properties from a client are ignored.
    assert read.annotations["x-opt-sequence-number"] == 7
    assert read.annotations["x-opt-locked-until"] == 9000
    assert read.properties == {
        "a": 1,
        "DeadLetterReason": "why",
        "DeadLetterErrorDescription": "because",
    }


@pytest.mark.parametrize(
    "data",
    [
        b"\x40",
        b"\x00\x53\x79\x40",
        b"\x00\x53\x75\xa0\x05x",
        # Application properties that are a list, and annotations with a key without a value.
        b"\x00\x53\x74\xc0\x02\x01\x40\x00\x53\x75\xa0\x01x",
        b"\x00\x53\x72\xc1\x02\x01\x40\x00\x53\x75\xa0\x01x",
        b"\x00\x53\x73\xc0\x05\x01\xa1\x02\xff\xff\x00\x53\x75\xa0\x01x",
        b"\x00" * 5000,
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        parse(data)


@pytest.mark.parametrize("place", ["properties", "annotations", "body"])
@pytest.mark.parametrize("depth", [10, 100])
def test_values_are_nested_as_deep_as_clients_read(place: str, depth: int) -> None:
    value: object = 1
    for _ in range(depth):
        value = {"a": [value]}
    data = Message(**{place: {symbol("x") if place == "annotations" else "x": value}}).encode()
    if depth == 10:
        assert parse(data)
        return
    with pytest.raises(MalformedMessageError):
        parse(data)


# {[]: null}, and a described key.
@pytest.mark.parametrize("key", [b"\x45", b"\x00\xa3\x01x\x40"])
def test_a_map_with_a_key_that_no_client_can_keep_is_refused(key: bytes) -> None:
    inner = key + b"\x40"
    pairs = b"\xa1\x01x\xc1" + bytes((len(inner) + 1, 2)) + inner
    with pytest.raises(MalformedMessageError):
        parse(b"\x00\x53\x74\xc1" + bytes((len(pairs) + 1, 2)) + pairs)


def test_a_batch_with_a_descriptor_that_is_no_text_is_refused() -> None:
    with pytest.raises(MalformedMessageError):
        unbatch(b"\x00\xa1\x01\xc0\x40")


@settings(deadline=None, max_examples=300)
@example(b"\x98", 1, 0)
@given(st.binary(max_size=60), st.integers(0, len(WHOLE)), st.integers(0, 8))
def test_what_is_accepted_can_be_delivered(noise: bytes, at: int, gone: int) -> None:
    for read in (parse, lambda data: [parse(one) for one in unbatch(data)]):
        for data in (noise, WHOLE[:at] + noise + WHOLE[at + gone :]):
            try:
                found = read(data)
            except MalformedMessageError:
                continue
            for content in found if isinstance(found, list) else [found]:
                assert encode(content, PROPERTIES)
                assert encode(dead_lettered(content, "why", "because"), PROPERTIES)
