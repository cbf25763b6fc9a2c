"""The queue model: the effect of each operation on a message, at a given time."""

import pytest

from infra.local.servicebus.deadlines import Deadlines
from infra.local.servicebus.errors import (
    MessageLockLostError,
    MessageNotFoundError,
    OperationRefusedError,
)
from tests.local.servicebus.model import LOCK, MAX, TTL, dead, drain, lock, new_queue


@pytest.mark.parametrize(
    ("settle", "again", "delivery_count", "buried"),
    [
        ("complete", [], None, []),
        ("abandon", ["a"], 1, []),
        ("release", ["a"], 0, []),
        ("defer", [], None, []),
        ("dead_letter", [], None, [("a", "why")]),
    ],
)
def test_settling(settle, again, delivery_count, buried):
    queue = new_queue()
    queue.enqueue("a", 0.0)
    token = lock(queue)
    getattr(queue, settle)(token, 1.0, *(("why", "because") if settle == "dead_letter" else ()))
    message = queue.receive(2.0)
    assert [message.content] * bool(again) == again if message else not again
    assert (message.delivery_count if message else None) == delivery_count
    assert dead(queue, 3.0) == buried
    with pytest.raises(MessageLockLostError):
        queue.complete(token, 3.0)


def test_a_deferred_message_stays_and_can_be_peeked():
    queue = new_queue()
    queue.enqueue("a", 0.0)
    queue.defer(lock(queue), 1.0)
    assert [message.wire_state for message in queue.peek(1, 5, 2.0)] == [1]
    assert drain(queue, 2.0) == []


def test_receive_and_delete_leaves_nothing():
    queue = new_queue()
    queue.enqueue("a", 0.0)
    assert queue.receive_and_delete(1.0).content == "a"
    assert (queue.receive_and_delete(1.0), len(queue)) == (None, 0)


def test_a_returned_message_keeps_its_place():
    queue = new_queue()
    for content in "abc":
        queue.enqueue(content, 0.0)
    first, _ = lock(queue), lock(queue)
    queue.abandon(first, 1.0)
    assert drain(queue, 1.0) == ["a", "c"]


@pytest.mark.parametrize(
    ("renewed_at", "asked_at", "holds"),
    [(None, 9.9, True), (None, 10.0, False), (9.0, 18.9, True), (9.0, 19.0, False)],
)
def test_a_lock_lasts_its_duration_from_the_last_renewal(renewed_at, asked_at, holds):
    queue = new_queue()
    queue.enqueue("a", 0.0)
    token = lock(queue)
    if renewed_at is not None:
        assert queue.renew(token, renewed_at) == renewed_at + LOCK
    queue.expire(asked_at)
    message = queue.receive(asked_at)
    assert (message is None) is holds
    if not holds:
        assert message.delivery_count == 1
        with pytest.raises(MessageLockLostError):
            queue.renew(token, asked_at)


@pytest.mark.parametrize("by", ["abandon", "expiry"])
def test_the_last_delivery_leads_to_the_dead_letter_queue(by):
    queue, now = new_queue(), 0.0
    queue.enqueue("a", now)
    for _ in range(MAX):
        assert dead(queue, now) == []
        token = lock(queue, now)
        if by == "abandon":
            queue.abandon(token, now)
        else:
            now += LOCK
            queue.expire(now)
    assert drain(queue, now) == []
    assert dead(queue, now) == [("a", "MaxDeliveryCountExceeded")]


@pytest.mark.parametrize(
    ("second_id", "second_at", "stored"),
    [("x", 19.9, False), ("x", 20.0, True), ("y", 0.0, True), (None, 0.0, True)],
)
def test_duplicates_are_dropped_within_the_window(second_id, second_at, stored):
    queue = new_queue()
    assert queue.enqueue("a", 0.0, message_id="x") is not None
    assert (queue.enqueue("b", second_at, message_id=second_id) is not None) is stored


def test_a_completed_message_still_counts_as_seen():
    queue = new_queue()
    queue.enqueue("a", 0.0, message_id="x")
    queue.complete(lock(queue), 1.0)
    assert queue.enqueue("a", 2.0, message_id="x") is None


@pytest.mark.parametrize(
    ("ttl", "at", "alive"),
    [
        (5.0, 4.9, True),
        (5.0, 5.0, False),
        (None, 99.0, True),
        (None, 100.0, False),
        (1e9, 100, False),
    ],
)
def test_time_to_live_is_capped_by_the_queue(ttl, at, alive):
    queue = new_queue()
    queue.enqueue("a", 0.0, ttl=ttl)
    assert drain(queue, at) == (["a"] if alive else [])
    queue.expire(at)
    assert dead(queue, at) == ([] if alive else [("a", "TTLExpiredException")])


def test_a_locked_message_expires_when_it_is_given_back():
    queue = new_queue()
    queue.enqueue("a", 0.0, ttl=5.0)
    token = lock(queue)
    queue.expire(6.0)
    assert dead(queue, 6.0) == []
    queue.release(token, 7.0)
    assert dead(queue, 7.0) == [("a", "TTLExpiredException")]


def test_expiry_without_dead_lettering_removes():
    queue = new_queue(dead_letter_on_expiration=False)
    queue.enqueue("a", 0.0, ttl=5.0)
    queue.expire(5.0)
    assert (len(queue), dead(queue, 5.0)) == (0, [])


