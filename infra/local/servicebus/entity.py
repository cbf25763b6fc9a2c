"""A messaging entity: a queue, the consumers attached to the queue, and the queue's timer."""

import asyncio
import time
from collections import deque
from typing import Protocol

from infra.local.servicebus.message_format import AnnotatedMessage
from infra.local.servicebus.messages import MessageSession
from infra.local.servicebus.queue import Queue
from infra.local.servicebus.turn import Turn


class Consumer(Protocol):
    """An outgoing link as its entity sees the link."""

    is_waiting: bool
    """Tells that the link stands in the entity's line of links with credit."""
    session_id: str | None
    """The session that the link receives from, if any."""

    @property
    def credit(self) -> int:
        """Count the messages that the client still asks for."""

    def deliver_next(self, now: float) -> bool:
        """Send the next message; False when no message is ready."""

    def finish_drain(self) -> None:
        """Hand back unused credit."""

    def grant(self, session: MessageSession[AnnotatedMessage]) -> None:
        """Receive from a session that is locked for this link."""

    def lose_session(self) -> None:
        """Detach, because the session's lock expired."""

    def __hash__(self) -> int:
        """Hash by identity: a consumer owns the lock of its session."""


class Entity:
    """One queue or dead-letter queue at an address, with its consumers and one timer."""

    def __init__(self, address: str, queue: Queue[AnnotatedMessage], turn: Turn) -> None:
        self.address = address
        self.queue = queue
        self.turn = turn
        self.dead_letters: Entity | None = None
        self._waiting: deque[Consumer] = deque()
        self._acceptors: deque[Consumer] = deque()
        self._draining: set[Consumer] = set()
        self._holders: dict[str, Consumer] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def serve_soon(self) -> None:
        """Have the queue, and its dead-letter queue, served in this turn."""
        self.turn.serve_soon(self.serve)
        if self.dead_letters is not None:
            self.turn.serve_soon(self.dead_letters.serve)

    def wait(self, consumer: Consumer) -> None:
        """Put a consumer with credit in line, where the consumer stays while credit lasts."""
        if not consumer.is_waiting:
            consumer.is_waiting = True
            self._waiting.append(consumer)
        self.serve_soon()

    def drain(self, consumer: Consumer) -> None:
        """Have a consumer's unused credit handed back, after the ready messages are delivered."""
        self._draining.add(consumer)
        self.serve_soon()

    def await_session(self, consumer: Consumer) -> None:
        """Let a consumer wait for the next available session."""
        self._acceptors.append(consumer)
        self.serve_soon()

    def hold(self, session: MessageSession[AnnotatedMessage], consumer: Consumer) -> None:
        """Note the consumer that receives from a locked session."""
        self._holders[session.id] = consumer

    def forget(self, consumer: Consumer) -> None:
        """Drop a consumer whose link closed, and unlock the consumer's session."""
        if consumer.is_waiting:
            self._waiting.remove(consumer)
            consumer.is_waiting = False
        if consumer in self._acceptors:
            self._acceptors.remove(consumer)
        self._draining.discard(consumer)
        if consumer.session_id is not None and self._holders.get(consumer.session_id) is consumer:
            del self._holders[consumer.session_id]
            self.queue.close_session(consumer.session_id, consumer, time.time())
            self.serve_soon()

    def serve(self) -> None:
        """Deliver ready messages, round robin among the consumers with credit."""
        now = time.time()
        while self._acceptors:
            session = self.queue.sessions.accept(None, self._acceptors[0], now)
            if session is None:
                break
            self._acceptors.popleft().grant(session)
        stuck = 0
        while self._waiting and stuck < len(self._waiting):
            consumer = self._waiting[0]
            if consumer.credit > 0 and consumer.deliver_next(now):
                stuck = 0
                self._waiting.rotate(-1)
            elif consumer.credit > 0 and consumer.session_id is not None:
                # This session is empty; the session of the next consumer may have a message.
                stuck += 1
                self._waiting.rotate(-1)
            elif consumer.credit > 0:
                break
            else:
                self._waiting.popleft()
                consumer.is_waiting = False
        while self._draining:
            self._draining.pop().finish_drain()
        self._set_timer()

    def _set_timer(self) -> None:
        at = self.queue.next_deadline()
        if at is None or (self._timer is not None and self._timer_at <= at):
            return  # A timer that fires too early finds nothing due and is set again.
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        delay = max(0.0, at - time.time())
        self._timer = asyncio.get_running_loop().call_later(delay, self._expire)

    def _expire(self) -> None:
        self._timer = None
        for session_id, _ in self.queue.expire(time.time()):
            consumer = self._holders.pop(session_id, None)
            if consumer is not None:
                consumer.lose_session()
        self.serve_soon()
        self.turn.finish()
