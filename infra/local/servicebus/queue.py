"""A queue as Service Bus keeps it: pure, in memory, with no AMQP and no clock of its own.

Every operation takes `now` (seconds since the epoch). Peek-lock, settlement, delivery count,
dead-lettering and time to live follow "Message transfers, locks, and settlement" and "Overview of
Service Bus dead-letter queues"; duplicates follow "Duplicate detection"; scheduled messages follow
"Message sequencing and timestamps"; deferral follows "Message deferral" (all under
learn.microsoft.com/azure/service-bus-messaging). No operation but listing scans a queue: costs are
O(log n) at most, amortised.

Locks are the broker's alone: after a restart every message that was locked is ready again, and the
delivery that was under way is not counted.
"""

import bisect
from collections.abc import Callable, Hashable, Iterable
from itertools import islice

from infra.local.servicebus.deadlines import Deadlines
from infra.local.servicebus.journal import Journal, NoJournal
from infra.local.servicebus.messages import (
    Lane,
    Message,
    MessageLockLostError,
    MessageNotFoundError,
    QueueSettings,
    RefusedError,
    Session,
    SessionLockLostError,
    State,
)
from infra.local.servicebus.sessions import Sessions

_SLACK = 64


class Queue[C]:
    """One queue and, unless it is one itself, its dead-letter queue.

    `new_token` gives each lock a fresh token; tokens are unique for the broker's lifetime. The
    journal is told of all that must outlive the broker. A `change` that goes with a settlement
    makes the content that the message has from then on.
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
        self._new_token = new_token
        self._journal: Journal[C] = journal or NoJournal()
        self._messages: dict[int, Message[C]] = {}
        self._order: list[int] = []
        self._last_sequence = 0
        self._lane = Lane()
        self._by_token: dict[str, Message[C]] = {}
        self._locks = Deadlines[str]()
        self._ttl = Deadlines[int]()
        self._scheduled = Deadlines[int]()
        self._history = Deadlines[str]()
        self._sessions = Sessions[C](settings.lock_duration, self._is_ready)

    def __len__(self) -> int:
        return len(self._messages)

    def restore(
        self,
        last_sequence: int,
        messages: Iterable[Message[C]],
        history: Iterable[tuple[str, float]],
        states: Iterable[tuple[str, bytes, float]],
    ) -> None:
        """Bring back what the journal was told: messages by sequence number, and the rest."""
        self._last_sequence = last_sequence
        for message_id, until in history:
            self._history.set(message_id, until)
        for session_id, state, at in states:
            self._sessions.restore(session_id, state, at)
        for message in messages:
            self._messages[message.sequence] = message
            self._order.append(message.sequence)
            if message.expires_at is not None:
                self._ttl.set(message.sequence, message.expires_at)
            self._place(message)

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
        """Store a message; None when it is a duplicate, which the sender is told was accepted.

        With a `not_before` that lies ahead it is scheduled: it becomes active then, with a
        sequence number of its own. Raises `RefusedError` when the queue requires a session id and
        the message has none.
        """
        self.admits(session_id)
        if message_id is not None and self.settings.duplicate_window is not None:
            self._forget_history(now)
            key, until = repr(message_id), now + self.settings.duplicate_window
            if key in self._history:
                return None
            self._history.set(key, until)
            self._journal.remember(self.settings.name, key, until)
        lifetimes = [life for life in (ttl, self.settings.default_ttl) if life is not None]
        message = Message(
            self._next_sequence(), content, now, session_id, min(lifetimes, default=None)
        )
        if not_before is not None and not_before > now:
            message.not_before = not_before
        else:
            self._start_lifetime(message, now)
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

    def cancel_scheduled(self, sequences: Iterable[int]) -> None:
        """Remove scheduled messages, all or none. Raises `MessageNotFoundError`."""
        for message in self._all_in(State.SCHEDULED, sequences):
            self._remove(message)

    def adopt(self, message: Message[C]) -> None:
        """Take over a dead-lettered message as it is; a dead-lettered message never expires."""
        message.lifetime = message.expires_at = None
        message.deferred = False
        self._store(message)

    # -- receiving -------------------------------------------------------------------------------

    def receive(self, now: float, session_id: str | None = None) -> Message[C] | None:
        """Lock the next message (peek-lock), or None when nothing is ready."""
        message = self._next_ready(now, session_id)
        if message is not None:
            self._lock(message, now)
        return message

    def take(self, now: float, session_id: str | None = None) -> Message[C] | None:
        """Remove and return the next message (receive-and-delete), or None."""
        message = self._next_ready(now, session_id)
        if message is not None:
            self._remove(message)
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
        """Lock deferred messages by sequence number, or `remove` them; all or none.

        Raises `MessageNotFoundError`, or `SessionLockLostError` when their session is not held
        by `owner`.
        """
        messages = self._all_in(State.DEFERRED, sequences)
        if self.settings.requires_session:
            session = self._sessions.held(session_id or "", owner, now)
            if any(message.session_id != session.id for message in messages):
                raise MessageNotFoundError(f"Not all messages are of the session '{session.id}'.")
        # Only now does a deferred message expire ("Message deferral").
        lapsed = [message for message in messages if _expired(message, now)]
        for message in lapsed:
            self._lapse(message)
        if lapsed:
            raise MessageNotFoundError("A message has expired.")
        for message in messages:
            if remove:
                self._remove(message)
            else:
                self._lock(message, now)
        return messages

    def peek(
        self, from_sequence: int, count: int, now: float, session_id: str | None = None
    ) -> list[Message[C]]:
        """Up to `count` live messages, none of them locked by this, in sequence order."""
        start = bisect.bisect_left(self._order, from_sequence)
        live = (
            message
            for at in range(start, len(self._order))
            if (message := self._messages.get(self._order[at])) is not None
            and (message.deferred or not _expired(message, now))
            and session_id in (None, message.session_id)
        )
        return list(islice(live, count))

    # -- settling --------------------------------------------------------------------------------

    def complete(self, token: str, now: float) -> None:
        """Remove a locked message. Raises `MessageLockLostError` or `SessionLockLostError`."""
        self._remove(self._unlock(self._locked(token, now)))

    def abandon(self, token: str, now: float, change: Callable[[C], C] | None = None) -> None:
        """Give a locked message back as a failed delivery; raises as `complete` does."""
        self._give_back(_changed(self._locked(token, now), change), now, failed=True)

    def release(self, token: str, now: float) -> None:
        """Give a locked message back as if never delivered; raises as `complete` does."""
        self._give_back(self._locked(token, now), now, failed=False)

    def defer(self, token: str, now: float, change: Callable[[C], C] | None = None) -> None:
        """Set a locked message aside, to be had by its number; raises as `complete` does."""
        message = self._unlock(_changed(self._locked(token, now), change))
        message.deferred = True
        self._place(message)
        self._journal.keep(self.settings.name, message)

    def dead_letter(
        self,
        token: str,
        now: float,
        reason: str,
        description: str,
        change: Callable[[C], C] | None = None,
    ) -> None:
        """Move a locked message to the dead-letter queue; raises as `complete` does."""
        message = self._locked(token, now)
        if self.dead_letters is None:
            raise RefusedError("A message of a dead-letter queue cannot be dead-lettered again.")
        self._bury(self._unlock(_changed(message, change)), reason, description)

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
        return self._sessions.accept(session_id, owner, now)

    def renew_session(self, session_id: str, owner: Hashable, now: float) -> float:
        """Prolong a session lock; the new end. Raises `SessionLockLostError`."""
        return self._sessions.renew(session_id, owner, now)

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
        return self._sessions.held(session_id, owner, now).state

    def set_session_state(
        self, session_id: str, owner: Hashable, now: float, state: bytes | None
    ) -> None:
        """Store or clear the application's state. Raises `SessionLockLostError`."""
        session = self._sessions.held(session_id, owner, now)
        session.state, session.state_changed_at = state, now
        self._journal.set_state(self.settings.name, session_id, state, now)

    def session_ids(self, changed_after: float | None = None) -> list[str]:
        """The sessions that have active messages or state, by id.

        With `changed_after`, those whose state was set after that time.
        """
        if changed_after is not None:
            changed = (each for each in self._sessions if each.state_changed_at > changed_after)
            return sorted(session.id for session in changed if session.state is not None)
        active = {
            message.session_id or ""
            for message in self._messages.values()
            if message.state in (State.READY, State.LOCKED)
        }
        return sorted(active | {each.id for each in self._sessions if each.state is not None})

    # -- time ------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `expire` next has something to do, or None."""
        deadlines = (
            self._locks.next(),
            self._sessions.next_deadline(),
            self._ttl.next(),
            self._scheduled.next(),
        )
        return min((at for at in deadlines if at is not None), default=None)

    def expire(self, now: float) -> list[tuple[str, Hashable]]:
        """Apply what fell due; the sessions whose lock ran out, each with its former owner."""
        for token in self._locks.pop_due(now):
            self._give_back(self._by_token[token], now, failed=True)
        lost = []
        for session in self._sessions.pop_due(now):
            lost.append((session.id, session.owner))
            self._free(session, now, failed=True)
        for sequence in self._scheduled.pop_due(now):
            self._activate(self._messages[sequence], now)
        for sequence in self._ttl.pop_due(now):
            message = self._messages.get(sequence)
            # A locked message stays with its receiver; giving it back will find it expired.
            if message is not None and message.state is State.READY:
                self._lapse(message)
        self._forget_history(now)
        return lost

    # -- inside ----------------------------------------------------------------------------------

    def _next_sequence(self) -> int:
        self._last_sequence += 1
        return self._last_sequence

    def _start_lifetime(self, message: Message[C], now: float) -> None:
        if message.lifetime is not None:
            message.expires_at = now + message.lifetime
            self._ttl.set(message.sequence, message.expires_at)

    def _store(self, message: Message[C]) -> None:
        self._messages[message.sequence] = message
        if not self._order or message.sequence > self._order[-1]:
            self._order.append(message.sequence)
        else:
            bisect.insort(self._order, message.sequence)
        if len(self._order) > 2 * len(self._messages) + _SLACK:
            self._order = [sequence for sequence in self._order if sequence in self._messages]
        self._place(message)
        self._journal.keep(self.settings.name, message)

    def _place(self, message: Message[C]) -> None:
        """Put a message that nobody has locked where its next receiver looks for it."""
        if message.deferred:
            message.state = State.DEFERRED
        elif message.not_before is not None:
            message.state = State.SCHEDULED
            self._scheduled.set(message.sequence, message.not_before)
        else:
            message.state = State.READY
            if self.settings.requires_session:
                self._sessions.push(message.session_id or "", message.sequence)
            else:
                self._lane.push(message.sequence)

    def _activate(self, message: Message[C], now: float) -> None:
        """Append a scheduled message as if it had been sent now, with a new sequence number."""
        self._remove(message)
        message.sequence, message.enqueued_at = self._next_sequence(), now
        message.not_before = None
        self._start_lifetime(message, now)
        self._store(message)

    def _next_ready(self, now: float, session_id: str | None) -> Message[C] | None:
        lane = self._lane if session_id is None else self._sessions.lane(session_id)
        while (sequence := lane.peek()) is not None:
            lane.pop()
            if self._is_ready(sequence, now):
                return self._messages[sequence]
        return None

    def _is_ready(self, sequence: int, now: float) -> bool:
        message = self._messages.get(sequence)
        if message is None or message.state is not State.READY:
            return False  # Expired or dead-lettered since it was put in the lane.
        if _expired(message, now):
            self._lapse(message)
            return False
        return True

    def _all_in(self, state: State, sequences: Iterable[int]) -> list[Message[C]]:
        found = []
        for sequence in dict.fromkeys(sequences):
            message = self._messages.get(sequence)
            if message is None or message.state is not state:
                raise MessageNotFoundError(
                    f"No {state.name.lower()} message has the sequence number {sequence}."
                )
            found.append(message)
        return found

    def _lock(self, message: Message[C], now: float) -> None:
        message.state = State.LOCKED
        message.token = self._new_token()
        self._by_token[message.token] = message
        session = self._sessions.get(message.session_id) if self.settings.requires_session else None
        if session is None:
            message.locked_until = now + self.settings.lock_duration
            self._locks.set(message.token, message.locked_until)
        else:
            message.locked_until = session.locked_until
            session.locked[message.token] = message

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
        session = self._sessions.get(message.session_id)
        if session is not None:
            session.locked.pop(token, None)
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
        elif _expired(message, now) and not message.deferred:
            self._lapse(message)
        else:
            self._place(message)
            if failed:
                self._journal.keep(self.settings.name, message)

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
        self._scheduled.cancel(message.sequence)
        self._journal.drop(self.settings.name, message.sequence)

    def _free(self, session: Session[C], now: float, *, failed: bool) -> None:
        self._sessions.release(session)
        for message in list(session.locked.values()):
            self._give_back(message, now, failed=failed)
        self._sessions.tidy(session, now)

    def _forget_history(self, now: float) -> None:
        for message_id in self._history.pop_due(now):
            self._journal.forget(self.settings.name, message_id)


def _expired[C](message: Message[C], now: float) -> bool:
    return message.expires_at is not None and message.expires_at <= now


def _changed[C](message: Message[C], change: Callable[[C], C] | None) -> Message[C]:
    if change is not None:
        message.content = change(message.content)
    return message
