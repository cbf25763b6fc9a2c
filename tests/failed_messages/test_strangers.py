"""Dead letters of any AMQP type are listed, shown, replayed or refused, and discarded."""

import asyncio
import uuid

import pytest
from proton import UNDESCRIBED, Array, Data, Message, char, decimal64, symbol, timestamp, ulong
from proton.utils import BlockingConnection

from infra.local.servicebus.sas import KEY, KEY_NAME
from shared.azure.amqp_types import read_every_type
from tests.failed_messages.steps import ITO, body_of, event, flow, listed, taken_off

QUEUE = "access-events"
ODD = {
    "map": {"a": {"b": [1, None]}},
    "array": Array(UNDESCRIBED, Data.CHAR, char("a")),
    "char": char("\N{GRINNING FACE}"),
    "decimal64": decimal64(7),
    "symbol": symbol("s"),
    "timestamp": timestamp(2**62),
    "uuid": uuid.UUID(int=7),
    "binary": b"\xff\x00\xfe",
    "ulong": ulong(2**64 - 1),
    "nan": float("nan"),
    "null": None,
    "long text": "x" * 40_000,
}
MESSAGES = {
    **{f"property {name}": {"properties": {"x": value}} for name, value in ODD.items()},
    **{
        f"id {type(one).__name__}": {"id": one}
        for one in (ulong(7), uuid.UUID(int=7), b"\xff\xfe", "zoe@acme.example\n" * 4)
    },
    "content type": {"content_type": "\u0416 a/b" * 20},
    "reason of the sender": {"properties": {"DeadLetterReason": "Zoe Smith", "parked-queue": "x"}},
    "property name": {"properties": {"Zoe Smith " * 50: 1}},
}


def send_typed(services, messages):
    """Send with every AMQP type, some of which the SDK cannot send."""
    port = int(services.info["endpoints"]["service_bus"].rpartition(":")[2])
    login = {"user": KEY_NAME, "password": KEY, "allowed_mechs": "PLAIN"}
    url = f"amqp://127.0.0.1:{port}"
    connection = BlockingConnection(url, timeout=60, allow_insecure_mechs=True, **login)
    try:
        sender = connection.create_sender(QUEUE)
        for message in messages:
            sender.send(message)
    finally:
        connection.close()


@pytest.fixture
async def dead(services, bus, app):
    """Dead letters of every kind, and of bodies that are no bytes."""
    read_every_type()
    bodies = [event("nobody-there", grantId=name) for name in MESSAGES]
    more = [{"id": str(uuid.uuid4())} | one for one in MESSAGES.values()]
    messages = [
        Message(body=body, inferred=True, **one) for body, one in zip(bodies, more, strict=True)
    ]
    messages += [Message(body={"a": 1}), Message(body=["x"]), Message(body=7), Message(body="text")]
    for message in messages[-4:]:
        message.id = str(uuid.uuid4())
    await asyncio.to_thread(send_typed, services, messages)
    count = 0
    async with bus.get_queue_receiver(QUEUE) as receiver:
        while received := await receiver.receive_messages(50, max_wait_time=2):
            for message in received:
                await receiver.dead_letter_message(message, reason="MaxDeliveryCountExceeded")
                count += 1
    assert count == len(messages)
    return bodies


async def test_a_message_of_any_type_has_an_answer(app, bus, dead):
    found = await listed(app, queue=QUEUE)
    assert len(found) == len(dead) + 4
    assert {one.reason for one in found} <= {"MaxDeliveryCountExceeded", "other"}
    for one in found:
        assert (await flow(app).show(one.id, ITO)).id == one.id
        await flow(app).disclose(one.id, "x", ITO)
    outcomes = await flow(app).replay([one.id for one in found], "x", ITO)
    assert {one.outcome for one in outcomes} == {"replayed", "refused"}
    back = [body_of(one) for one in await taken_off(bus, QUEUE)]
    assert back == [*dead, b"text"]
    left = await listed(app, queue=QUEUE)
    assert len(left) == 3
    outcomes = await flow(app).discard([one.id for one in left], "x", ITO)
    assert {one.outcome for one in outcomes} == {"discarded"}
