"""The sessions of the queue model: acceptance, locks, and the messages after a session ends."""

import pytest

from infra.local.servicebus.errors import (
    OperationRefusedError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)
from infra.local.servicebus.queue import Queue
from tests.local.servicebus.model import LOCK, TTL, dead, drain, lock, new_queue


def sessions(**special: object) -> Queue[str]:
    queue = new_queue(requires_session=True, **special)
    for session_id, content in ("sa", "tb", "sc"):
        queue.enqueue(content, 0.0, session_id=session_id)
    return queue


@pytest.mark.parametrize("session_id", [None, ""])
def test_a_session_queue_wants_a_session_id(session_id):
    with pytest.raises(OperationRefusedError):
        sessions().enqueue("x", 0.0, session_id=session_id)


def test_sessions_are_handed_out_once_each_and_in_order():
    queue = sessions()
    assert queue.sessions.accept(None, "one", 0.0).id == "s"
    assert queue.sessions.accept(None, "two", 0.0).id == "t"
    assert queue.sessions.accept(None, "three", 0.0) is None
    with pytest.raises(SessionCannotBeLockedError):
        queue.sessions.accept("s", "three", 0.0)
    assert drain(queue, 0.0, "s") == ["a", "c"]


def test_an_unknown_session_can_be_accepted_by_name():
    queue = sessions()
    assert queue.sessions.accept("u", "one", 0.0).id == "u"
    assert drain(queue, 0.0, "u") == []
    queue.enqueue("d", 1.0, session_id="u")
    assert drain(queue, 1.0, "u") == ["d"]


@pytest.mark.parametrize(("end", "delivery_count"), [("close", 0), ("expire", 1)])
def test_how_a_session_ends_decides_the_delivery_count(end, delivery_count):
    """ "Message sessions", impact of delivery count: closed: no; lock expired: yes."""
    queue = sessions()
    queue.sessions.accept("s", "one", 0.0)
    token = lock(queue, 0.0, "s")
    if end == "close":
        queue.close_session("s", "one", 1.0)
    else:
        assert queue.expire(LOCK) == [("s", "one")]
    with pytest.raises(SessionLockLostError):
        queue.complete(token, LOCK)
    queue.sessions.accept("s", "two", LOCK)
    message = queue.receive(LOCK, "s")
    assert (message.content, message.delivery_count) == ("a", delivery_count)


@pytest.mark.parametrize(
    ("owner", "at", "held"), [("one", 9.0, True), ("one", 10.0, False), ("x", 9.0, False)]
)
def test_only_the_holder_renews_and_in_time(owner, at, held):
    queue = sessions()
    queue.sessions.accept("s", "one", 0.0)
    token = lock(queue, 0.0, "s")
    if held:
        assert queue.sessions.renew("s", owner, at) == at + LOCK
        queue.complete(token, at + LOCK - 1)
    else:
        with pytest.raises(SessionLockLostError):
            queue.sessions.renew("s", owner, at)


def test_a_late_close_of_a_lost_session_changes_nothing():
    queue = sessions()
    queue.sessions.accept("s", "one", 0.0)
    queue.expire(LOCK)
    queue.sessions.accept("s", "two", LOCK)
    queue.close_session("s", "one", LOCK + 1)
    assert queue.sessions.renew("s", "two", LOCK + 1) == 2 * LOCK + 1


def test_state_outlives_the_holder():
    queue = sessions()
    queue.sessions.accept("s", "one", 0.0)
    queue.sessions.set_state("s", "one", 0.0, b"half way")
    queue.close_session("s", "one", 1.0)
    with pytest.raises(SessionLockLostError):
        queue.sessions.state("s", "one", 1.0)
    queue.sessions.accept("s", "two", 1.0)
    assert queue.sessions.state("s", "two", 1.0) == b"half way"


def test_a_session_with_nothing_left_is_not_handed_out():
    queue = sessions()
    queue.sessions.accept("t", "one", 0.0)
    queue.complete(lock(queue, 0.0, "t"), 0.0)
    queue.close_session("t", "one", 0.0)
    assert queue.sessions.accept(None, "two", 0.0).id == "s"
    assert queue.sessions.accept(None, "three", 0.0) is None


def test_a_session_whose_messages_expired_is_not_handed_out():
    queue = sessions()
    assert queue.sessions.accept(None, "one", TTL) is None
    assert len(dead(queue, TTL)) == 3


def test_session_messages_are_not_renewed_one_by_one():
    queue = sessions()
    queue.sessions.accept("s", "one", 0.0)
    with pytest.raises(OperationRefusedError):
        queue.renew(lock(queue, 0.0, "s"), 1.0)
