"""Setting aside what can never succeed, through the functions host: nothing is lost on the way."""

import json
from datetime import UTC, datetime

from azure.servicebus import ServiceBusMessage

from shared.errors import InvalidInputError
from shared.messages import Received, parked
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
