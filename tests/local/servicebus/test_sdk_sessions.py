"""Session queues, through the unmodified asynchronous SDK.

The default source is "Message sessions"
(learn.microsoft.com/azure/service-bus-messaging/message-sessions).
"""

import asyncio

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from tests.local.servicebus import sdk
from tests.local.servicebus.sdk import SHORT, WAIT


async def send(client, queue, *pairs):
    messages = (ServiceBusMessage(body, session_id=session_id) for session_id, body in pairs)
    await sdk.send(client, queue, *messages)


async def receive(receiver, count, *, complete=True):
    found = []
    while len(found) < count:
        for message in await receiver.receive_messages(count, max_wait_time=WAIT):
            found.append(message)
            if complete:
                await receiver.complete_message(message)
    return found


async def test_a_named_session_gets_its_messages_in_order(client, new_queue):
    queue = new_queue("session")
    await send(client, queue, ("a", "1"), ("b", "2"), ("a", "3"), ("a", "4"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        assert receiver.session.session_id == "a"
        found = await receive(receiver, 3)
        assert [(str(m), m.session_id) for m in found] == [("1", "a"), ("3", "a"), ("4", "a")]
        assert await receiver.receive_messages(1, max_wait_time=SHORT) == []


async def test_the_next_available_session(client, new_queue):
    queue = new_queue("session")
    await send(client, queue, ("a", "1"), ("b", "2"))
    async with (
        client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION) as one,
        client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION) as two,
    ):
        ids = {one.session.session_id, two.session.session_id}
        assert ids == {"a", "b"}
        for receiver in (one, two):
            (message,) = await receive(receiver, 1)
            assert message.session_id == receiver.session.session_id


async def test_a_waiting_receiver_gets_the_session_that_comes(client, new_queue):
    queue = new_queue("session")
    receiver = client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION)

    async def accept():
        async with receiver:
            return receiver.session.session_id, str((await receive(receiver, 1))[0])

    waiting = asyncio.create_task(accept())
    await send(client, queue, ("late", "x"))
    assert await waiting == ("late", "x")


async def test_no_session_available_is_a_timeout(client, new_queue):
    receiver = client.get_queue_receiver(
        new_queue("session"), session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1
    )
    with pytest.raises(OperationTimeoutError):
        async with receiver:
            pass


async def test_a_session_has_one_receiver_at_a_time(client, new_queue):
    queue = new_queue("session")
    await send(client, queue, ("a", "1"))
    async with client.get_queue_receiver(queue, session_id="a"):
        with pytest.raises(SessionCannotBeLockedError):
            async with client.get_queue_receiver(queue, session_id="a"):
                pass


async def test_closing_frees_the_session_and_counts_no_delivery(client, new_queue):
    """Impact of delivery count: not incremented when the session is closed."""
    queue = new_queue("session")
    await send(client, queue, ("a", "1"), ("a", "2"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        await receive(receiver, 2, complete=False)
    async with client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION) as receiver:
        found = await receive(receiver, 2)
    assert [(str(m), m.delivery_count) for m in found] == [("1", 0), ("2", 0)]


async def test_an_abandoned_message_is_next_again(client, new_queue):
    queue = new_queue("session")
    await send(client, queue, ("a", "1"), ("a", "2"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        (first,) = await receiver.receive_messages(1, max_wait_time=WAIT)
        await receiver.abandon_message(first)
        found = await receive(receiver, 2)
    assert [(str(m), m.delivery_count) for m in found] == [("1", 1), ("2", 0)]


async def test_a_session_lock_expires(client, new_queue):
    """Impact of delivery count: incremented when the session lock expires."""
    queue = new_queue("brief-session")
    await send(client, queue, ("a", "1"))
    async with client.get_queue_receiver(queue, session_id="a") as slow:
        (message,) = await receive(slow, 1, complete=False)
        other = client.get_queue_receiver(
            queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=WAIT
        )
        async with other:
            (again,) = await receive(other, 1)
            assert (str(again), again.delivery_count) == ("1", 1)
            with pytest.raises(SessionLockLostError):
                await slow.complete_message(message)


async def test_a_renewed_session_lock_holds(client, new_queue):
    queue = new_queue("brief-session")
    await send(client, queue, ("a", "1"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        (message,) = await receive(receiver, 1, complete=False)
        # Each round lasts at least half the lock duration of two seconds.
        for _ in range(3):
            before = receiver.session.locked_until_utc
            assert await receiver.receive_messages(1, max_wait_time=1) == []
            assert await receiver.session.renew_lock() > before
        await receiver.complete_message(message)


async def test_session_state(client, new_queue):
    queue = new_queue("session")
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        assert await receiver.session.get_state() is None
        await receiver.session.set_state(b"\x00half way")
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        assert await receiver.session.get_state() == b"\x00half way"
        await receiver.session.set_state(None)
        assert await receiver.session.get_state() is None


@pytest.mark.parametrize("as_batch", [False, True])
async def test_a_message_without_a_session_id_is_refused(client, new_queue, as_batch):
    queue, message = new_queue("session"), ServiceBusMessage("x")
    async with client.get_queue_sender(queue) as sender:
        with pytest.raises(ServiceBusError, match="SessionId was not set"):
            await sender.send_messages([message] if as_batch else message)


async def test_a_plain_receiver_is_refused(client, new_queue):
    with pytest.raises(ServiceBusError, match="requires sessions"):
        async with client.get_queue_receiver(new_queue("session")):
            pass


async def test_dead_letters_of_a_session_queue_need_no_session(client, new_queue):
    """ "Overview of Service Bus dead-letter queues"."""
    queue = new_queue("session")
    await send(client, queue, ("a", "1"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        (message,) = await receive(receiver, 1, complete=False)
        await receiver.dead_letter_message(message, reason="why")
    async with client.get_queue_receiver(queue, sub_queue="deadletter") as dead:
        (message,) = await receive(dead, 1)
    assert (message.session_id, message.dead_letter_reason) == ("a", "why")


async def test_many_sessions_in_parallel_keep_their_order(client, new_queue):
    queue, sessions, each = new_queue("session"), 6, 12
    await send(
        client,
        queue,
        *((f"s{session}", str(n)) for n in range(each) for session in range(sessions)),
    )
    seen = {f"s{session}": [] for session in range(sessions)}

    async def work():
        while not all(len(bodies) == each for bodies in seen.values()):
            receiver = client.get_queue_receiver(
                queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1
            )
            try:
                async with receiver:
                    mine = seen[receiver.session.session_id]
                    for message in await receiver.receive_messages(7, max_wait_time=WAIT):
                        mine.append(str(message))
                        await receiver.complete_message(message)
            except OperationTimeoutError:
                continue

    await asyncio.gather(*(work() for _ in range(6)))
    assert all(bodies == [str(n) for n in range(each)] for bodies in seen.values())
