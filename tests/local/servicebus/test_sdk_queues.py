"""Queues without sessions, through the unmodified asynchronous SDK.

Unless a test says otherwise, the behaviour is that of "Message transfers, locks, and settlement"
(learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement).
"""

import asyncio
import uuid
from datetime import timedelta

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageProperties
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)

WAIT = 20
SHORT = 0.5


async def send(client, queue, *messages):
    async with client.get_queue_sender(queue) as sender:
        for message in messages:
            await sender.send_messages(message)


async def receive_one(receiver):
    (message,) = await receiver.receive_messages(1, max_wait_time=WAIT)
    return message


async def dead_letters(client, queue, count):
    found = []
    async with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        while len(found) < count:
            for message in await dead.receive_messages(count, max_wait_time=WAIT):
                await dead.complete_message(message)
                found.append(message)
        assert await dead.receive_messages(1, max_wait_time=SHORT) == []
    return found


async def test_a_message_comes_through_as_it_was_sent(client, new_queue):
    """ "Messages, payloads, and serialization": properties of both kinds and the body."""
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
    async with client.get_queue_receiver(queue) as receiver:
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
    async with client.get_queue_receiver(queue) as receiver:
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
    queue = new_queue("plain")
    async with client.get_queue_sender(queue) as sender:
        batch = await sender.create_message_batch()
        for number in range(500):
            batch.add_message(ServiceBusMessage(str(number), message_id=str(number)))
        await sender.send_messages(batch)
        await sender.send_messages([ServiceBusMessage("last")])
    bodies = []
    async with client.get_queue_receiver(queue, prefetch_count=100) as receiver:
        while len(bodies) < 501:
            for message in await receiver.receive_messages(100, max_wait_time=WAIT):
                bodies.append(str(message))
                await receiver.complete_message(message)
    assert bodies == [*(str(number) for number in range(500)), "last"]


async def test_a_message_that_is_an_encoded_message_is_no_batch(client, new_queue):
    """ "AMQP 1.0 protocol guide": only message format 0x80013700 makes a batch."""
    queue = new_queue("plain")
    inner = b"\x00\x53\x75\xa0\x02hi"
    await send(client, queue, ServiceBusMessage(inner))
    async with client.get_queue_receiver(queue) as receiver:
        message = await receive_one(receiver)
        await receiver.complete_message(message)
    assert b"".join(message.body) == inner


async def test_settlements(client, new_queue):
    queue = new_queue("plain")
    names = ["complete", "abandon", "dead-letter", "defer"]
    await send(client, queue, *(ServiceBusMessage(name) for name in names))
    async with client.get_queue_receiver(queue) as receiver:
        held = {}
        while len(held) < len(names):
            for message in await receiver.receive_messages(10, max_wait_time=WAIT):
                held[str(message)] = message
        await receiver.complete_message(held["complete"])
        await receiver.abandon_message(held["abandon"])
        await receiver.dead_letter_message(
            held["dead-letter"], reason="why", error_description="because"
        )
        await receiver.defer_message(held["defer"])
        again = await receive_one(receiver)
        assert (str(again), again.delivery_count) == ("abandon", 1)
        await receiver.complete_message(again)
        assert await receiver.receive_messages(1, max_wait_time=SHORT) == []
        (deferred,) = await receiver.peek_messages(10, sequence_number=1)
        assert (str(deferred), deferred.state.name) == ("defer", "DEFERRED")
    (dead,) = await dead_letters(client, queue, 1)
    assert str(dead) == "dead-letter"
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("why", "because")
    assert dead.application_properties == {
        b"DeadLetterReason": b"why",
        b"DeadLetterErrorDescription": b"because",
    }


async def test_dead_lettering_keeps_the_other_properties(client, new_queue):
    """ "Overview of Service Bus dead-letter queues": the message itself is kept as it was."""
    queue = new_queue("plain")
    properties = {"DeadLetterReason": "an old one", "other": 1}
    await send(client, queue, ServiceBusMessage("x", application_properties=properties))
    async with client.get_queue_receiver(queue) as receiver:
        await receiver.dead_letter_message(await receive_one(receiver))
    (dead,) = await dead_letters(client, queue, 1)
    assert dead.application_properties[b"other"] == 1
    assert not dead.dead_letter_reason
    assert str(dead) == "x"


