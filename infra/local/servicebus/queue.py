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

from collections.abc import Callable, Hashable, Iterable

from infra.local.servicebus.history import History
from infra.local.servicebus.journal import Journal, NoJournal
from infra.local.servicebus.locks import Locks
from infra.local.servicebus.messages import (
    Message,
    MessageNotFoundError,
    QueueSettings,
    RefusedError,
    Session,
    State,
)
from infra.local.servicebus.stock import Stock


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
        self._journal: Journal[C] = journal or NoJournal()
        self._stock = Stock[C](settings, self._journal, self._lapse)
        self._locks = Locks[C](settings, new_token)
        self._history = History[C](settings.name, settings.duplicate_window, self._journal)
        self.sessions = self._stock.sessions

    def __len__(self) -> int:
        return len(self._stock)

    def restore(
        self,
        last_sequence: int,
        messages: Iterable[Message[C]],
        history: Iterable[tuple[str, float]],
        states: Iterable[tuple[str, bytes, float]],
    ) -> None:
        """Bring back what the journal was told: messages by sequence number, and the rest."""
        self._history.restore(history)
        for session_id, state, at in states:
            self.sessions.restore(session_id, state, at)
        self._stock.restore(last_sequence, messages)

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
        if self._history.has_seen(message_id, now):
            return None
        lifetimes = [life for life in (ttl, self.settings.default_ttl) if life is not None]
        message = Message(
            self._stock.next_sequence(), content, now, session_id, min(lifetimes, default=None)
        )
        if not_before is not None and not_before > now:
            message.not_before = not_before
        else:
            self._stock.start_lifetime(message, now)
        self._stock.add(message)
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
        for message in self._stock.all_in(State.SCHEDULED, sequences):
            self._stock.remove(message)

    def adopt(self, message: Message[C]) -> None:
        """Take over a dead-lettered message as it is; a dead-lettered message never expires."""
        message.lifetime = message.expires_at = None
        message.deferred = False
        self._stock.add(message)

    # -- receiving -------------------------------------------------------------------------------

    def receive(self, now: float, session_id: str | None = None) -> Message[C] | None:
        """Lock the next message (peek-lock), or None when nothing is ready."""
        message = self._stock.next_ready(now, session_id)
        if message is not None:
            self._lock(message, now)
        return message

    def take(self, now: float, session_id: str | None = None) -> Message[C] | None:
        """Remove and return the next message (receive-and-delete), or None."""
        message = self._stock.next_ready(now, session_id)
        if message is not None:
            self._stock.remove(message)
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
        messages = self._stock.all_in(State.DEFERRED, sequences)
        if self.settings.requires_session:
            session = self.sessions.held(session_id or "", owner, now)
            if any(message.session_id != session.id for message in messages):
                raise MessageNotFoundError(f"Not all messages are of the session '{session.id}'.")
        # Only now does a deferred message expire ("Message deferral").
        lapsed = [message for message in messages if message.is_expired(now)]
        for message in lapsed:
            self._lapse(message)
        if lapsed:
            raise MessageNotFoundError("A message has expired.")
        for message in messages:
            if remove:
                self._stock.remove(message)
            else:
                self._lock(message, now)
        return messages

    def peek(
        self, from_sequence: int, count: int, now: float, session_id: str | None = None
    ) -> list[Message[C]]:
        """Up to `count` live messages, none of them locked by this, in sequence order."""
        return self._stock.peek(from_sequence, count, now, session_id)

    # -- settling --------------------------------------------------------------------------------

    def complete(self, token: str, now: float) -> None:
        """Remove a locked message. Raises `MessageLockLostError` or `SessionLockLostError`."""
        self._stock.remove(self._unlock(self._locks.held(token, now)))

    def abandon(self, token: str, now: float, change: Callable[[C], C] | None = None) -> None:
        """Give a locked message back as a failed delivery; raises as `complete` does."""
        self._give_back(_changed(self._locks.held(token, now), change), now, failed=True)

    def release(self, token: str, now: float) -> None:
        """Give a locked message back as if never delivered; raises as `complete` does."""
        self._give_back(self._locks.held(token, now), now, failed=False)

    def defer(self, token: str, now: float, change: Callable[[C], C] | None = None) -> None:
        """Set a locked message aside, to be had by its number; raises as `complete` does."""
        message = self._unlock(_changed(self._locks.held(token, now), change))
        message.deferred = True
        self._stock.place(message)
        self._stock.keep(message)

    def dead_letter(
        self,
        token: str,
        now: float,
        reason: str,
        description: str,
        change: Callable[[C], C] | None = None,
    ) -> None:
        """Move a locked message to the dead-letter queue; raises as `complete` does."""
        message = self._locks.held(token, now)
        if self.dead_letters is None:
            raise RefusedError("A message of a dead-letter queue cannot be dead-lettered again.")
        self._bury(self._unlock(_changed(message, change)), reason, description)

    def renew(self, token: str, now: float) -> float:
        """Prolong a message lock; the new end. Raises `MessageLockLostError`."""
        return self._locks.renew(token, now)

    # -- sessions --------------------------------------------------------------------------------

    def close_session(self, session_id: str, owner: Hashable, now: float) -> None:
        """End a receiver's hold on a session, if it still has it.

        Unsettled messages return with their delivery count unchanged ("Message sessions", impact
        of delivery count: the session is closed).
        """
        session = self.sessions.get(session_id)
        if session is not None and session.owner == owner:
            self._free(session, now, failed=False)

    def session_ids(self, changed_after: float | None = None) -> list[str]:
        """The sessions that have active messages or state, by id.

        With `changed_after`, those whose state was set after that time.
        """
        if changed_after is not None:
            changed = (each for each in self.sessions if each.state_changed_at > changed_after)
            return sorted(session.id for session in changed if session.state is not None)
        active = {
            message.session_id or ""
            for message in self._stock
            if message.state in (State.READY, State.LOCKED)
        }
        return sorted(active | {each.id for each in self.sessions if each.state is not None})

    # -- time ------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        """When `expire` next has something to do, or None."""
        deadlines = (
            self._locks.next_deadline(),
            self.sessions.next_deadline(),
            self._stock.next_deadline(),
        )
        return min((at for at in deadlines if at is not None), default=None)

    def expire(self, now: float) -> list[tuple[str, Hashable]]:
        """Apply what fell due; the sessions whose lock ran out, each with its former owner."""
        for message in self._locks.pop_due(now):
            self._give_back(message, now, failed=True)
        lost = []
        for session in self.sessions.pop_due(now):
            lost.append((session.id, session.owner))
            self._free(session, now, failed=True)
        self._stock.expire(now)
        self._history.forget(now)
        return lost

    # -- inside ----------------------------------------------------------------------------------

    def _lock(self, message: Message[C], now: float) -> None:
        self._locks.lock(message, self._session_of(message), now)

    def _unlock(self, message: Message[C]) -> Message[C]:
        self._locks.unlock(message, self._session_of(message))
        return message

    def _session_of(self, message: Message[C]) -> Session[C] | None:
        return self.sessions.get(message.session_id) if self.settings.requires_session else None

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
        elif message.is_expired(now) and not message.deferred:
            self._lapse(message)
        else:
            self._stock.place(message)
            if failed:
                self._stock.keep(message)

    def _lapse(self, message: Message[C]) -> None:
        if self.settings.dead_letter_on_expiration:
            self._bury(message, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._stock.remove(message)

    def _bury(self, message: Message[C], reason: str, description: str) -> None:
        self._stock.remove(message)
        if self.dead_letters is not None:
            message.dead_letter = (reason, description)
            self.dead_letters.adopt(message)

    def _free(self, session: Session[C], now: float, *, failed: bool) -> None:
        self.sessions.release(session)
        for message in list(session.locked.values()):
            self._give_back(message, now, failed=failed)
        self.sessions.tidy(session, now)


def _changed[C](message: Message[C], change: Callable[[C], C] | None) -> Message[C]:
    if change is not None:
        message.content = change(message.content)
    return message
