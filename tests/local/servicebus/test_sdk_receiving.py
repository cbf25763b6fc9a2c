"""Ways to receive: iterators, waits, prefetch, peeks, and receivers that close or break.

The cases come from the SDK's live tests of queues, through the unmodified asynchronous SDK. The
default source is "Message transfers, locks, and settlement"
(learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement).
"""

import asyncio
from datetime import timedelta

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageState, ServiceBusReceiveMode
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    MessageSizeExceededError,
    ServiceBusError,
)

from tests.local.servicebus.sdk import SHORT, WAIT, dead_letters, receive_one, receiving, send


def numbered(count):
    return [ServiceBusMessage(str(number), message_id=str(number)) for number in range(count)]


async def test_an_iterator_ends_when_nothing_comes_and_the_receiver_lives_on(client, new_queue):
    queue, bodies = new_queue("plain"), []
    await send(client, queue, numbered(5))
    async with client.get_queue_receiver(queue, max_wait_time=2) as receiver:
        async for message in receiver:
            bodies.append(str(message))
            await receiver.complete_message(message)
        assert bodies == ["0", "1", "2", "3", "4"]
        await send(client, queue, ServiceBusMessage("later"))
        async for message in receiver:
            bodies.append(str(message))
            await receiver.complete_message(message)
    assert bodies[5:] == ["later"]


async def test_an_iterator_may_be_left_and_taken_up_again(client, new_queue):
    queue, bodies = new_queue("plain"), []
    await send(client, queue, numbered(6))
    async with client.get_queue_receiver(queue, max_wait_time=2) as receiver:
        async for message in receiver:
            bodies.append(str(message))
            await receiver.complete_message(message)
            if len(bodies) == 3:
                break
        async for message in receiver:
            bodies.append(str(message))
            await receiver.complete_message(message)
    assert bodies == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("prefetch", [0, 3, 50])
async def test_an_iterator_in_receive_and_delete_mode_gets_all(client, new_queue, prefetch):
    queue = new_queue("plain")
    await send(client, queue, numbered(20))
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    async with client.get_queue_receiver(
        queue, receive_mode=mode, prefetch_count=prefetch, max_wait_time=2
    ) as receiver:
        bodies = [str(message) async for message in receiver]
        assert bodies == [str(number) for number in range(20)]
        assert await receiver.peek_messages(1, sequence_number=1) == []


async def test_what_was_received_and_deleted_cannot_be_settled(client, new_queue):
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("x"))
    async with client.get_queue_receiver(queue, receive_mode="receiveanddelete") as receiver:
        message = await receive_one(receiver)
        for settle in (
            receiver.complete_message,
            receiver.abandon_message,
            receiver.defer_message,
            receiver.dead_letter_message,
            receiver.renew_message_lock,
        ):
            with pytest.raises(ValueError, match="receive"):
                await settle(message)


async def test_prefetched_messages_are_handed_out_from_what_is_there(client, new_queue):
    queue = new_queue("plain")
    await send(client, queue, numbered(30))
    async with client.get_queue_receiver(queue, prefetch_count=30) as receiver:
        first = await receive_one(receiver)
        rest = []
        while len(rest) < 29:
            rest += await receiver.receive_messages(29, max_wait_time=WAIT)
        for message in (first, *rest):
            await receiver.complete_message(message)
        assert [str(message) for message in (first, *rest)] == [str(n) for n in range(30)]
        assert await receiver.peek_messages(1, sequence_number=1) == []


async def test_peeking_goes_on_from_a_number_and_includes_what_is_locked_or_set_aside(
    client, new_queue
):
    """ "Message browsing": by sequence number, in any state."""
    queue = new_queue("plain")
    await send(client, queue, numbered(6))
    async with receiving(client, queue) as receiver:
        locked, deferred = await receive_one(receiver), await receive_one(receiver)
        await receiver.defer_message(deferred)
        peeked = await receiver.peek_messages(3, sequence_number=1)
        assert [str(message) for message in peeked] == ["0", "1", "2"]
        assert [message.state for message in peeked] == [
            ServiceBusMessageState.ACTIVE,
            ServiceBusMessageState.DEFERRED,
            ServiceBusMessageState.ACTIVE,
        ]
        following = peeked[-1].sequence_number + 1
        peeked = await receiver.peek_messages(10, sequence_number=following)
        assert [str(message) for message in peeked] == ["3", "4", "5"]
        assert await receiver.peek_messages(10, sequence_number=10_000) == []
        with pytest.raises(ValueError, match=r"lock|receive"):
            await receiver.complete_message(peeked[0])
        await receiver.complete_message(locked)


async def test_settling_twice_is_refused_by_the_client(client, new_queue):
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("x"))
    async with receiving(client, queue) as receiver:
        message = await receive_one(receiver)
        await receiver.complete_message(message)
        with pytest.raises(MessageAlreadySettled):
            await receiver.complete_message(message)


async def test_a_closed_receiver_settles_nothing_and_its_message_comes_again(client, new_queue):
    queue = new_queue("brief")
    await send(client, queue, ServiceBusMessage("x"))
    async with client.get_queue_receiver(queue) as receiver:
        message = await receive_one(receiver)
    with pytest.raises(ValueError, match="shutdown"):
        await receiver.complete_message(message)
    async with receiving(client, queue) as other:
        again = await receive_one(other)
        assert (str(again), again.delivery_count) == ("x", 1)
        await other.complete_message(again)


