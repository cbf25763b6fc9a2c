"""A queue as Service Bus keeps it: pure, in memory, with no AMQP and no clock of its own.

Every operation takes `now` (seconds since the epoch). Peek-lock, settlement, delivery count,
dead-lettering and time to live follow "Message transfers, locks, and settlement" and "Overview of
Service Bus dead-letter queues"; duplicates follow "Duplicate detection"; sessions follow
"Message sessions" (learn.microsoft.com/azure/service-bus-messaging). No operation scans a queue:
costs are O(log n) at most, amortised.
"""

import bisect
from collections.abc import Callable, Hashable
from itertools import islice

from infra.local.servicebus.deadlines import Deadlines
from infra.local.servicebus.messages import (
    Lane,
    Message,
    MessageLockLostError,
    QueueSettings,
    RefusedError,
    Session,
    SessionCannotBeLockedError,
    SessionLockLostError,
    State,
)

_SLACK = 64


class Queue[C]:
    """One queue and, unless it is one itself, its dead-letter queue.

    `new_token` gives each lock a fresh token; tokens are unique for the broker's lifetime.
    """

    def __init__(
        self,
        settings: QueueSettings,
        new_token: Callable[[], str],
        dead_letters: "Queue[C] | None" = None,
    ) -> None:
        self.settings = settings
        self.dead_letters = dead_letters
        self._new_token = new_token
        self._messages: dict[int, Message[C]] = {}
        self._order: list[int] = []
        self._last_sequence = 0
        self._lane = Lane()
        self._by_token: dict[str, Message[C]] = {}
        self._locks = Deadlines[str]()
        self._ttl = Deadlines[int]()
        self._history = Deadlines[Hashable]()
        self._sessions: dict[str, Session[C]] = {}
        self._session_locks = Deadlines[str]()
        # Unlocked sessions with something to receive, in the order they became so.
        self._available: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._messages)

    # -- sending ---------------------------------------------------------------------------------

    def enqueue(
        self,
        content: C,
        now: float,
        *,
        message_id: Hashable = None,
        session_id: str | None = None,
        ttl: float | None = None,
    ) -> Message[C] | None:
        """Store a message; None when it is a duplicate, which the sender is told was accepted.

        Raises `RefusedError` when the queue requires a session id and the message has none.
        """
        self.admits(session_id)
        if message_id is not None and self.settings.duplicate_window is not None:
            self._forget_history(now)
            if message_id in self._history:
                return None
            self._history.set(message_id, now + self.settings.duplicate_window)
        self._last_sequence += 1
        message = Message(self._last_sequence, content, now, session_id)
        lifetimes = [life for life in (ttl, self.settings.default_ttl) if life is not None]
        if lifetimes:
            message.expires_at = now + min(lifetimes)
            self._ttl.set(message.sequence, message.expires_at)
        self._store(message)
        return message

    def admits(self, session_id: str | None) -> None:
        """Raise `RefusedError` when a message with this session id may not be sent here."""
        if self.settings.requires_session and not session_id:
            raise RefusedError(
                "The SessionId was not set on a message, and it cannot be sent to the entity. "
                "Entities that have session support enabled can only receive messages that have "
                "the SessionId set to a valid value."
            )

    def adopt(self, message: Message[C]) -> None:
        """Take over a dead-lettered message as it is; a dead-lettered message never expires."""
        message.expires_at = None
        self._store(message)

    # -- receiving -------------------------------------------------------------------------------

    def receive(self, now: float, session_id: str | None = None) -> Message[C] | None:
        """Lock the next message (peek-lock), or None when nothing is ready."""
        message = self._next_ready(now, session_id)
        if message is None:
            return None
        message.state = State.LOCKED
        message.token = self._new_token()
        self._by_token[message.token] = message
        if session_id is None:
            message.locked_until = now + self.settings.lock_duration
            self._locks.set(message.token, message.locked_until)
        else:
            session = self._sessions[session_id]
            message.locked_until = session.locked_until
            session.locked[message.token] = message
        return message

    def take(self, now: float, session_id: str | None = None) -> Message[C] | None:
        """Remove and return the next message (receive-and-delete), or None."""
        message = self._next_ready(now, session_id)
        if message is not None:
            self._remove(message)
        return message

    def peek(
        self, from_sequence: int, count: int, now: float, session_id: str | None = None
    ) -> list[Message[C]]:
        """Up to `count` live messages, none of them locked by this, in sequence order."""
        start = bisect.bisect_left(self._order, from_sequence)
        live = (
            message
            for at in range(start, len(self._order))
            if (message := self._messages.get(self._order[at])) is not None
            and not _expired(message, now)
            and session_id in (None, message.session_id)
        )
        return list(islice(live, count))

    # -- settling --------------------------------------------------------------------------------

    def complete(self, token: str, now: float) -> None:
        """Remove a locked message. Raises `MessageLockLostError` or `SessionLockLostError`."""
        self._remove(self._unlock(self._locked(token, now)))

    def abandon(self, token: str, now: float) -> None:
        """Give a locked message back as a failed delivery; raises as `complete` does."""
        self._give_back(self._locked(token, now), now, failed=True)

    def release(self, token: str, now: float) -> None:
        """Give a locked message back as if never delivered; raises as `complete` does."""
        self._give_back(self._locked(token, now), now, failed=False)

    def defer(self, token: str, now: float) -> None:
        """Set a locked message aside, out of order of delivery; raises as `complete` does."""
        self._unlock(self._locked(token, now)).state = State.DEFERRED

    def dead_letter(self, token: str, now: float, reason: str, description: str) -> None:
        """Move a locked message to the dead-letter queue; raises as `complete` does."""
        message = self._locked(token, now)
        if self.dead_letters is None:
            raise RefusedError("A message of a dead-letter queue cannot be dead-lettered again.")
        self._bury(self._unlock(message), reason, description)

    def renew(self, token: str, now: float) -> float:
        """Prolong a message lock; the new end. Raises `MessageLockLostError`."""
        message = self._locked(token, now)
        if self.settings.requires_session:
            raise RefusedError("The lock of a message in a session is the session's: renew that.")
        message.locked_until = now + self.settings.lock_duration
        self._locks.set(token, message.locked_until)
        return message.locked_until

    # -- sessions --------------------------------------------------------------------------------

    def accept_session(
        self, session_id: str | None, owner: Hashable, now: float
    ) -> Session[C] | None:
        """Lock a session for one receiver; None for any session when none is available.

        Raises `SessionCannotBeLockedError` when the named session is held by someone else.
        """
        if session_id is None:
            session_id = self._first_available(now)
            if session_id is None:
                return None
        session = self._sessions.setdefault(session_id, Session(session_id))
        if session.owner is not None:
            raise SessionCannotBeLockedError(
                f"The requested session '{session_id}' cannot be accepted. "
                "It may be locked by another receiver."
            )
        self._available.pop(session_id, None)
        session.owner = owner
        self.renew_session(session_id, owner, now)
        return session

    def renew_session(self, session_id: str, owner: Hashable, now: float) -> float:
        """Prolong a session lock; the new end. Raises `SessionLockLostError`."""
        session = self._sessions.get(session_id)
        fresh = session is not None and not session.locked_until
        if session is None or session.owner != owner:
            raise _session_lost(session_id)
        if not fresh and session.locked_until <= now:
            raise _session_lost(session_id)
        session.locked_until = now + self.settings.lock_duration
        self._session_locks.set(session_id, session.locked_until)
        for message in session.locked.values():
            message.locked_until = session.locked_until
        return session.locked_until

    def close_session(self, session_id: str, owner: Hashable, now: float) -> None:
        """End a receiver's hold on a session, if it still has it.

        Unsettled messages return with their delivery count unchanged ("Message sessions", impact
        of delivery count: the session is closed).
        """
        session = self._sessions.get(session_id)
        if session is not None and session.owner == owner:
            self._free(session, now, failed=False)

    def session_state(self, session_id: str, owner: Hashable, now: float) -> bytes | None:
        """The application's state of a held session. Raises `SessionLockLostError`."""
        return self._held(session_id, owner, now).state

    def set_session_state(
        self, session_id: str, owner: Hashable, now: float, state: bytes | None
    ) -> None:
        """Store or clear the application's state. Raises `SessionLockLostError`."""
        self._held(session_id, owner, now).state = state

    # -- time ------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `expire` next has something to do, or None."""
        deadlines = (self._locks.next(), self._session_locks.next(), self._ttl.next())
        return min((at for at in deadlines if at is not None), default=None)

    def expire(self, now: float) -> list[tuple[str, Hashable]]:
        """Apply what fell due; the sessions whose lock ran out, each with its former owner."""
        for token in self._locks.pop_due(now):
            self._give_back(self._by_token[token], now, failed=True)
        lost = []
        for session_id in self._session_locks.pop_due(now):
            session = self._sessions[session_id]
            lost.append((session_id, session.owner))
            self._free(session, now, failed=True)
        for sequence in self._ttl.pop_due(now):
            message = self._messages.get(sequence)
            # A locked message stays with its receiver; giving it back will find it expired.
            if message is not None and message.state is not State.LOCKED:
                self._lapse(message)
        self._forget_history(now)
        return lost

    # -- inside ----------------------------------------------------------------------------------

    def _store(self, message: Message[C]) -> None:
        self._messages[message.sequence] = message
        if not self._order or message.sequence > self._order[-1]:
            self._order.append(message.sequence)
        else:
            bisect.insort(self._order, message.sequence)
        if len(self._order) > 2 * len(self._messages) + _SLACK:
            self._order = [sequence for sequence in self._order if sequence in self._messages]
        self._make_ready(message)

    def _make_ready(self, message: Message[C]) -> None:
        message.state = State.READY
        if not self.settings.requires_session:
            self._lane.push(message.sequence)
            return
        session_id = message.session_id or ""
        session = self._sessions.setdefault(session_id, Session(session_id))
        session.lane.push(message.sequence)
        if session.owner is None:
            self._available[session_id] = None

    def _next_ready(self, now: float, session_id: str | None) -> Message[C] | None:
        lane = self._lane if session_id is None else self._sessions[session_id].lane
        while (sequence := lane.peek()) is not None:
            lane.pop()
            message = self._messages.get(sequence)
            if message is None or message.state is not State.READY:
                continue  # Expired or dead-lettered since it was put in the lane.
            if not _expired(message, now):
                return message
            self._lapse(message)
        return None

    def _locked(self, token: str, now: float) -> Message[C]:
        message = self._by_token.get(token)
        if message is None or message.locked_until <= now:
            if self.settings.requires_session:
                raise SessionLockLostError("The session lock has expired on the session.")
            raise MessageLockLostError(
                "The lock supplied is invalid. Either the lock expired, or the message has "
                "already been removed from the queue."
            )
        return message

    def _unlock(self, message: Message[C]) -> Message[C]:
        token, message.token = message.token or "", None
        del self._by_token[token]
        self._locks.cancel(token)
        if message.session_id in self._sessions:
            self._sessions[message.session_id].locked.pop(token, None)
        return message

    def _give_back(self, message: Message[C], now: float, *, failed: bool) -> None:
        self._unlock(message)
        message.delivery_count += failed
        limit = self.settings.max_delivery_count
        if failed and limit is not None and message.delivery_count >= limit:
            self._bury(
                message,
                "MaxDeliveryCountExceeded",
                f"Message could not be consumed after {limit} delivery attempts.",
            )
        elif _expired(message, now):
            self._lapse(message)
        else:
            self._make_ready(message)

    def _lapse(self, message: Message[C]) -> None:
        if self.settings.dead_letter_on_expiration:
            self._bury(message, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._remove(message)

    def _bury(self, message: Message[C], reason: str, description: str) -> None:
        self._remove(message)
        if self.dead_letters is not None:
            message.dead_letter = (reason, description)
            self.dead_letters.adopt(message)

    def _remove(self, message: Message[C]) -> None:
        del self._messages[message.sequence]
        self._ttl.cancel(message.sequence)

    def _held(self, session_id: str, owner: Hashable, now: float) -> Session[C]:
        session = self._sessions.get(session_id)
        if session is None or session.owner != owner or session.locked_until <= now:
            raise _session_lost(session_id)
        return session

    def _free(self, session: Session[C], now: float, *, failed: bool) -> None:
        self._session_locks.cancel(session.id)
        session.owner, session.locked_until = None, 0.0
        for message in list(session.locked.values()):
            self._give_back(message, now, failed=failed)
        if self._session_has_ready(session, now):
            self._available[session.id] = None
        elif session.state is None:
            self._available.pop(session.id, None)
            del self._sessions[session.id]

    def _first_available(self, now: float) -> str | None:
        while (session_id := next(iter(self._available), None)) is not None:
            if self._session_has_ready(self._sessions[session_id], now):
                return session_id
            del self._available[session_id]  # All it had has expired.
        return None

    def _session_has_ready(self, session: Session[C], now: float) -> bool:
        while (sequence := session.lane.peek()) is not None:
            message = self._messages.get(sequence)
            if message is not None and message.state is State.READY:
                if not _expired(message, now):
                    return True
                self._lapse(message)
            session.lane.pop()
        return False

    def _forget_history(self, now: float) -> None:
        for _ in self._history.pop_due(now):
            pass


def _expired[C](message: Message[C], now: float) -> bool:
    return message.expires_at is not None and message.expires_at <= now


def _session_lost(session_id: str) -> SessionLockLostError:
    return SessionLockLostError(f"The session lock has expired on the session '{session_id}'.")
