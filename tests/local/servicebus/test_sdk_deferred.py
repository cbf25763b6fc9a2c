"""Deferred messages, scheduled messages and lists of sessions, through the unmodified SDK."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageBatch,
    ServiceBusMessageState,
    ServiceBusReceiveMode,
)
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusError,
    SessionLockLostError,
)

from tests.local.servicebus.sdk import SHORT, WAIT, dead_letters, receive_one, receiving, send

HOUR = timedelta(hours=1)


# Longer than a sender and a receiver take to open.
def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=5)


async def test_a_deferred_message_is_had_by_its_sequence_number(client, new_queue):
    """ "Message deferral"."""
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("aside"), ServiceBusMessage("next"))
    async with receiving(client, queue) as receiver:
        message = await receive_one(receiver)
        await receiver.defer_message(message)
        following = await receive_one(receiver)
        assert str(following) == "next"
        await receiver.complete_message(following)
        assert await receiver.receive_messages(1, max_wait_time=SHORT) == []
        (deferred,) = await receiver.receive_deferred_messages(message.sequence_number)
        assert (str(deferred), deferred.state) == ("aside", ServiceBusMessageState.DEFERRED)
        # The message is locked: no second receiver gets the message, and the lock can be renewed.
        with pytest.raises(ServiceBusError, match="sequence number"):
            await receiver.receive_deferred_messages(message.sequence_number)
        assert await receiver.renew_message_lock(deferred) > datetime.now(UTC)
        await receiver.abandon_message(deferred)
        (deferred,) = await receiver.receive_deferred_messages([message.sequence_number])
        assert deferred.delivery_count == 1
        await receiver.complete_message(deferred)
        assert await receiver.peek_messages(1, sequence_number=1) == []


async def test_a_deferred_message_can_be_dead_lettered(client, new_queue):
    """ "Overview of Service Bus dead-letter queues": by its receiver, with a reason."""
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("x"))
    async with receiving(client, queue) as receiver:
        message = await receive_one(receiver)
        await receiver.defer_message(message)
        (deferred,) = await receiver.receive_deferred_messages(message.sequence_number)
        await receiver.dead_letter_message(deferred, reason="no", error_description="good")
    (dead,) = await dead_letters(client, queue, 1)
    assert (str(dead), dead.dead_letter_reason) == ("x", "no")


async def test_a_deferred_message_can_be_received_and_deleted(client, new_queue):
    """ "Message transfers, locks, and settlement": receive-and-delete."""
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("x"))
    async with receiving(client, queue) as receiver:
        message = await receive_one(receiver)
        await receiver.defer_message(message)
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with receiving(client, queue, receive_mode=mode) as receiver:
        (deferred,) = await receiver.receive_deferred_messages(message.sequence_number)
        assert str(deferred) == "x"
        assert await receiver.peek_messages(1, sequence_number=1) == []


async def test_a_deferred_message_of_a_session(client, new_queue):
    """ "Message deferral": within the session's receiver."""
    queue = new_queue("session")
    await send(client, queue, ServiceBusMessage("x", session_id="s"))
    async with receiving(client, queue, session_id="other") as stranger:
        async with client.get_queue_receiver(queue, session_id="s") as receiver:
            message = await receive_one(receiver)
            await receiver.defer_message(message)
            with pytest.raises(ServiceBusError):
                await stranger.receive_deferred_messages(message.sequence_number)
        async with client.get_queue_receiver(queue, session_id="s") as receiver:
            (deferred,) = await receiver.receive_deferred_messages(message.sequence_number)
            await receiver.complete_message(deferred)
            assert await receiver.peek_messages(1, sequence_number=1) == []


