"""The same broker through the SDK's synchronous client: every operation once."""

from collections.abc import Callable, Iterator

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import MessageLockLostError, MessagingEntityNotFoundError

WAIT = 20
NewQueue = Callable[[str], str]


@pytest.fixture(scope="module")
def client(broker: str) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(broker, retry_total=0) as opened:
        yield opened


def receive(receiver, count):
    found = []
    while len(found) < count:
        found += receiver.receive_messages(count - len(found), max_wait_time=WAIT)
    return found


def test_send_receive_and_settle(client: ServiceBusClient, new_queue: NewQueue) -> None:
    queue = new_queue("plain")
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("complete"))
        batch = sender.create_message_batch()
        for body in ("abandon", "dead-letter", "defer"):
            batch.add_message(ServiceBusMessage(body))
        sender.send_messages(batch)
    with client.get_queue_receiver(queue) as receiver:
        held = {str(message): message for message in receive(receiver, 4)}
        assert receiver.renew_message_lock(held["defer"]) is not None
        receiver.complete_message(held["complete"])
        receiver.dead_letter_message(held["dead-letter"], "why", "because")
        receiver.defer_message(held["defer"])
        receiver.abandon_message(held["abandon"])
        (again,) = receive(receiver, 1)
        assert (str(again), again.delivery_count) == ("abandon", 1)
        receiver.complete_message(again)
        assert [str(message) for message in receiver.peek_messages(10)] == ["defer"]
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        (dead,) = receive(receiver, 1)
        receiver.complete_message(dead)
    assert (str(dead), dead.dead_letter_reason) == ("dead-letter", "why")
    assert dead.dead_letter_error_description == "because"


def test_a_renewed_lock_holds_and_another_expires(
    client: ServiceBusClient, new_queue: NewQueue
) -> None:
    queue = new_queue("brief")
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage("kept"), ServiceBusMessage("lost")])
    with client.get_queue_receiver(queue) as receiver:
        kept, lost = receive(receiver, 2)
        returned = []
        while not returned:
            receiver.renew_message_lock(kept)
            returned = receiver.receive_messages(1, max_wait_time=0.5)
        # The message came again after its lock expired; the renewed message, equally old, did not.
        (again,) = returned
        assert (str(again), again.delivery_count) == ("lost", 1)
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(lost)
        receiver.complete_message(kept)
        receiver.complete_message(again)
        assert receiver.peek_messages(1, sequence_number=1) == []


def test_sessions(client: ServiceBusClient, new_queue: NewQueue) -> None:
    queue = new_queue("session")
    with client.get_queue_sender(queue) as sender:
        for session_id, body in ("a1", "b1", "a2"):
            sender.send_messages(ServiceBusMessage(body, session_id=session_id))
    with client.get_queue_receiver(queue, session_id="a") as receiver:
        before = receiver.session.locked_until_utc
        assert receiver.session.renew_lock() >= before
        receiver.session.set_state("half way")
        assert receiver.session.get_state() == b"half way"
        for message, body in zip(receive(receiver, 2), "12", strict=True):
            assert (message.session_id, str(message)) == ("a", body)
            receiver.complete_message(message)
        with client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION) as other:
            assert other.session.session_id == "b"


def test_an_unknown_queue(client: ServiceBusClient) -> None:
    with (
        pytest.raises(MessagingEntityNotFoundError, match="nowhere"),
        client.get_queue_sender("nowhere") as sender,
    ):
        sender.send_messages(ServiceBusMessage("x"))
