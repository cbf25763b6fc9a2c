"""Deadlines of keys: message locks, time to live, duplicate detection, session locks."""

import heapq
from collections.abc import Hashable, Iterator

_SLACK = 64


class Deadlines[K: Hashable]:
    """Keys, each with a deadline in seconds since the epoch.

    `set`, `cancel` and `pop_due` cost O(log n), amortised. A changed or cancelled key leaves a
    stale entry in the heap. The heap is rebuilt when most entries are stale.
    """

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._stamp = 0

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def __len__(self) -> int:
        return len(self._due)

    def set(self, key: K, at: float) -> None:
        """Set or replace the deadline of `key`."""
        self._due[key] = at
        self._stamp += 1  # Orders equal times without comparing keys.
        heapq.heappush(self._heap, (at, self._stamp, key))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._rebuild()

    def cancel(self, key: K) -> None:
        """Remove the deadline of `key`; an unknown key is fine."""
        self._due.pop(key, None)

    def next(self) -> float | None:
        """Return the earliest deadline, or None without a key."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Iterator[K]:
        """Remove and yield every key with a deadline of `now` or earlier, earliest first."""
        while (at := self.next()) is not None and at <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            yield key

    def _rebuild(self) -> None:
        self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)
