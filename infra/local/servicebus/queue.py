"""The queue model of Service Bus: pure and in memory, without AMQP and without a clock.

Every operation takes `now`, in seconds since the epoch. Peek-lock, settlement, delivery count,
dead-lettering and time to live follow "Message transfers, locks, and settlement" and "Overview of
Service Bus dead-letter queues". Duplicates follow "Duplicate detection"; scheduled messages follow
"Message sequencing and timestamps"; deferral follows "Message deferral" (every page under
learn.microsoft.com/azure/service-bus-messaging). Only listing, by `session_ids` and `peek`, scans a
queue; the remaining operations cost O(log n) at most, amortised.

Locks live in memory only: after a restart every locked message is ready again, and the interrupted
delivery is not counted.
"""

from collections.abc import Callable, Hashable, Iterable

from infra.local.servicebus.duplicate_detection import DuplicateDetection
from infra.local.servicebus.errors import MessageNotFoundError, OperationRefusedError
from infra.local.servicebus.journal import Journal, NoJournal
from infra.local.servicebus.locks import Locks
from infra.local.servicebus.message_store import MessageStore
from infra.local.servicebus.messages import Message, MessageSession, MessageState, QueueSettings


class Queue[C]:
    """One queue, with its dead-letter queue unless the queue is a dead-letter queue.

    `new_token` makes a lock token; a token is unique for the broker's lifetime. The journal gets
    every change that must outlive the broker. A `change` in a settlement replaces the content of
    the message.
    """

    def __init__(
        self,
        settings: QueueSettings,
        new_token: Callable[[], str],
        dead_letters: "Queue[C] | None" = None,
        journal: Journal[C] | None = None,
    ) -> None:
        self.settings = settings
        self.dead_letters = dead_letters
        self._journal: Journal[C] = journal or NoJournal()
        self._store = MessageStore[C](settings, self._journal, self._expire_message)
        self._locks = Locks[C](settings, new_token)
        self._duplicates = DuplicateDetection[C](
            settings.name, settings.duplicate_window, self._journal
        )
        self.sessions = self._store.sessions

    def __len__(self) -> int:
        return len(self._store)

    def restore(
        self,
        last_sequence: int,
        messages: Iterable[Message[C]],
        history: Iterable[tuple[str, float]],
        states: Iterable[tuple[str, bytes, float]],
    ) -> None:
        """Restore message ids, session states and messages from the journal.

        The messages come in the order of sequence numbers.
        """
        self._duplicates.restore(history)
        for session_id, state, at in states:
            self.sessions.restore(session_id, state, at)
        self._store.restore(last_sequence, messages)

    # -- sending ---------------------------------------------------------------------------------

    def enqueue(
        self,
        content: C,
        now: float,
        *,
        message_id: Hashable = None,
        session_id: str | None = None,
        ttl: float | None = None,
        not_before: float | None = None,
    ) -> Message[C] | None:
        """Store a message; return None for a duplicate, which the sender believes accepted.

        A `not_before` in the future schedules the message: the message becomes active at that time,
        with a new sequence number. Raises `OperationRefusedError` for a message without the session
        id that the queue requires.
        """
        self.check_session_id(session_id)
        if self._duplicates.has_seen(message_id, now):
            return None
        lifetimes = [life for life in (ttl, self.settings.default_ttl) if life is not None]
        message = Message(
            self._store.next_sequence(), content, now, session_id, min(lifetimes, default=None)
        )
        if not_before is not None and not_before > now:
            message.not_before = not_before
        else:
            self._store.start_lifetime(message, now)
        self._store.add(message)
        return message

    def check_session_id(self, session_id: str | None) -> None:
        """Raise `OperationRefusedError` when the queue requires a session id and gets none."""
        if self.settings.requires_session and not session_id:
            raise OperationRefusedError(
                "The SessionId was not set on a message, and it cannot be sent to the entity. "
                "Entities that have session support enabled can only receive messages that have "
                "the SessionId set to a valid value."
            )

    def cancel_scheduled(self, sequences: Iterable[int]) -> None:
        """Remove scheduled messages; raise `MessageNotFoundError` before the first removal."""
        for message in self._store.in_state(MessageState.SCHEDULED, sequences):
            self._store.remove(message)

    def add_dead_letter(self, message: Message[C]) -> None:
        """Take over a message from the main queue; a dead-lettered message never expires."""
        message.lifetime = message.expires_at = None
        message.deferred = False
        self._store.add(message)

    # -- receiving -------------------------------------------------------------------------------

    def receive(self, now: float, session_id: str | None = None) -> Message[C] | None:
        """Lock and return the next message (peek-lock), or None without a ready message."""
        message = self._store.next_ready(now, session_id)
        if message is not None:
            self._lock(message, now)
        return message

    def receive_and_delete(self, now: float, session_id: str | None = None) -> Message[C] | None:
        """Remove and return the next message (receive-and-delete), or None."""
        message = self._store.next_ready(now, session_id)
        if message is not None:
            self._store.remove(message)
        return message

    def receive_deferred(
        self,
        sequences: Iterable[int],
        now: float,
        *,
        session_id: str | None = None,
        owner: Hashable = None,
        remove: bool = False,
    ) -> list[Message[C]]:
        """Lock or `remove` deferred messages; raise an error before the first change.

        Raises `MessageNotFoundError`, or `SessionLockLostError` when `owner` does not hold the
        session.
        """
        messages = self._store.in_state(MessageState.DEFERRED, sequences)
        if self.settings.requires_session:
            session = self.sessions.locked_session(session_id or "", owner, now)
            if any(message.session_id != session.id for message in messages):
                raise MessageNotFoundError(f"Not all messages are of the session '{session.id}'.")
        # A deferred message expires only when a receiver asks for the message ("Message deferral").
        expired = [message for message in messages if message.is_expired(now)]
        for message in expired:
            self._expire_message(message)
        if expired:
            raise MessageNotFoundError("A message has expired.")
        for message in messages:
            if remove:
                self._store.remove(message)
            else:
                self._lock(message, now)
        return messages

    def peek(
        self, from_sequence: int, count: int, now: float, session_id: str | None = None
    ) -> list[Message[C]]:
        """Return up to `count` live messages by sequence number, without locking the messages."""
        return self._store.peek(from_sequence, count, now, session_id)

    # -- settling --------------------------------------------------------------------------------

    def complete(self, token: str, now: float) -> None:
        """Remove a locked message. Raises `MessageLockLostError` or `SessionLockLostError`."""
        self._store.remove(self._unlock(self._locks.locked_message(token, now)))

    def abandon(self, token: str, now: float, change: Callable[[C], C] | None = None) -> None:
        """Return a locked message to the queue as a failed delivery; raises as `complete` does."""
        self._return_message(
            _changed(self._locks.locked_message(token, now), change), now, failed=True
        )

    def release(self, token: str, now: float) -> None:
        """Return a locked message to the queue, uncounted; raises as `complete` does."""
        self._return_message(self._locks.locked_message(token, now), now, failed=False)

    def defer(self, token: str, now: float, change: Callable[[C], C] | None = None) -> None:
        """Defer a locked message; its number receives the message. Raises as `complete` does."""
        message = self._unlock(_changed(self._locks.locked_message(token, now), change))
        message.deferred = True
        self._store.place(message)
        self._store.save(message)

    def dead_letter(
        self,
        token: str,
        now: float,
        reason: str,
        description: str,
        change: Callable[[C], C] | None = None,
    ) -> None:
        """Move a locked message to the dead-letter queue; raises as `complete` does."""
        message = self._locks.locked_message(token, now)
        if self.dead_letters is None:
            raise OperationRefusedError(
                "A message of a dead-letter queue cannot be dead-lettered again."
            )
        self._move_to_dead_letters(self._unlock(_changed(message, change)), reason, description)

    def renew(self, token: str, now: float) -> float:
        """Renew a message lock and return the new end. Raises `MessageLockLostError`."""
        return self._locks.renew(token, now)

    # -- sessions --------------------------------------------------------------------------------

    def close_session(self, session_id: str, owner: Hashable, now: float) -> None:
        """Unlock a session, if the receiver `owner` still holds the session.

        Unsettled messages return with an unchanged delivery count ("Message sessions", impact of
        delivery count: the session is closed).
        """
        session = self.sessions.get(session_id)
        if session is not None and session.owner == owner:
            self._unlock_session(session, now, failed=False)

    def session_ids(self, changed_after: float | None = None) -> list[str]:
        """List the ids of sessions with active messages or with a state.

        With `changed_after`, list the sessions whose state was set after that time.
        """
        if changed_after is not None:
            changed = (each for each in self.sessions if each.state_changed_at > changed_after)
            return sorted(session.id for session in changed if session.state is not None)
        active = {
            message.session_id or ""
            for message in self._store
            if message.state in (MessageState.READY, MessageState.LOCKED)
        }
        return sorted(active | {each.id for each in self.sessions if each.state is not None})

    # -- time ------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return the time when `expire` next has work, or None."""
        deadlines = (
            self._locks.next_deadline(),
            self.sessions.next_deadline(),
            self._store.next_deadline(),
        )
        return min((at for at in deadlines if at is not None), default=None)

    def expire(self, now: float) -> list[tuple[str, Hashable]]:
        """Carry out every deadline up to `now`.

        Return each session whose lock expired, with the former owner.
        """
        for message in self._locks.pop_due(now):
            self._return_message(message, now, failed=True)
        lost = []
        for session in self.sessions.pop_due(now):
            lost.append((session.id, session.owner))
            self._unlock_session(session, now, failed=True)
        self._store.expire(now)
        self._duplicates.forget(now)
        return lost

    # -- inside ----------------------------------------------------------------------------------

    def _lock(self, message: Message[C], now: float) -> None:
        self._locks.lock(message, self._session_of(message), now)

    def _unlock(self, message: Message[C]) -> Message[C]:
        self._locks.unlock(message, self._session_of(message))
        return message

    def _session_of(self, message: Message[C]) -> MessageSession[C] | None:
        return self.sessions.get(message.session_id) if self.settings.requires_session else None

    def _return_message(self, message: Message[C], now: float, *, failed: bool) -> None:
        self._unlock(message)
        message.delivery_count += failed
        limit = self.settings.max_delivery_count
        if failed and limit is not None and message.delivery_count >= limit:
            self._move_to_dead_letters(
                message,
                "MaxDeliveryCountExceeded",
                f"Message could not be consumed after {limit} delivery attempts.",
            )
        elif message.is_expired(now) and not message.deferred:
            self._expire_message(message)
        else:
            self._store.place(message)
            if failed:
                self._store.save(message)

    def _expire_message(self, message: Message[C]) -> None:
        if self.settings.dead_letter_on_expiration:
            self._move_to_dead_letters(
                message, "TTLExpiredException", "The message expired and was dead lettered."
            )
        else:
            self._store.remove(message)

    def _move_to_dead_letters(self, message: Message[C], reason: str, description: str) -> None:
        self._store.remove(message)
        if self.dead_letters is not None:
            message.dead_letter = (reason, description)
            self.dead_letters.add_dead_letter(message)

    def _unlock_session(self, session: MessageSession[C], now: float, *, failed: bool) -> None:
        self.sessions.release(session)
        for message in list(session.locked.values()):
            self._return_message(message, now, failed=failed)
        self.sessions.list_or_drop(session, now)


def _changed[C](message: Message[C], change: Callable[[C], C] | None) -> Message[C]:
    if change is not None:
        message.content = change(message.content)
    return message
