"""The message sessions of a queue: locks, owners, states, and the available sessions.

Source: "Message sessions" (learn.microsoft.com/azure/service-bus-messaging). Pure, like the queue.
"""

from collections.abc import Callable, Hashable, Iterator

from infra.local.servicebus.deadlines import Deadlines
from infra.local.servicebus.errors import SessionCannotBeLockedError, SessionLockLostError
from infra.local.servicebus.journal import Journal
from infra.local.servicebus.messages import MessageSession, QueueSettings, ReadyMessages


class MessageSessions[C]:
    """Sessions by id. `is_ready` tells whether the message of a sequence number can be received."""

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
        # Unlocked sessions with a ready message, in the order of becoming available.
        self._available: dict[str, None] = {}

    def __iter__(self) -> Iterator[MessageSession[C]]:
        return iter(self._sessions.values())

    def get(self, session_id: str | None) -> MessageSession[C] | None:
        """Return the session of this id, or None for an id without messages and state."""
        return None if session_id is None else self._sessions.get(session_id)

    def ready(self, session_id: str) -> ReadyMessages:
        """Return the ready messages of a session."""
        return self._sessions[session_id].ready

    def push(self, session_id: str, sequence: int) -> None:
        """Make a message ready in its session."""
        session = self._sessions.setdefault(session_id, MessageSession(session_id))
        session.ready.push(sequence)
        if session.owner is None:
            self._available[session_id] = None

    def restore(self, session_id: str, state: bytes, at: float) -> None:
        """Restore the state of a session from the journal; `at` is the time of the state."""
        session = self._sessions.setdefault(session_id, MessageSession(session_id))
        session.state, session.state_changed_at = state, at

    def accept(
        self, session_id: str | None, owner: Hashable, now: float
    ) -> MessageSession[C] | None:
        """Lock a session for a receiver; without `session_id`, the first available session or None.

        Raises `SessionCannotBeLockedError` when a different receiver holds the named session.
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
        """Renew a session lock and return the new end. Raises `SessionLockLostError`."""
        session = self.locked_session(session_id, owner, now)
        self._lock(session, now)
        return session.locked_until

    def locked_session(self, session_id: str, owner: Hashable, now: float) -> MessageSession[C]:
        """Return a session that this receiver holds. Raises `SessionLockLostError`."""
        session = self._sessions.get(session_id)
        if session is None or session.owner != owner or session.locked_until <= now:
            raise SessionLockLostError(
                f"The session lock has expired on the session '{session_id}'."
            )
        return session

    def state(self, session_id: str, owner: Hashable, now: float) -> bytes | None:
        """Return the application's state of a locked session. Raises `SessionLockLostError`."""
        return self.locked_session(session_id, owner, now).state

    def set_state(self, session_id: str, owner: Hashable, now: float, state: bytes | None) -> None:
        """Store or clear the application's state. Raises `SessionLockLostError`."""
        session = self.locked_session(session_id, owner, now)
        session.state, session.state_changed_at = state, now
        self._journal.save_session_state(self._queue, session_id, state, now)

    def release(self, session: MessageSession[C]) -> None:
        """End the lock of a session; the queue takes back the session's locked messages."""
        self._locks.cancel(session.id)
        session.owner, session.locked_until = None, 0.0

    def list_or_drop(self, session: MessageSession[C], now: float) -> None:
        """List an unlocked session as available, or drop a session without messages and state."""
        if self._has_ready(session, now):
            self._available[session.id] = None
        elif session.state is None:
            self._available.pop(session.id, None)
            del self._sessions[session.id]

    def next_deadline(self) -> float | None:
        """Return the end of the next session lock, or None without a lock."""
        return self._locks.next()

    def pop_due(self, now: float) -> Iterator[MessageSession[C]]:
        """Yield the sessions whose lock has ended; the end of the lock is removed."""
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
            del self._available[session_id]  # Every message of the session has expired.
        return None

    def _has_ready(self, session: MessageSession[C], now: float) -> bool:
        while (sequence := session.ready.peek()) is not None:
            if self._is_ready(sequence, now):
                return True
            session.ready.pop()
        return False
