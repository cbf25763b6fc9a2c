"""Dead-letter queues, through the unmodified asynchronous SDK.

The default source is "Overview of Service Bus dead-letter queues"
(learn.microsoft.com/azure/service-bus-messaging/service-bus-dead-letter-queues).
"""

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusError

from tests.local.servicebus.sdk import WAIT, dead_letters, receive_one, receiving, send


async def bury(client, queue, *bodies):
    """Send messages and dead-letter each with its body as the reason."""
    await send(client, queue, *(ServiceBusMessage(body) for body in bodies))
    async with receiving(client, queue) as receiver:
        for body in bodies:
            await receiver.dead_letter_message(await receive_one(receiver), reason=body)


async def test_a_dead_letter_is_delivered_any_number_of_times(client, new_queue):
    """ "There's no automatic cleanup of the DLQ": a dead letter has no maximum delivery count."""
    queue = new_queue("brief")
    await bury(client, queue, "x")
    async with receiving(client, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        # The main queue's limit is three deliveries.
        for count in range(5):
            message = await receive_one(dead)
            assert (str(message), message.delivery_count) == ("x", count)
            await dead.abandon_message(message)
    (last,) = await dead_letters(client, queue, 1)
    assert last.dead_letter_reason == "x"


async def test_a_dead_letter_is_set_aside_and_had_by_its_number(client, new_queue):
    """ "Message deferral", in the dead-letter queue."""
    queue = new_queue("plain")
    await bury(client, queue, "x", "y")
    async with receiving(client, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        first = await receive_one(dead)
        await dead.defer_message(first)
        second = await receive_one(dead)
        assert str(second) == "y"
        await dead.complete_message(second)
        (again,) = await dead.receive_deferred_messages(first.sequence_number)
        assert (str(again), again.dead_letter_reason) == ("x", "x")
        await dead.complete_message(again)
        assert await dead.peek_messages(1, sequence_number=1) == []


async def test_a_dead_letter_is_not_dead_lettered_again(client, new_queue):
    """A dead-letter queue has no dead-letter queue: the message stays, the receiver is told."""
    queue = new_queue("plain")
    await bury(client, queue, "x")
    async with receiving(client, queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        message = await receive_one(dead)
        with pytest.raises(ServiceBusError, match="cannot be dead-lettered again"):
            await dead.dead_letter_message(message, reason="again")
        (kept,) = await dead.peek_messages(2, sequence_number=1)
        assert kept.dead_letter_reason == "x"


async def test_nothing_is_sent_to_a_dead_letter_queue(client, new_queue):
    queue = new_queue("plain")
    sender = client.get_queue_sender(f"{queue}/$DeadLetterQueue")
    with pytest.raises(ServiceBusError, match="cannot be sent to a dead-letter queue"):
        await sender.send_messages(ServiceBusMessage("x"))
    await sender.close()


async def test_dead_letters_are_received_and_deleted(client, new_queue):
    """ "Message transfers, locks, and settlement": receive-and-delete."""
    queue = new_queue("plain")
    await bury(client, queue, "x", "y")
    mode = {"sub_queue": ServiceBusSubQueue.DEAD_LETTER, "receive_mode": "receiveanddelete"}
    async with receiving(client, queue, **mode) as dead:
        found: list[str] = []
        while len(found) < 2:
            found += [str(each) for each in await dead.receive_messages(2, max_wait_time=WAIT)]
        assert found == ["x", "y"]
        assert await dead.peek_messages(1, sequence_number=1) == []
