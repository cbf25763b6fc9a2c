"""Setting aside what can never succeed, through the functions host: nothing is lost on the way."""

import base64
import json
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage

from shared.errors import InvalidInputError
from shared.messages import Received, parked
from shared.messages.parking import whole_of
from tests.journeys.portal import eventually
from tests.queues import peeked

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REASON = InvalidInputError("too-bad", "It is bad.", "Make it good.")


def received(**changed):
    given = {
        "queue": "intake",
        "sequence_number": 7,
        "id": "m1",
        "body": b"\x00body",
        "session": None,
        "content_type": "text/plain",
        "delivery_count": 1,
        "properties": {"colour": "red"},
    }
    return Received(**(given | changed))


def test_the_copy_keeps_body_and_properties_and_gives_the_reason():
    copy = parked(received(), REASON, NOW)
    assert (copy.queue, copy.body, copy.content_type) == (
        "parked-messages",
        b"\x00body",
        "text/plain",
    )
    assert copy.properties == {
        "colour": "red",
        "parked-reason": "too-bad",
        "parked-detail": "It is bad.",
        "parked-remedy": "Make it good.",
        "parked-queue": "intake",
        "parked-message-id": "m1",
        "parked-session-id": "",
        "parked-delivery-count": 1,
        "parked-at": "2026-11-23T12:00:00.000Z",
    }


def test_only_the_same_delivery_is_the_same_copy():
    again = parked(received(delivery_count=2), REASON, NOW)
    assert parked(received(), REASON, NOW).id == again.id
    assert again.id != parked(received(sequence_number=8), REASON, NOW).id
    assert again.id != parked(received(queue="incidents"), REASON, NOW).id


LIMIT = 256 * 1024


def size(copy):
    """The bytes of a copy, with as much for its header as AMQP can need."""
    pairs = sum(len(f"{name}{value}".encode()) + 10 for name, value in copy.properties.items())
    return len(copy.body) + pairs + 1024


@pytest.mark.parametrize(
    "changed",
    [
        {"body": b"x" * (LIMIT - 100)},
        {"body": b"x" * 1024 * 1024},
        {"body": b"x" * 150_000, "properties": {f"p{n}": "v" * 1000 for n in range(60)}},
        {"properties": {"x": "\u5199" * 60_000}},
        {"properties": {"x" * 60_000: 1}},
        {"properties": {f"{n}": n for n in range(20_000)}},
        {"properties": {"m": {"deep": ["list"] * 10_000}}},
        {"content_type": "x" * 200_000},
        {"content_type": "text/\u5199"},
        {"id": "i" * 200_000, "session": "s" * 200_000},
    ],
)
def test_a_copy_fits_and_what_does_not_is_in_a_blob(changed):
    message = received(**changed)
    long = InvalidInputError("too-bad", "\u5199" * 200_000, "Make it good.")
    copy, whole = parked(message, long, NOW), whole_of(message)
    assert size(copy) < LIMIT
    assert sum(len(f"{n}{v}".encode()) for n, v in copy.properties.items()) < 64 * 1024
    if whole is None:
        assert copy.body == message.body
        assert copy.properties.keys() >= message.properties.keys()
        return
    assert copy.properties["parked-blob"] == f"parked/{whole.name}"
    kept = json.loads(whole.content)
    assert base64.b64decode(kept["body"]) == message.body
    assert kept["properties"] == message.properties
    assert (kept["contentType"], kept["sessionId"]) == (message.content_type, message.session)


def test_what_does_not_fit_is_named():
    message = received(properties={"a": 1, "big": "x" * 40_000, "b": 2}, body=b"x" * 200_000)
    copy = parked(message, REASON, NOW)
    assert copy.properties["parked-properties-left-out"] == "big"
    assert copy.properties["parked-body-bytes"] == 200_000
    assert (copy.properties["a"], copy.properties["b"]) == (1, 2)
    assert message.body.startswith(copy.body)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("text", None),
        (True, None),
        (-(2**31), None),
        (0.5, None),
        (2**31, "2147483648"),
        (2**64 - 1, "18446744073709551615"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (None, "null"),
        ({"a": {"b": [1, None]}}, '{"a": {"b": [1, null]}}'),
        ([1, "x"], '[1, "x"]'),
        ("\ud800", "?"),
    ],
)
def test_a_property_of_any_type_is_kept(value, kept):
    copy = parked(received(properties={"x": value}), REASON, NOW)
    if kept is None:
        assert copy.properties["x"] is value
        assert "parked-properties-as-text" not in copy.properties
    else:
        assert copy.properties["x"] == kept
        assert copy.properties["parked-properties-as-text"] == "x"
    assert whole_of(received(properties={"x": value})) is None


def test_the_reason_of_an_earlier_parking_gives_way():
    old = {"parked-reason": "old", "parked-blob": "parked/old", "parked-body-bytes": 7}
    copy = parked(received(properties=old), REASON, NOW)
    assert copy.properties["parked-reason"] == "too-bad"
    assert "parked-blob" not in copy.properties
    assert "parked-body-bytes" not in copy.properties


async def test_messages_without_an_id_of_their_own_are_all_parked(bus):
    bodies = {json.dumps({"mark": f"no-id-{number}"}).encode() for number in range(5)}
    async with bus.get_queue_sender("intake") as sender:
        for body in sorted(bodies):
            await sender.send_messages(ServiceBusMessage(body))

    async def reasons():
        # Peeked, as what other tests have parked is theirs to look for.
        found = {b"".join(m.body): m for m in await peeked(bus, "parked-messages")}
        return {body: found[body].application_properties for body in bodies & found.keys()}

    kept = await eventually(reasons, lambda found: found.keys() == bodies)
    assert {given[b"parked-reason"] for given in kept.values()} == {b"message-invalid"}
