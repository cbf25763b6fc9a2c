"""The messages of a queue by state: ready, scheduled, deferred or expired.

Source: "Message sequencing and timestamps", "Message expiration (time to live)" and "Message
browsing" (learn.microsoft.com/azure/service-bus-messaging).
"""

import bisect
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from infra.local.servicebus.deadlines import Deadlines
from infra.local.servicebus.errors import MessageNotFoundError
from infra.local.servicebus.journal import Journal
from infra.local.servicebus.messages import Message, MessageState, QueueSettings, ReadyMessages
from infra.local.servicebus.sessions import MessageSessions

_SLACK = 64


class MessageStore[C]:
    """The messages of one queue. `expire_message` removes an expired message."""

    def __init__(
        self,
        settings: QueueSettings,
        journal: Journal[C],
        expire_message: Callable[[Message[C]], None],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._expire_message = expire_message
        self._messages: dict[int, Message[C]] = {}
        self._order: list[int] = []
        self._last_sequence = 0
        self._ready = ReadyMessages()
        self._ends = Deadlines[int]()
        self._starts = Deadlines[int]()
        self.sessions = MessageSessions[C](settings, journal, self.is_ready)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message[C]]:
        return iter(self._messages.values())

    def restore(self, last_sequence: int, messages: Iterable[Message[C]]) -> None:
        """Restore messages from the journal, in the order of sequence numbers."""
        self._last_sequence = last_sequence
        for message in messages:
            self._messages[message.sequence] = message
            self._order.append(message.sequence)
            if message.expires_at is not None:
                self._ends.set(message.sequence, message.expires_at)
            self.place(message)

    def next_sequence(self) -> int:
        """Return the next sequence number."""
        self._last_sequence += 1
        return self._last_sequence

    def add(self, message: Message[C]) -> None:
        """Add a message."""
        self._messages[message.sequence] = message
        if not self._order or message.sequence > self._order[-1]:
            self._order.append(message.sequence)
        else:
            bisect.insort(self._order, message.sequence)
        if len(self._order) > 2 * len(self._messages) + _SLACK:
            self._order = [sequence for sequence in self._order if sequence in self._messages]
        self.place(message)
        self.save(message)

    def save(self, message: Message[C]) -> None:
        """Save the present state of a message in the journal."""
        self._journal.save_message(self._settings.name, message)

    def remove(self, message: Message[C]) -> None:
        """Remove a message."""
        del self._messages[message.sequence]
        self._ends.cancel(message.sequence)
        self._starts.cancel(message.sequence)
        self._journal.remove_message(self._settings.name, message.sequence)

    def place(self, message: Message[C]) -> None:
        """Make an unlocked message deferred, scheduled or ready."""
        if message.deferred:
            message.state = MessageState.DEFERRED
        elif message.not_before is not None:
            message.state = MessageState.SCHEDULED
            self._starts.set(message.sequence, message.not_before)
        else:
            message.state = MessageState.READY
            if self._settings.requires_session:
                self.sessions.push(message.session_id or "", message.sequence)
            else:
                self._ready.push(message.sequence)

    def start_lifetime(self, message: Message[C], now: float) -> None:
        """Start the time to live of a message."""
        if message.lifetime is not None:
            message.expires_at = now + message.lifetime
            self._ends.set(message.sequence, message.expires_at)

    def next_ready(self, now: float, session_id: str | None) -> Message[C] | None:
        """Remove the next ready message from its heap and return the message, or None."""
        ready = self._ready if session_id is None else self.sessions.ready(session_id)
        while (sequence := ready.peek()) is not None:
            ready.pop()
            if self.is_ready(sequence, now):
                return self._messages[sequence]
        return None

    def is_ready(self, sequence: int, now: float) -> bool:
        """Tell whether a message can be received; an expired message is removed."""
        message = self._messages.get(sequence)
        if message is None or message.state is not MessageState.READY:
            return False  # Expired or dead-lettered since the message became ready.
        if message.is_expired(now):
            self._expire_message(message)
            return False
        return True

    def in_state(self, state: MessageState, sequences: Iterable[int]) -> list[Message[C]]:
        """Return the messages of these numbers.

        Raises `MessageNotFoundError` for a number without a message in `state`.
        """
        found = []
        for sequence in dict.fromkeys(sequences):
            message = self._messages.get(sequence)
            if message is None or message.state is not state:
                raise MessageNotFoundError(
                    f"No {state.name.lower()} message has the sequence number {sequence}."
                )
            found.append(message)
        return found

    def peek(
        self, from_sequence: int, count: int, now: float, session_id: str | None
    ) -> list[Message[C]]:
        """Return up to `count` live messages by sequence number, without locking the messages."""
        start = bisect.bisect_left(self._order, from_sequence)
        live = (
            message
            for at in range(start, len(self._order))
            if (message := self._messages.get(self._order[at])) is not None
            and (message.deferred or not message.is_expired(now))
            and session_id in (None, message.session_id)
        )
        return list(islice(live, count))

    def next_deadline(self) -> float | None:
        """Return the time when `expire` next has work, or None."""
        deadlines = (self._ends.next(), self._starts.next())
        return min((at for at in deadlines if at is not None), default=None)

    def expire(self, now: float) -> None:
        """Activate the scheduled messages of `now` or earlier, and remove the expired messages."""
        for sequence in self._starts.pop_due(now):
            self._activate(self._messages[sequence], now)
        for sequence in self._ends.pop_due(now):
            message = self._messages.get(sequence)
            # A locked message stays with its receiver and expires when the receiver returns the
            # message.
            if message is not None and message.state is MessageState.READY:
                self._expire_message(message)

    def _activate(self, message: Message[C], now: float) -> None:
        """Activate a scheduled message: append the message with a new sequence number."""
        self.remove(message)
        message.sequence, message.enqueued_at = self.next_sequence(), now
        message.not_before = None
        self.start_lifetime(message, now)
        self.add(message)