async def test_receive_and_delete(client, new_queue):
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("a"), ServiceBusMessage("b"))
    mode, bodies = ServiceBusReceiveMode.RECEIVE_AND_DELETE, []
    async with client.get_queue_receiver(queue, receive_mode=mode) as receiver:
        while len(bodies) < 2:
            bodies += [str(m) for m in await receiver.receive_messages(2, max_wait_time=WAIT)]
    assert bodies == ["a", "b"]
    async with client.get_queue_receiver(queue) as receiver:
        assert await receiver.peek_messages(5) == []


async def test_duplicates_are_accepted_and_dropped(client, new_queue):
    """ "Duplicate detection": the send succeeds, the second copy is dropped."""
    queue = new_queue("plain")
    same = [ServiceBusMessage("x", message_id="same") for _ in range(3)]
    await send(client, queue, same[0], same[1:], ServiceBusMessage("x", message_id="other"))
    async with client.get_queue_receiver(queue) as receiver:
        ids = [message.message_id for message in await receiver.peek_messages(10)]
    assert ids == ["same", "other"]


async def test_an_expired_lock_returns_the_message(client, new_queue):
    queue = new_queue("brief")
    await send(client, queue, ServiceBusMessage("x"))
    async with client.get_queue_receiver(queue) as receiver:
        first = await receive_one(receiver)
        second = await receive_one(receiver)
        assert (second.delivery_count, second.sequence_number) == (1, first.sequence_number)
        with pytest.raises(MessageLockLostError):
            await receiver.renew_message_lock(first)
        # The SDK looks at its clock first; make it ask the broker.
        first._raw_amqp_message.annotations[b"x-opt-locked-until"] = 1 << 42
        with pytest.raises(MessageLockLostError):
            await receiver.complete_message(first)
        await receiver.complete_message(second)


async def test_a_renewed_lock_holds(client, new_queue):
    queue = new_queue("brief")
    await send(client, queue, ServiceBusMessage("x"))
    async with (
        client.get_queue_receiver(queue) as receiver,
        client.get_queue_receiver(queue) as other,
    ):
        message = await receive_one(receiver)
        for _ in range(4):
            before = message.locked_until_utc
            assert await other.receive_messages(1, max_wait_time=1) == []
            assert await receiver.renew_message_lock(message) > before
        await receiver.complete_message(message)


async def test_too_many_deliveries_lead_to_the_dead_letter_queue(client, new_queue):
    """ "Overview of Service Bus dead-letter queues": maximum delivery count."""
    queue = new_queue("brief")
    await send(client, queue, ServiceBusMessage("x"))
    async with client.get_queue_receiver(queue) as receiver:
        for count in range(3):
            message = await receive_one(receiver)
            assert message.delivery_count == count
            await receiver.abandon_message(message)
    (dead,) = await dead_letters(client, queue, 1)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.delivery_count == 3


async def test_time_to_live_leads_to_the_dead_letter_queue(client, new_queue):
    """ "Message expiration (time to live)": dead-lettered when the queue says so."""
    queue = new_queue("fleeting")
    await send(client, queue, ServiceBusMessage("x", time_to_live=timedelta(hours=1)))
    (dead,) = await dead_letters(client, queue, 1)
    assert dead.dead_letter_reason == "TTLExpiredException"


async def test_messages_of_a_closed_receiver(client, new_queue):
    """What was received stays locked for its holder; what was only prefetched is free again."""
    queue = new_queue("brief")
    await send(client, queue, *(ServiceBusMessage(str(number)) for number in range(5)))
    async with client.get_queue_receiver(queue, prefetch_count=10) as receiver:
        held = await receive_one(receiver)
        assert str(held) == "0"
    async with client.get_queue_receiver(queue) as receiver:
        found = {}
        while len(found) < 5:
            for message in await receiver.receive_messages(5, max_wait_time=WAIT):
                found[str(message)] = message.delivery_count
                await receiver.complete_message(message)
    assert found == {"0": 1, "1": 0, "2": 0, "3": 0, "4": 0}


