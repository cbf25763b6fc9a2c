"""A queue with the links attached to it: who gets the next message, and when time matters."""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from infra.local.servicebus.messages import Session
from infra.local.servicebus.queue import Queue
from infra.local.servicebus.wire import Content

if TYPE_CHECKING:
    from infra.local.servicebus.broker import Broker
    from infra.local.servicebus.outgoing import OutgoingLink


class Entity:
    """One addressable queue (or dead-letter queue), its receivers and its one timer."""

    def __init__(self, address: str, queue: Queue[Content], broker: "Broker") -> None:
        self.address = address
        self.queue = queue
        self.dead_letters: Entity | None = None
        self._broker = broker
        self._waiting: deque[OutgoingLink] = deque()
        self._acceptors: deque[OutgoingLink] = deque()
        self._draining: set[OutgoingLink] = set()
        self._holders: dict[str, OutgoingLink] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def touch(self) -> None:
        """Have the queue served before the broker goes back to sleep."""
        self._broker.touch(self)
        if self.dead_letters is not None:
            self._broker.touch(self.dead_letters)

    def wait(self, link: "OutgoingLink") -> None:
        """Put a link with credit in line; it keeps its place while it has credit."""
        if not link.in_line:
            link.in_line = True
            self._waiting.append(link)
        self.touch()

    def drain(self, link: "OutgoingLink") -> None:
        """Have a link's unused credit handed back once it got what there is."""
        self._draining.add(link)
        self.touch()

    def await_session(self, link: "OutgoingLink") -> None:
        """Let a link wait for the next session that becomes available."""
        self._acceptors.append(link)
        self.touch()

    def hold(self, session: Session[Content], link: "OutgoingLink") -> None:
        """Note which link receives from a locked session."""
        self._holders[session.id] = link

    def forget(self, link: "OutgoingLink") -> None:
        """Drop a link that closed; the session it held is free again."""
        if link.in_line:
            self._waiting.remove(link)
            link.in_line = False
        if link in self._acceptors:
            self._acceptors.remove(link)
        self._draining.discard(link)
        if link.session_id is not None and self._holders.get(link.session_id) is link:
            del self._holders[link.session_id]
            self.queue.close_session(link.session_id, link, time.time())
            self.touch()

    def serve(self) -> None:
        """Hand out what can be handed out now, in turn among the links with credit."""
        now = time.time()
        while self._acceptors:
            session = self.queue.sessions.accept(None, self._acceptors[0], now)
            if session is None:
                break
            self._acceptors.popleft().grant(session)
        stuck = 0
        while self._waiting and stuck < len(self._waiting):
            link = self._waiting[0]
            if link.credit > 0 and link.deliver_next(now):
                stuck = 0
                self._waiting.rotate(-1)
            elif link.credit > 0 and link.session_id is not None:
                # This session has nothing more; another session in line may have.
                stuck += 1
                self._waiting.rotate(-1)
            elif link.credit > 0:
                break
            else:
                self._waiting.popleft()
                link.in_line = False
        while self._draining:
            self._draining.pop().finish_drain()
        self._arm()

    def _arm(self) -> None:
        at = self.queue.next_deadline()
        if at is None or (self._timer is not None and self._timer_at <= at):
            return  # A timer that fires too early finds nothing due and is set anew.
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        delay = max(0.0, at - time.time())
        self._timer = asyncio.get_running_loop().call_later(delay, self._fall_due)

    def _fall_due(self) -> None:
        self._timer = None
        for session_id, _ in self.queue.expire(time.time()):
            link = self._holders.pop(session_id, None)
            if link is not None:
                link.lose_session()
        self.touch()
        self._broker.flush()
