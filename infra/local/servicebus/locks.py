"""Peek-lock: the locked messages of a queue, each with its lock token and the end of its lock.

Source: "Message transfers, locks, and settlement"
(learn.microsoft.com/azure/service-bus-messaging). The session lock is the lock of every message in
the session ("Message sessions").
"""

from collections.abc import Callable, Iterator

from infra.local.servicebus.deadlines import Deadlines
from infra.local.servicebus.errors import (
    MessageLockLostError,
    OperationRefusedError,
    SessionLockLostError,
)
from infra.local.servicebus.messages import Message, MessageSession, MessageState, QueueSettings


class Locks[C]:
    """The message locks of one queue."""

    def __init__(self, settings: QueueSettings, new_token: Callable[[], str]) -> None:
        self._settings = settings
        self._new_token = new_token
        self._by_token: dict[str, Message[C]] = {}
        self._ends = Deadlines[str]()

    def lock(self, message: Message[C], session: MessageSession[C] | None, now: float) -> None:
        """Lock a message under a new lock token; the session's lock, if any, sets the end."""
        message.state = MessageState.LOCKED
        message.token = self._new_token()
        self._by_token[message.token] = message
        if session is None:
            message.locked_until = now + self._settings.lock_duration
            self._ends.set(message.token, message.locked_until)
        else:
            message.locked_until = session.locked_until
            session.locked[message.token] = message

    def locked_message(self, token: str, now: float) -> Message[C]:
        """Return the message that a lock token locks.

        Raises `MessageLockLostError`, or `SessionLockLostError` on a queue that requires sessions.
        """
        message = self._by_token.get(token)
        if message is None or message.locked_until <= now:
            if self._settings.requires_session:
                raise SessionLockLostError("The session lock has expired on the session.")
            raise MessageLockLostError(
                "The lock supplied is invalid. Either the lock expired, or the message has "
                "already been removed from the queue."
            )
        return message

    def renew(self, token: str, now: float) -> float:
        """Renew a lock and return the new end, in seconds since the epoch.

        Raises as `locked_message`, and `OperationRefusedError` on a queue that requires sessions.
        """
        message = self.locked_message(token, now)
        if self._settings.requires_session:
            raise OperationRefusedError(
                "The lock of a message in a session is the session's: renew that."
            )
        message.locked_until = now + self._settings.lock_duration
        self._ends.set(token, message.locked_until)
        return message.locked_until

    def unlock(self, message: Message[C], session: MessageSession[C] | None) -> None:
        """End the lock of a message."""
        token, message.token = message.token or "", None
        del self._by_token[token]
        self._ends.cancel(token)
        if session is not None:
            session.locked.pop(token, None)

    def next_deadline(self) -> float | None:
        """Return the end of the next lock, or None without a lock."""
        return self._ends.next()

    def pop_due(self, now: float) -> Iterator[Message[C]]:
        """Yield the messages whose lock has ended, for the caller to unlock."""
        for token in self._ends.pop_due(now):
            yield self._by_token[token]
