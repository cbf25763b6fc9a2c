"""The way of a message through a queue, through the unmodified asynchronous SDK."""

import uuid
from datetime import timedelta

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageProperties
from azure.servicebus.exceptions import MessageSizeExceededError

from tests.local.servicebus.sdk import WAIT, receive_one, receiving, send


async def test_a_message_comes_through_as_it_was_sent(client, new_queue):
    """ "Messages, payloads, and serialization": system and application properties, and the body."""
    queue, body = new_queue("plain"), bytes(range(256)) * 300
    application = {
        "text": "Größe",
        "int": 7,
        "float": 1.5,
        "flag": True,
        "uuid": uuid.UUID(int=9),
        "int2": -(2**31),
    }
    await send(
        client,
        queue,
        ServiceBusMessage(
            body,
            message_id="id-1",
            subject="vouchsafe.test.v1",
            content_type="application/cloudevents+json",
            correlation_id="c",
            reply_to="r",
            to="t",
            session_id="s",
            reply_to_session_id="rs",
            partition_key="s",
            time_to_live=timedelta(minutes=2),
            application_properties=application,
        ),
    )
    async with receiving(client, queue) as receiver:
        message = await receive_one(receiver)
        assert message.enqueued_time_utc < message.locked_until_utc < message.expires_at_utc
        await receiver.complete_message(message)
    assert b"".join(message.body) == body
    read = {key.decode(): value for key, value in message.application_properties.items()}
    assert read == application | {"text": "Größe".encode()}
    assert (message.message_id, message.subject) == ("id-1", "vouchsafe.test.v1")
    assert message.content_type == "application/cloudevents+json"
    assert (message.correlation_id, message.reply_to, message.to) == ("c", "r", "t")
    assert (message.session_id, message.reply_to_session_id) == ("s", "rs")
    assert message.partition_key == "s"
    assert message.time_to_live == timedelta(minutes=2)
    assert (message.delivery_count, message.sequence_number) == (0, 1)
    assert message.enqueued_sequence_number == 1


@pytest.mark.parametrize(
    "content",
    [
        {"data_body": [b"one", b"two"]},
        {"sequence_body": [["a", 1], [True]]},
        {"value_body": {"k": ["v", 2]}},
    ],
)
async def test_every_kind_of_body(client, new_queue, content):
    """ "AMQP 1.0 in Azure Service Bus protocol guide", messages: the bare message is immutable."""
    queue = new_queue("plain")
    properties = AmqpMessageProperties(message_id="1", user_id=b"\x00\xff", subject="s")
    footer = {"f": "oot"}
    await send(client, queue, AmqpAnnotatedMessage(properties=properties, footer=footer, **content))
    async with receiving(client, queue) as receiver:
        message = await receive_one(receiver)
        await receiver.complete_message(message)
    raw = message.raw_amqp_message
    expected = {
        "data_body": [b"one", b"two"],
        "sequence_body": [[b"a", 1], [True]],
        "value_body": {b"k": [b"v", 2]},
    }
    assert raw.body_type.value in next(iter(content))
    assert list(raw.body) == expected["data_body"] if "data_body" in content else True
    if "sequence_body" in content:
        assert list(raw.body) == expected["sequence_body"]
    if "value_body" in content:
        assert raw.body == expected["value_body"]
    assert raw.properties.user_id == b"\x00\xff"
    assert raw.footer == {b"f": b"oot"}


async def test_a_batch_arrives_as_its_messages_in_order(client, new_queue):
    """ "AMQP 1.0 in Azure Service Bus protocol guide": one transfer, many messages."""
    queue = new_queue("plain")
    async with client.get_queue_sender(queue) as sender:
        batch = await sender.create_message_batch()
        for number in range(500):
            batch.add_message(ServiceBusMessage(str(number), message_id=str(number)))
        await sender.send_messages(batch)
        await sender.send_messages([ServiceBusMessage("last")])
    bodies, removing = [], ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with receiving(client, queue, receive_mode=removing) as receiver:
        while len(bodies) < 501:
            bodies += [str(m) for m in await receiver.receive_messages(501, max_wait_time=WAIT)]
    assert bodies == [*(str(number) for number in range(500)), "last"]


async def test_a_message_that_is_an_encoded_message_is_no_batch(client, new_queue):
    """ "AMQP 1.0 protocol guide": only message format 0x80013700 makes a batch."""
    queue = new_queue("plain")
    inner = b"\x00\x53\x75\xa0\x02hi"
    await send(client, queue, ServiceBusMessage(inner))
    async with receiving(client, queue) as receiver:
        message = await receive_one(receiver)
        await receiver.complete_message(message)
    assert b"".join(message.body) == inner


async def test_a_message_that_is_too_large(client, new_queue):
    """ "Service Bus quotas": 256 KB a message."""
    queue = new_queue("plain")
    with pytest.raises(MessageSizeExceededError):
        await send(client, queue, ServiceBusMessage(b"x" * 300_000))
    await send(client, queue, ServiceBusMessage(b"x" * 250_000))


async def test_duplicates_are_accepted_and_dropped(client, new_queue):
    """ "Duplicate detection": the send succeeds, the second copy is dropped."""
    queue = new_queue("plain")
    same = [ServiceBusMessage("x", message_id="same") for _ in range(3)]
    await send(client, queue, same[0], same[1:], ServiceBusMessage("x", message_id="other"))
    async with receiving(client, queue) as receiver:
        ids = [message.message_id for message in await receiver.peek_messages(10)]
    assert ids == ["same", "other"]


async def test_peeking_changes_nothing(client, new_queue):
    """ "Message browsing": peeked messages are neither locked nor removed."""
    queue = new_queue("plain")
    await send(client, queue, [ServiceBusMessage(str(number)) for number in range(3)])
    async with receiving(client, queue) as receiver:
        assert [str(m) for m in await receiver.peek_messages(2)] == ["0", "1"]
        assert [str(m) for m in await receiver.peek_messages(9)] == ["2"]
        assert await receiver.peek_messages(9) == []
        assert str(await receive_one(receiver)) == "0"
