"""Locks and settlements on queues without sessions, through the unmodified asynchronous SDK.

The default source is "Message transfers, locks, and settlement"
(learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement).
"""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceiveMode
from azure.servicebus.aio import AutoLockRenewer
from azure.servicebus.exceptions import MessageLockLostError

from tests.local.servicebus.sdk import SHORT, WAIT, dead_letters, receive_one, receiving, send


async def test_settlements(client, new_queue):
    queue = new_queue("plain")
    names = ["complete", "abandon", "dead-letter", "defer"]
    await send(client, queue, *(ServiceBusMessage(name) for name in names))
    async with receiving(client, queue) as receiver:
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
    """ "Overview of Service Bus dead-letter queues": the message itself stays unchanged."""
    queue = new_queue("plain")
    properties = {"DeadLetterReason": "an old one", "other": 1}
    await send(client, queue, ServiceBusMessage("x", application_properties=properties))
    async with receiving(client, queue) as receiver:
        await receiver.dead_letter_message(await receive_one(receiver))
    (dead,) = await dead_letters(client, queue, 1)
    assert dead.application_properties[b"other"] == 1
    assert not dead.dead_letter_reason
    assert str(dead) == "x"


async def test_receive_and_delete(client, new_queue):
    queue = new_queue("plain")
    await send(client, queue, ServiceBusMessage("a"), ServiceBusMessage("b"))
    mode, bodies = ServiceBusReceiveMode.RECEIVE_AND_DELETE, []
    async with receiving(client, queue, receive_mode=mode) as receiver:
        while len(bodies) < 2:
            bodies += [str(m) for m in await receiver.receive_messages(2, max_wait_time=WAIT)]
    assert bodies == ["a", "b"]
    async with receiving(client, queue) as receiver:
        assert await receiver.peek_messages(5, sequence_number=1) == []


async def test_an_expired_lock_returns_the_message(client, new_queue):
    queue = new_queue("brief")
    await send(client, queue, ServiceBusMessage("x"))
    async with receiving(client, queue) as receiver:
        first = await receive_one(receiver)
        second = await receive_one(receiver)
        assert (second.delivery_count, second.sequence_number) == (1, first.sequence_number)
        with pytest.raises(MessageLockLostError):
            await receiver.renew_message_lock(first)
        # The SDK looks at its clock first; make the SDK ask the broker.
        first._raw_amqp_message.annotations[b"x-opt-locked-until"] = 1 << 42
        with pytest.raises(MessageLockLostError):
            await receiver.complete_message(first)
        await receiver.complete_message(second)


async def test_a_renewed_lock_holds(client, new_queue):
    queue = new_queue("brief")
    await send(client, queue, ServiceBusMessage("x"))
    async with (
        receiving(client, queue) as receiver,
        receiving(client, queue) as other,
    ):
        message = await receive_one(receiver)
        # Each round lasts at least half the lock duration of two seconds.
        for _ in range(3):
            before = message.locked_until_utc
            assert await other.receive_messages(1, max_wait_time=1) == []
            assert await receiver.renew_message_lock(message) > before
        await receiver.complete_message(message)


async def test_tasks_may_share_a_receiver(client, new_queue):
    """Tasks share a receiver with an AutoLockRenewer: the SDK repeats delivery ids, unpunished."""
    queue = new_queue("plain")
    await send(client, queue, [ServiceBusMessage(str(number)) for number in range(40)])
    async with receiving(client, queue) as receiver:
        held = []
        while len(held) < 40:
            held += await receiver.receive_messages(40, max_wait_time=WAIT)
        for done in range(10):
            renewing = (receiver.renew_message_lock(message) for message in held[10:])
            await asyncio.gather(*renewing, receiver.complete_message(held[done]))
        await asyncio.gather(*(receiver.complete_message(message) for message in held[10:]))
        assert await receiver.peek_messages(1, sequence_number=1) == []


async def test_an_auto_lock_renewer_keeps_many_messages(client, new_queue):
    """ "Message transfers, locks, and settlement": renewed locks do not expire."""
    queue = new_queue("renewed")
    await send(client, queue, [ServiceBusMessage(str(number)) for number in range(10)])
    async with (
        AutoLockRenewer(max_lock_renewal_duration=60) as renewer,
        client.get_queue_receiver(queue, auto_lock_renewer=renewer) as receiver,
    ):
        held = []
        while len(held) < 10:
            held += await receiver.receive_messages(10, max_wait_time=WAIT)
        first = max(message.locked_until_utc for message in held)
        while datetime.now(UTC) <= first + timedelta(seconds=1):
            assert await receiver.receive_messages(1, max_wait_time=SHORT) == []
        for message in held:
            assert message.auto_renew_error is None
            await receiver.complete_message(message)
        assert await receiver.peek_messages(1, sequence_number=1) == []


async def test_too_many_deliveries_lead_to_the_dead_letter_queue(client, new_queue):
    """ "Overview of Service Bus dead-letter queues": maximum delivery count."""
    queue = new_queue("brief")
    await send(client, queue, ServiceBusMessage("x"))
    async with receiving(client, queue) as receiver:
        for count in range(3):
            message = await receive_one(receiver)
            assert message.delivery_count == count
            await receiver.abandon_message(message)
    (dead,) = await dead_letters(client, queue, 1)
    assert dead.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert dead.delivery_count == 3


async def test_time_to_live_leads_to_the_dead_letter_queue(client, new_queue):
    """ "Message expiration (time to live)": dead-lettered by the queue's setting."""
    queue = new_queue("fleeting")
    await send(client, queue, ServiceBusMessage("x", time_to_live=timedelta(hours=1)))
    (dead,) = await dead_letters(client, queue, 1)
    assert dead.dead_letter_reason == "TTLExpiredException"


async def test_messages_of_a_closed_receiver(client, new_queue):
    """A received message stays locked for its holder; a prefetched message is free again."""
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
    """An open receiver without a receive call gives back the messages that reach the receiver."""
    queue = new_queue("plain")
    async with client.get_queue_receiver(queue) as idle:
        assert await idle.receive_messages(1, max_wait_time=SHORT) == []
        await send(client, queue, ServiceBusMessage("x"))
        async with client.get_queue_receiver(queue) as receiver:
            message = await receive_one(receiver)
            assert message.delivery_count == 0
            await receiver.complete_message(message)


async def test_many_receivers_share_the_work(client, new_queue):
    queues = [new_queue("plain") for _ in range(2)]
    for queue in queues:
        messages = [ServiceBusMessage(str(n), message_id=str(n)) for n in range(100)]
        await send(client, queue, messages)
    seen = {queue: [] for queue in queues}

    async def work(queue):
        async with receiving(client, queue) as receiver:
            while len(seen[queue]) < 100:
                for message in await receiver.receive_messages(5, max_wait_time=SHORT):
                    seen[queue].append(str(message))
                    await receiver.complete_message(message)

    await asyncio.gather(*(work(queue) for queue in queues for _ in range(4)))
    expected = sorted(str(n) for n in range(100))
    assert [sorted(bodies) for bodies in seen.values()] == [expected] * 2
