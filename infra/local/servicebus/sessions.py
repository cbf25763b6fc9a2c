"""The sessions of a queue: who holds which until when, and which are free to be taken.

Source: "Message sessions" (learn.microsoft.com/azure/service-bus-messaging). Pure, as the queue is.
"""

from collections.abc import Callable, Hashable, Iterator

from infra.local.servicebus.deadlines import Deadlines
from infra.local.servicebus.errors import SessionCannotBeLockedError, SessionLockLostError
from infra.local.servicebus.journal import Journal
from infra.local.servicebus.messages import MessageSession, QueueSettings, ReadyMessages


class MessageSessions[C]:
    """Sessions by id. `is_ready` says whether the message of a sequence number can be received."""

    def __init__(
        self,
        settings: QueueSettings,
        journal: Journal[C],
        is_ready: Callable[[int, float], bool],
    ) -> None:
        self._queue = settings.name
        self._lock_duration = settings.lock_duration
        self._journal = journal
        self._is_ready = is_ready
        self._sessions: dict[str, MessageSession[C]] = {}
        self._locks = Deadlines[str]()
        # Unlocked sessions with something to receive, in the order they became so.
        self._available: dict[str, None] = {}

    def __iter__(self) -> Iterator[MessageSession[C]]:
        return iter(self._sessions.values())

    def get(self, session_id: str | None) -> MessageSession[C] | None:
        """The session with this id, if there is anything to know of it."""
        return None if session_id is None else self._sessions.get(session_id)

    def ready(self, session_id: str) -> ReadyMessages:
        """The ready messages of a session."""
        return self._sessions[session_id].ready

    def push(self, session_id: str, sequence: int) -> None:
        """Make a message ready in its session."""
        session = self._sessions.setdefault(session_id, MessageSession(session_id))
        session.ready.push(sequence)
        if session.owner is None:
            self._available[session_id] = None

    def restore(self, session_id: str, state: bytes, at: float) -> None:
        """Bring back the state of a session that was set at this time."""
        session = self._sessions.setdefault(session_id, MessageSession(session_id))
        session.state, session.state_changed_at = state, at

    def accept(
        self, session_id: str | None, owner: Hashable, now: float
    ) -> MessageSession[C] | None:
        """Lock a session for one receiver; None for any session when none is available.

        Raises `SessionCannotBeLockedError` when the named session is held by someone else.
        """
        if session_id is None:
            session_id = self._first_available(now)
            if session_id is None:
                return None
        session = self._sessions.setdefault(session_id, MessageSession(session_id))
        if session.owner is not None:
            raise SessionCannotBeLockedError(
                f"The requested session '{session_id}' cannot be accepted. "
                "It may be locked by another receiver."
            )
        self._available.pop(session_id, None)
        session.owner = owner
        self._lock(session, now)
        return session

    def renew(self, session_id: str, owner: Hashable, now: float) -> float:
        """Prolong a session lock; the new end. Raises `SessionLockLostError`."""
        session = self.locked_session(session_id, owner, now)
        self._lock(session, now)
        return session.locked_until

    def locked_session(self, session_id: str, owner: Hashable, now: float) -> MessageSession[C]:
        """A session that this receiver holds. Raises `SessionLockLostError`."""
        session = self._sessions.get(session_id)
        if session is None or session.owner != owner or session.locked_until <= now:
            raise SessionLockLostError(
                f"The session lock has expired on the session '{session_id}'."
            )
        return session

    def state(self, session_id: str, owner: Hashable, now: float) -> bytes | None:
        """The application's state of a held session. Raises `SessionLockLostError`."""
        return self.locked_session(session_id, owner, now).state

    def set_state(self, session_id: str, owner: Hashable, now: float, state: bytes | None) -> None:
        """Store or clear the application's state. Raises `SessionLockLostError`."""
        session = self.locked_session(session_id, owner, now)
        session.state, session.state_changed_at = state, now
        self._journal.save_session_state(self._queue, session_id, state, now)

    def release(self, session: MessageSession[C]) -> None:
        """End a receiver's hold; what it had locked is for the queue to take back."""
        self._locks.cancel(session.id)
        session.owner, session.locked_until = None, 0.0

    def list_or_drop(self, session: MessageSession[C], now: float) -> None:
        """List a released session as available, or drop it when nothing is left of it."""
        if self._has_ready(session, now):
            self._available[session.id] = None
        elif session.state is None:
            self._available.pop(session.id, None)
            del self._sessions[session.id]

    def next_deadline(self) -> float | None:
        """When the next session lock ends, or None."""
        return self._locks.next()

    def pop_due(self, now: float) -> Iterator[MessageSession[C]]:
        """The sessions whose lock has ended, which no longer count as locked."""
        for session_id in self._locks.pop_due(now):
            yield self._sessions[session_id]

    def _lock(self, session: MessageSession[C], now: float) -> None:
        session.locked_until = now + self._lock_duration
        self._locks.set(session.id, session.locked_until)
        for message in session.locked.values():
            message.locked_until = session.locked_until

    def _first_available(self, now: float) -> str | None:
        while (session_id := next(iter(self._available), None)) is not None:
            if self._has_ready(self._sessions[session_id], now):
                return session_id
            del self._available[session_id]  # All it had has expired.
        return None

    def _has_ready(self, session: MessageSession[C], now: float) -> bool:
        while (sequence := session.ready.peek()) is not None:
            if self._is_ready(sequence, now):
                return True
            session.ready.pop()
        return False