@pytest.mark.parametrize("way", ["annotation", "batch", "operation"])
async def test_a_scheduled_message_comes_at_its_time(client, new_queue, way):
    """ "Message sequencing and timestamps", scheduled messages."""
    queue, due = new_queue("plain"), soon()
    message = ServiceBusMessage("x", message_id="m", scheduled_enqueue_time_utc=due)
    async with client.get_queue_sender(queue) as sender:
        if way == "operation":
            numbers = await sender.schedule_messages(ServiceBusMessage("x", message_id="m"), due)
            assert numbers == [1]
        elif way == "batch":
            batch: ServiceBusMessageBatch = await sender.create_message_batch()
            batch.add_message(message)
            await sender.send_messages(batch)
        else:
            await sender.send_messages(message)
    async with receiving(client, queue) as receiver:
        (peeked,) = await receiver.peek_messages(1)
        assert peeked.state is ServiceBusMessageState.SCHEDULED
        received = await receive_one(receiver)
        # The service counts in milliseconds.
        assert received.enqueued_time_utc >= due - timedelta(milliseconds=1)
        assert (received.message_id, received.sequence_number) == ("m", 2)
        assert received.state is ServiceBusMessageState.ACTIVE
        await receiver.complete_message(received)


async def test_a_scheduled_message_is_cancelled(client, new_queue):
    """ "Message sequencing and timestamps": by the sequence number of the scheduled message."""
    queue = new_queue("plain")
    async with client.get_queue_sender(queue) as sender:
        messages = [ServiceBusMessage(str(n)) for n in range(3)]
        numbers = await sender.schedule_messages(messages, datetime.now(UTC) + HOUR)
        await sender.cancel_scheduled_messages(numbers[:2])
        with pytest.raises(ServiceBusError, match="sequence number"):
            await sender.cancel_scheduled_messages(numbers)
    async with receiving(client, queue) as receiver:
        assert [str(each) for each in await receiver.peek_messages(5)] == ["2"]


async def test_what_cannot_be_scheduled_is_refused(client, new_queue):
    """ "Service Bus quotas" and "Message sessions"."""
    later = datetime.now(UTC) + HOUR
    async with client.get_queue_sender(new_queue("plain")) as sender:
        with pytest.raises(MessageSizeExceededError):
            await sender.schedule_messages(ServiceBusMessage(b"x" * 300_000), later)
    async with client.get_queue_sender(new_queue("session")) as sender:
        with pytest.raises(ServiceBusError, match="SessionId"):
            await sender.schedule_messages(ServiceBusMessage("x"), later)


async def test_sessions_are_listed(client, new_queue):
    """ "Message sessions": the sessions with active messages or with a state."""
    queue = new_queue("session")
    assert [session async for session in client.list_queue_sessions(queue)] == []
    names = [f"s{number:03}" for number in range(120)]
    await send(client, queue, [ServiceBusMessage("x", session_id=name) for name in names])
    async with client.get_queue_receiver(queue, session_id="state-only") as receiver:
        await receiver.session.set_state("kept")
    listed = [session async for session in client.list_queue_sessions(queue)]
    assert listed == [*names, "state-only"]
    before, after = datetime.now(UTC) - HOUR, datetime.now(UTC) + HOUR
    changed = client.list_queue_sessions(queue, state_updated_after=before)
    assert [session async for session in changed] == ["state-only"]
    changed = client.list_queue_sessions(queue, state_updated_after=after)
    assert [session async for session in changed] == []


async def test_the_sessions_of_a_queue_without_any_are_refused(client, new_queue):
    with pytest.raises(ServiceBusError, match="requires sessions"):
        _ = [session async for session in client.list_queue_sessions(new_queue("plain"))]


async def test_a_deferred_message_of_a_lost_session_is_not_had(client, new_queue):
    """ "Message sessions": only under the session's lock."""
    queue = new_queue("brief-session")
    await send(client, queue, ServiceBusMessage("x", session_id="s"))
    async with receiving(client, queue, session_id="s") as receiver:
        message = await receive_one(receiver)
        await receiver.defer_message(message)
        async with receiving(client, queue, session_id="s2") as other:
            with pytest.raises((SessionLockLostError, ServiceBusError)):
                await other.receive_deferred_messages(message.sequence_number, timeout=WAIT)
