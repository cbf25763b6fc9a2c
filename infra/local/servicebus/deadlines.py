"""Keys that fall due: one small structure for locks, time to live, history and sessions."""

import heapq
from collections.abc import Hashable, Iterator

_SLACK = 64


class Deadlines[K: Hashable]:
    """Keys, each with the time (seconds since the epoch) at which it falls due.

    Setting, cancelling and taking what is due cost O(log n), amortised: a changed or cancelled
    key leaves its old heap entry behind, and the heap is rebuilt when most of it is such leftovers.
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
        """Let `key` fall due at `at`, replacing any earlier deadline of that key."""
        self._due[key] = at
        self._stamp += 1  # Orders equal times without comparing keys.
        heapq.heappush(self._heap, (at, self._stamp, key))
        if len(self._heap) > 2 * len(self._due) + _SLACK:
            self._rebuild()

    def cancel(self, key: K) -> None:
        """Forget `key`; unknown keys are fine."""
        self._due.pop(key, None)

    def next(self) -> float | None:
        """The earliest deadline, or None when there is none."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Iterator[K]:
        """Remove and yield every key whose deadline is `now` or earlier, earliest first."""
        while (at := self.next()) is not None and at <= now:
            key = heapq.heappop(self._heap)[2]
            del self._due[key]
            yield key

    def _rebuild(self) -> None:
        self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)
