"""Session receivers: the cases of the SDK's live tests of sessions.

The default source is "Message sessions"
(learn.microsoft.com/azure/service-bus-messaging/message-sessions).
"""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusMessage,
    ServiceBusReceiveMode,
)
from azure.servicebus.aio import AutoLockRenewer
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

from tests.local.servicebus.sdk import SHORT, WAIT, dead_letters, receive_one, receiving, send


def of(session, *bodies):
    return [ServiceBusMessage(body, session_id=session) for body in bodies]


async def test_a_session_that_has_nothing_yet_can_be_accepted_and_waits(client, new_queue):
    queue = new_queue("session")
    async with client.get_queue_receiver(queue, session_id="early") as receiver:
        assert await receiver.receive_messages(1, max_wait_time=SHORT) == []
        waiting = asyncio.create_task(receiver.receive_messages(1, max_wait_time=WAIT))
        await send(client, queue, of("late", "not this one"), of("early", "this one"))
        (message,) = await waiting
        assert str(message) == "this one"
        await receiver.complete_message(message)


async def test_an_iterator_over_a_session_ends_with_it(client, new_queue):
    queue = new_queue("session")
    await send(client, queue, of("a", "1", "2", "3"), of("b", "x"))
    async with client.get_queue_receiver(queue, session_id="a", max_wait_time=2) as receiver:
        bodies = []
        async for message in receiver:
            bodies.append(str(message))
            await receiver.complete_message(message)
    assert bodies == ["1", "2", "3"]


async def test_a_session_is_received_and_deleted(client, new_queue):
    queue = new_queue("session")
    await send(client, queue, of("a", "1", "2"), of("b", "x"))
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with client.get_queue_receiver(
        queue, session_id="a", receive_mode=mode, max_wait_time=2
    ) as receiver:
        assert [str(message) async for message in receiver] == ["1", "2"]
        assert await receiver.peek_messages(9, sequence_number=1) == []


async def test_peeking_in_a_session_sees_that_session_alone(client, new_queue):
    """ "Message browsing": a session receiver peeks in its session."""
    queue = new_queue("session")
    await send(client, queue, of("a", "1"), of("b", "x"), of("a", "2"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        peeked = await receiver.peek_messages(9, sequence_number=1)
        assert [(str(each), each.session_id) for each in peeked] == [("1", "a"), ("2", "a")]


async def test_a_message_of_a_session_has_no_lock_of_its_own(client, new_queue):
    queue = new_queue("session")
    await send(client, queue, of("a", "1"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        message = await receive_one(receiver)
        with pytest.raises((TypeError, ServiceBusError)):
            await receiver.renew_message_lock(message)
        await receiver.complete_message(message)


async def test_an_auto_lock_renewer_keeps_a_session(client, new_queue):
    queue = new_queue("renewed-session")
    await send(client, queue, of("a", "1"))
    async with (
        AutoLockRenewer() as renewer,
        client.get_queue_receiver(queue, session_id="a", auto_lock_renewer=renewer) as receiver,
    ):
        message = await receive_one(receiver)
        first = receiver.session.locked_until_utc
        while datetime.now(UTC) <= first + timedelta(seconds=1):
            with pytest.raises(SessionCannotBeLockedError):
                async with client.get_queue_receiver(queue, session_id="a"):
                    pass
            await asyncio.sleep(SHORT)
        assert receiver.session.auto_renew_error is None
        await receiver.complete_message(message)


async def test_everything_is_refused_once_the_sessions_lock_has_ended(client, new_queue):
    queue = new_queue("brief-session")
    await send(client, queue, of("a", "1"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        message = await receive_one(receiver)
        # A second receiver gets the session after the end of the lock.
        async with client.get_queue_receiver(
            queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=WAIT
        ) as other:
            assert other.session.session_id == "a"
        for refused in (
            receiver.complete_message(message),
            receiver.session.renew_lock(),
            receiver.session.get_state(),
            receiver.session.set_state("x"),
        ):
            with pytest.raises(SessionLockLostError):
                await refused


@pytest.mark.parametrize("state", ["text", b"\x00\xff", b"x" * 100_000, ""])
async def test_a_state_is_kept_byte_for_byte(client, new_queue, state):
    queue = new_queue("session")
    async with receiving(client, queue, session_id="a") as receiver:
        await receiver.session.set_state(state)
        kept = await receiver.session.get_state()
    assert kept == (state.encode() if isinstance(state, str) else state)


async def test_scheduled_and_expired_messages_of_a_session(client, new_queue):
    """ "Message sequencing and timestamps" and "Message expiration": in sessions too."""
    queue = new_queue("session")
    due = datetime.now(UTC) + timedelta(seconds=1)
    brief = ServiceBusMessage("brief", session_id="a", time_to_live=timedelta(seconds=1))
    async with client.get_queue_sender(queue) as sender:
        await sender.send_messages(brief)
        await sender.schedule_messages(of("a", "first", "second"), due)
        (cancelled,) = await sender.schedule_messages(of("a", "never"), due)
        await sender.cancel_scheduled_messages(cancelled)
    assert [str(dead) for dead in await dead_letters(client, queue, 1)] == ["brief"]
    async with client.get_queue_receiver(
        queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=WAIT
    ) as receiver:
        assert receiver.session.session_id == "a"
        for expected in ("first", "second"):
            message = await receive_one(receiver)
            assert str(message) == expected
            await receiver.complete_message(message)
        assert await receiver.receive_messages(1, max_wait_time=SHORT) == []


async def test_deferred_messages_of_a_session_are_settled_in_every_way(client, new_queue):
    """ "Message deferral"."""
    queue = new_queue("session")
    await send(client, queue, of("a", "complete", "abandon", "defer", "dead-letter"))
    async with client.get_queue_receiver(queue, session_id="a") as receiver:
        numbers = {}
        while len(numbers) < 4:
            for message in await receiver.receive_messages(4, max_wait_time=WAIT):
                numbers[str(message)] = message.sequence_number
                await receiver.defer_message(message)
        found = await receiver.receive_deferred_messages(list(numbers.values()))
        held = {str(message): message for message in found}
        await receiver.complete_message(held["complete"])
        await receiver.abandon_message(held["abandon"])
        await receiver.defer_message(held["defer"])
        await receiver.dead_letter_message(held["dead-letter"], reason="why")
        left = await receiver.receive_deferred_messages([numbers["abandon"], numbers["defer"]])
        # A returned message is still deferred, and the delivery counts.
        assert [(str(m), m.delivery_count) for m in left] == [("abandon", 1), ("defer", 0)]
        for message in left:
            await receiver.complete_message(message)
    (dead,) = await dead_letters(client, queue, 1)
    assert (str(dead), dead.dead_letter_reason, dead.session_id) == ("dead-letter", "why", "a")


async def test_nobody_gets_a_session_twice_when_many_ask(client, new_queue):
    queue = new_queue("session")
    names = [f"s{number}" for number in range(6)]
    await send(client, queue, *(of(name, "x") for name in names))

    async def accept():
        receiver = client.get_queue_receiver(
            queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=2
        )
        try:
            await receiver.__aenter__()
        except OperationTimeoutError:
            return None, receiver
        return receiver.session.session_id, receiver

    got = await asyncio.gather(*(accept() for _ in range(9)))
    assert sorted(name for name, _ in got if name) == names
    assert [name for name, _ in got].count(None) == 3
    await asyncio.gather(*(receiver.close() for _, receiver in got))