@pytest.mark.parametrize("settlement", ["complete", "abandon", "defer", "dead_letter"])
async def test_a_receiver_whose_link_broke_settles_by_lock_token(client, new_queue, settlement):
    """ "AMQP request-response-based operations": update-disposition."""
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("x"))
    async with receiving(client, queue) as receiver:
        message = await receive_one(receiver)
        await receiver._handler._link.detach()
        await getattr(receiver, f"{settlement}_message")(message)
    async with receiving(client, queue) as other:
        left = [(str(each), each.state.name) for each in await other.peek_messages(2)]
    expected = {"abandon": [("x", "ACTIVE")], "defer": [("x", "DEFERRED")]}
    assert left == expected.get(settlement, [])
    if settlement == "dead_letter":
        assert [str(dead) for dead in await dead_letters(client, queue, 1)] == ["x"]


async def test_every_settlement_after_the_locks_end_is_refused(client, new_queue):
    queue = new_queue("brief")
    await send(client, queue, numbered(4))
    async with receiving(client, queue) as receiver:
        held = []
        while len(held) < 4:
            held += await receiver.receive_messages(4, max_wait_time=WAIT)
        while not all(message._lock_expired for message in held):
            await receiver.peek_messages(1)
        settlements = (
            receiver.complete_message,
            receiver.abandon_message,
            receiver.defer_message,
            receiver.dead_letter_message,
        )
        for message, settle in zip(held, settlements, strict=True):
            with pytest.raises(MessageLockLostError):
                await settle(message)
            # The SDK looks at its clock first; make the SDK ask the broker.
            message._raw_amqp_message.annotations[b"x-opt-locked-until"] = 1 << 42
            with pytest.raises(MessageLockLostError):
                await settle(message)


@pytest.mark.parametrize("numbers", [99, [1, 99], -1])
async def test_a_number_that_is_no_deferred_message_is_not_found(client, new_queue, numbers):
    """ "Message deferral": every message of the call, or an error."""
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("x"))
    async with receiving(client, queue) as receiver:
        await receiver.defer_message(await receive_one(receiver))
        with pytest.raises(ServiceBusError, match="sequence number"):
            await receiver.receive_deferred_messages(numbers)
        (message,) = await receiver.receive_deferred_messages(1)
        await receiver.complete_message(message)


async def test_a_sender_goes_on_after_a_message_that_was_too_large(client, new_queue):
    """ "Service Bus quotas": a message and a batch of 256 KB at most."""
    queue = new_queue("plain")
    async with client.get_queue_sender(queue) as sender:
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages(ServiceBusMessage(b"x" * 270_000))
        with pytest.raises(MessageSizeExceededError):
            await sender.send_messages([ServiceBusMessage(b"x" * 100_000) for _ in range(3)])
        batch = await sender.create_message_batch()
        assert batch.max_size_in_bytes == 256 * 1024
        with pytest.raises(MessageSizeExceededError):
            batch.add_message(ServiceBusMessage(b"x" * 270_000))
        with pytest.raises(ValueError, match="too large"):
            await sender.create_message_batch(max_size_in_bytes=300_000)
        await sender.send_messages(ServiceBusMessage("small"))
    async with receiving(client, queue) as receiver:
        assert [str(message) for message in await receiver.peek_messages(5)] == ["small"]


async def test_the_shorter_time_to_live_counts(client, new_queue):
    """ "Message expiration (time to live)": the message's own, when shorter than the queue's."""
    queue = new_queue("plain")
    brief = ServiceBusMessage("brief", time_to_live=timedelta(seconds=1))
    await send(client, queue, brief, ServiceBusMessage("long", time_to_live=timedelta(minutes=5)))
    (dead,) = await dead_letters(client, queue, 1)
    assert (str(dead), dead.dead_letter_reason) == ("brief", "TTLExpiredException")
    async with receiving(client, queue) as receiver:
        (message,) = await receiver.peek_messages(5)
        assert (str(message), message.time_to_live) == ("long", timedelta(minutes=5))


async def test_duplicates_within_and_across_batches_are_dropped(client, new_queue):
    """ "Duplicate detection": by message id, within a batch too."""
    queue = new_queue("plain")
    await send(client, queue, numbered(3) + numbered(4), numbered(6), ServiceBusMessage("no id"))
    async with receiving(client, queue) as receiver:
        found = [message.message_id for message in await receiver.peek_messages(20)]
    assert found[:6] == ["0", "1", "2", "3", "4", "5"]
    assert len(found) == 7


async def test_a_receiver_outlives_a_wait_in_which_nothing_came(client, new_queue):
    queue = new_queue("plain")
    async with receiving(client, queue) as receiver:
        for round_ in range(3):
            assert await receiver.receive_messages(5, max_wait_time=SHORT) == []
            await send(client, queue, ServiceBusMessage(str(round_)))
            message = await receive_one(receiver)
            assert str(message) == str(round_)
            await receiver.complete_message(message)


async def test_a_message_that_comes_during_a_wait_ends_it(client, new_queue):
    queue = new_queue("plain")
    async with receiving(client, queue) as receiver:
        waiting = asyncio.create_task(receiver.receive_messages(10, max_wait_time=WAIT))
        await send(client, queue, ServiceBusMessage("x"))
        (message,) = await waiting
        await receiver.complete_message(message)
