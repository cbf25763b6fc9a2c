"""Duplicate detection: the message ids of the last minutes.

Source: "Duplicate detection" (learn.microsoft.com/azure/service-bus-messaging).
"""

from collections.abc import Hashable, Iterable

from infra.local.servicebus.deadlines import Deadlines
from infra.local.servicebus.journal import Journal


class DuplicateDetection[C]:
    """The message ids of one queue, each kept until the end of its window, in seconds.

    Without a window the queue has no duplicate detection.
    """

    def __init__(self, queue: str, window: float | None, journal: Journal[C]) -> None:
        self._queue = queue
        self._window = window
        self._journal = journal
        self._until = Deadlines[str]()

    def restore(self, seen: Iterable[tuple[str, float]]) -> None:
        """Restore message ids from the journal, each with the end of its window."""
        for message_id, until in seen:
            self._until.set(message_id, until)

    def has_seen(self, message_id: Hashable, now: float) -> bool:
        """Tell whether the queue had this id within the window, and remember a new id."""
        if message_id is None or self._window is None:
            return False
        self.forget(now)
        key, until = repr(message_id), now + self._window
        if key in self._until:
            return True
        self._until.set(key, until)
        self._journal.save_message_id(self._queue, key, until)
        return False

    def forget(self, now: float) -> None:
        """Remove the ids whose window has ended."""
        for message_id in self._until.pop_due(now):
            self._journal.remove_message_id(self._queue, message_id)
