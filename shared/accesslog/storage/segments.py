"""Reading the entries of a log from its segments: forward, backward, and past damage."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from shared.accesslog.storage import layout
from shared.accesslog.storage.errors import LogDamagedError
from shared.errors import NotFoundError
from shared.merkle import ProofError
from shared.ports import Tables

# One query reads at least 256 entries, and more small entries, in flat memory.
_FEWEST_AT_ONCE: Final = 256
_MAX_AT_ONCE: Final = 16_384
_BYTES_AT_ONCE: Final = 1 << 20
_ROWS_AT_ONCE: Final = 64
_LARGEST_GAP: Final = 65_536


class Segments:
    """The segments of one log."""

    def __init__(self, tables: Tables, partition: str) -> None:
        self._tables = tables
        self._partition = partition

    async def entries(self, first: int, end: int) -> Sequence[bytes]:
        """Return the entries from `first` up to `end`.

        Raises LogDamagedError for a missing entry.
        """
        keys = layout.segment_keys(first, end)
        found = self._tables.between(layout.TABLE, self._partition, *keys)
        # A row that only has the prefix of a segment is no obstacle; the audit reports the row.
        rows = [row async for row in found if layout.is_segment(row)]
        entries: list[bytes] = []
        for row in reversed(rows):
            try:
                segment = layout.segment_of(row)
            except ProofError:
                # Harmless before `first`. Otherwise the entries of the segment are missing.
                continue
            expected = first + len(entries)
            if segment.first > expected:
                break
            entries += segment.entries[expected - segment.first : end - segment.first]
        if len(entries) < end - first:
            raise LogDamagedError(first + len(entries))
        return entries

    async def with_entry(self, index: int) -> layout.Segment:
        """Return the segment that has the entry `index`.

        Raises NotFoundError for an entry in no segment, and LogDamagedError for an unreadable
        segment.
        """
        keys = layout.segment_keys(index, index + 1)
        async for row in self._tables.between(layout.TABLE, self._partition, *keys):
            if not layout.is_segment(row):
                continue
            segment = layout.readable_segment(row)
            if segment.first <= index < segment.end:
                return segment
        raise NotFoundError(
            "log-entry-not-found",
            "The log has no entry with this index.",
            "Use the index of an entry that the log has.",
        )

    async def forward(self, first: int, end: int) -> AsyncIterator[tuple[int, bytes]]:
        """Yield index and payload of the entries from `first` below `end`, in order.

        Raises LogDamagedError for a missing entry.
        """
        width = _FEWEST_AT_ONCE
        while first < end:
            entries = await self.entries(first, min(end, first + width))
            for index, entry in enumerate(entries, first):
                yield index, entry
            first += len(entries)
            width = _next_width(width, sum(map(len, entries)))

    async def backward(self, before: int) -> AsyncIterator[tuple[int, bytes]]:
        """Yield index and payload of the entries below `before`, newest first.

        The payload of a missing entry is empty: a gap hides no further entry. Raises
        LogDamagedError at a gap of more than 65,536 entries.
        """
        if before <= 0:
            return
        newest, oldest = layout.segment_key(before - 1), layout.segment_key(0)
        rows = self._tables.between(
            layout.TABLE, self._partition, newest, oldest, size=_ROWS_AT_ONCE
        )
        async for row in rows:
            try:
                segment = layout.segment_of(row)
            except ProofError:
                continue
            for index in _gap(segment.end, before):
                yield index, b""
            before = min(before, segment.end)
            for index in range(before - 1, segment.first - 1, -1):
                yield index, segment.entries[index - segment.first]
            before = min(before, segment.first)
        for index in _gap(0, before):
            yield index, b""

    async def with_checks(
        self, first: int, end: int
    ) -> AsyncIterator[tuple[int, bytes | None, bytes]]:
        """Yield index, payload and check of the entries from `first` below `end`, in order.

        A check has the first 8 bytes of the leaf hash. The payload of a missing entry, or of an
        entry in an unreadable row, is None.
        """
        index, width = first, _FEWEST_AT_ONCE
        while index < end:
            upto, size = min(end, index + width), 0
            keys = layout.segment_keys(index, upto)
            found = self._tables.between(layout.TABLE, self._partition, *keys)
            for row in reversed([row async for row in found]):
                try:
                    segment = layout.segment_of(row)
                except ProofError:
                    continue
                for at in range(index, segment.first):
                    yield at, None, b""
                for at in range(max(index, segment.first), min(segment.end, end)):
                    offset = at - segment.first
                    size += len(segment.entries[offset])
                    yield at, segment.entries[offset], segment.check(offset)
                index = max(index, segment.first, min(segment.end, end))
            for at in range(index, upto):
                yield at, None, b""
            index = max(index, upto)
            width = _next_width(width, size)


def _next_width(width: int, size: int) -> int:
    """Return the number of entries of the next query, after a query of `size` bytes."""
    if size < _BYTES_AT_ONCE:
        return min(2 * width, _MAX_AT_ONCE)
    return max(width // 2, _FEWEST_AT_ONCE)


def _gap(first: int, end: int) -> range:
    """Return the indices of a gap, from `end` down to `first`; empty without a gap."""
    if end - first > _LARGEST_GAP:
        # The row that claims entries behind the gap is wrong.
        raise LogDamagedError(first)
    return range(end - 1, first - 1, -1)