def test_dead_letters_keep_sequence_and_count_and_never_expire_again():
    queue = new_queue()
    queue.enqueue("a", 0.0, ttl=5.0)
    queue.abandon(lock(queue), 1.0)
    queue.dead_letter(lock(queue, 1.0), 1.0, "why", "because")
    buried = queue.dead_letters.receive(1e6)
    assert (buried.sequence, buried.delivery_count) == (1, 1)
    assert buried.dead_letter == ("why", "because")
    with pytest.raises(OperationRefusedError):
        queue.dead_letters.dead_letter(buried.token, 1e6, "", "")


def test_the_next_deadline_is_the_earliest_of_all():
    queue = new_queue()
    assert queue.next_deadline() is None
    queue.enqueue("a", 0.0)
    assert queue.next_deadline() == TTL
    token = lock(queue, 1.0)
    assert queue.next_deadline() == 1.0 + LOCK
    queue.complete(token, 2.0)
    assert queue.next_deadline() is None


def test_peek_skips_what_is_gone_and_starts_where_told():
    queue = new_queue()
    for number in range(200):
        queue.enqueue(str(number), 0.0)
    for _ in range(150):
        queue.complete(lock(queue), 0.0)
    assert [message.sequence for message in queue.peek(1, 2, 0.0)] == [151, 152]
    assert [message.sequence for message in queue.peek(199, 9, 0.0)] == [199, 200]


def test_deadlines_forget_what_was_cancelled_or_moved():
    deadlines = Deadlines[int]()
    for number in range(1000):
        deadlines.set(number, 1.0)
        deadlines.set(number, 2.0)
        deadlines.cancel(number)
    assert len(deadlines) == 0
    assert deadlines.next() is None
    assert list(deadlines.pop_due(1e9)) == []


def numbers(queue, now: float) -> list[int]:
    return [message.sequence for message in queue.peek(1, 10, now)]


def test_a_scheduled_message_is_sent_when_its_time_comes():
    """ "Message sequencing and timestamps": the message gets a new sequence number."""
    queue = new_queue()
    scheduled = queue.enqueue("later", 0.0, not_before=10.0)
    queue.enqueue("now", 0.0)
    assert scheduled is not None
    assert [message.wire_state for message in queue.peek(1, 5, 1.0)] == [2, 0]
    assert drain(queue, 1.0) == ["now"]
    assert queue.next_deadline() == 10.0
    queue.expire(10.0)
    message = queue.receive(10.0)
    assert message is not None
    assert (message.content, message.sequence, message.enqueued_at) == ("later", 3, 10.0)
    # The time to live counts from the activation.
    assert message.expires_at == 10.0 + TTL


def test_a_message_scheduled_for_the_past_is_sent_at_once():
    queue = new_queue()
    queue.enqueue("now", 5.0, not_before=4.0)
    assert drain(queue, 5.0) == ["now"]


def test_a_scheduled_message_is_cancelled_by_its_number():
    queue = new_queue()
    first = queue.enqueue("a", 0.0, not_before=10.0)
    second = queue.enqueue("b", 0.0, not_before=10.0)
    active = queue.enqueue("c", 0.0)
    with pytest.raises(MessageNotFoundError, match="3"):
        queue.cancel_scheduled([first.sequence, active.sequence])
    queue.cancel_scheduled([first.sequence])
    with pytest.raises(MessageNotFoundError):
        queue.cancel_scheduled([first.sequence])
    assert numbers(queue, 1.0) == [second.sequence, active.sequence]
    queue.expire(10.0)
    assert sorted(drain(queue, 10.0)) == ["b", "c"]


def test_a_deferred_message_is_had_by_its_number_and_stays_deferred_until_settled():
    queue = new_queue()
    queue.enqueue("a", 0.0)
    queue.defer(lock(queue), 0.0)
    assert drain(queue, 0.0) == []
    (message,) = queue.receive_deferred([1], 0.0)
    with pytest.raises(MessageNotFoundError):
        queue.receive_deferred([1], 0.0)
    queue.abandon(message.token, 1.0)
    assert drain(queue, 1.0) == []
    (message,) = queue.receive_deferred([1], 1.0)
    assert message.delivery_count == 1
    queue.expire(1.0 + LOCK)
    (message,) = queue.receive_deferred([1], 1.0 + LOCK)
    assert (message.delivery_count, message.wire_state) == (2, 1)
    queue.complete(message.token, 1.0 + LOCK)
    assert len(queue) == 0


def test_deferred_messages_are_had_all_or_none():
    queue = new_queue()
    for content in "ab":
        queue.enqueue(content, 0.0)
    queue.defer(lock(queue), 0.0)
    with pytest.raises(MessageNotFoundError, match="2"):
        queue.receive_deferred([1, 2], 0.0)
    assert [message.content for message in queue.receive_deferred([1], 0.0, remove=True)] == ["a"]
    assert drain(queue, 0.0) == ["b"]


def test_a_deferred_message_expires_only_when_it_is_asked_for():
    """ "Message deferral"."""
    queue = new_queue()
    queue.enqueue("a", 0.0)
    queue.defer(lock(queue), 0.0)
    queue.expire(TTL + 1)
    assert numbers(queue, TTL + 1) == [1]
    with pytest.raises(MessageNotFoundError, match="expired"):
        queue.receive_deferred([1], TTL + 1)
    assert dead(queue, TTL + 1) == [("a", "TTLExpiredException")]


def test_a_settlement_may_change_the_content():
    queue = new_queue()
    queue.enqueue("a", 0.0)
    queue.abandon(lock(queue), 0.0, str.upper)
    assert drain(queue, 0.0) == ["A"]