async def test_an_idle_receiver_does_not_keep_messages(client, new_queue):
    """A receiver that is open but not asking gives back what reaches it."""
    queue = new_queue("plain")
    async with client.get_queue_receiver(queue) as idle:
        assert await idle.receive_messages(1, max_wait_time=SHORT) == []
        await send(client, queue, ServiceBusMessage("x"))
        async with client.get_queue_receiver(queue) as receiver:
            message = await receive_one(receiver)
            assert message.delivery_count == 0
            await receiver.complete_message(message)


async def test_many_receivers_share_the_work(client, new_queue):
    queues = [new_queue("plain") for _ in range(4)]
    for queue in queues:
        messages = [ServiceBusMessage(str(n), message_id=str(n)) for n in range(100)]
        await send(client, queue, messages)
    seen = {queue: [] for queue in queues}

    async def work(queue):
        async with client.get_queue_receiver(queue) as receiver:
            while len(seen[queue]) < 100:
                for message in await receiver.receive_messages(5, max_wait_time=SHORT):
                    seen[queue].append(str(message))
                    await receiver.complete_message(message)

    await asyncio.gather(*(work(queue) for queue in queues for _ in range(4)))
    expected = sorted(str(n) for n in range(100))
    assert [sorted(bodies) for bodies in seen.values()] == [expected] * 4


async def test_peeking_changes_nothing(client, new_queue):
    """ "Message browsing": peeked messages are neither locked nor removed."""
    queue = new_queue("plain")
    await send(client, queue, [ServiceBusMessage(str(number)) for number in range(3)])
    async with client.get_queue_receiver(queue) as receiver:
        assert [str(m) for m in await receiver.peek_messages(2)] == ["0", "1"]
        assert [str(m) for m in await receiver.peek_messages(9)] == ["2"]
        assert await receiver.peek_messages(9) == []
        assert str(await receive_one(receiver)) == "0"


# -- refusals --------------------------------------------------------------------------------------


async def test_an_unknown_queue_is_not_found(client):
    """ "Service Bus messaging exceptions": MessagingEntityNotFound."""
    with pytest.raises(MessagingEntityNotFoundError, match="nowhere"):
        async with client.get_queue_receiver("nowhere"):
            pass
    with pytest.raises(MessagingEntityNotFoundError, match="nowhere"):
        await send(client, "nowhere", ServiceBusMessage("x"))


@pytest.mark.parametrize(
    "change", [("SAS_KEY_VALUE", "another"), ("RootManage", "Branch"), ("SAS_KEY_VALUE", "")]
)
async def test_a_wrong_key_is_unauthorized(broker, new_queue, change):
    """ "Service Bus access control with Shared Access Signatures"."""
    from azure.servicebus.aio import ServiceBusClient

    wrong = broker.replace(*change) if change[1] else broker.replace("SAS_KEY_VALUE", "SAS_KEY")
    async with ServiceBusClient.from_connection_string(wrong, retry_total=0) as client:
        with pytest.raises(ServiceBusAuthenticationError):
            await send(client, new_queue("plain"), ServiceBusMessage("x"))


async def test_what_the_broker_cannot_do_is_refused_by_name(client, new_queue):
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("x"))
    async with client.get_queue_receiver(queue) as receiver:
        with pytest.raises(ServiceBusError, match="receive-by-sequence-number"):
            await receiver.receive_deferred_messages(1)
    from datetime import UTC, datetime

    later = datetime.now(UTC) + timedelta(hours=1)
    scheduled = ServiceBusMessage("x", scheduled_enqueue_time_utc=later)
    with pytest.raises(ServiceBusError, match="x-opt-scheduled-enqueue-time"):
        await send(client, queue, scheduled)
    async with client.get_queue_sender(queue) as sender:
        with pytest.raises(ServiceBusError, match="schedule-message"):
            await sender.schedule_messages(ServiceBusMessage("x"), later)


async def test_a_message_that_is_too_large(client, new_queue):
    """ "Service Bus quotas": 256 KB a message."""
    queue = new_queue("plain")
    with pytest.raises(MessageSizeExceededError):
        await send(client, queue, ServiceBusMessage(b"x" * 300_000))
    await send(client, queue, ServiceBusMessage(b"x" * 250_000))


async def test_a_session_receiver_on_a_queue_without_sessions(client, new_queue):
    """ "Message sessions": sessions are a property of the queue."""
    with pytest.raises(ServiceBusError, match="sessionful"):
        async with client.get_queue_receiver(new_queue("plain"), session_id="s"):
            pass
