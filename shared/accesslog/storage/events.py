"""The events of a tenant's log: the row of each event, and the entry of each row."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.accesslog.payloads import event_of
from shared.accesslog.storage import layout
from shared.ports import Row, Tables

_READS_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class EventKey:
    """The identity of an event, and the RowKey of the event's row."""

    source: str
    id: str
    row: str

    @classmethod
    def of(cls, secret: bytes, partition: str, source: str, identifier: str) -> "EventKey":
        """Compute the RowKey under `secret`."""
        digest = layout.event_digest(secret, partition, source, identifier)
        return cls(source, identifier, layout.event_key(digest))


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event with a row, and the entry of the row.

    `payload` is None for a redacted entry. `index` is None for a row that leads to no entry, or to
    an entry of another event: somebody changed the row or the entry. `etag` is the ETag of the row.
    """

    etag: str | None
    index: int | None = None
    payload: bytes | None = None


async def find_events(
    tables: Tables, partition: str, events: Sequence[EventKey]
) -> Sequence[LoggedEvent | None]:
    """Find each event of a log by the event's row; None for an event without a row.

    Takes a point read for each event, and a point read for each segment that the rows lead to.
    Raises LogDamagedError for an unreadable segment.
    """
    rows = await get_all(tables, partition, [event.row for event in events])
    firsts = {layout.place_of(row)[1] for row in rows if row} - {-1}
    found = await get_all(tables, partition, [layout.segment_key(first) for first in firsts])
    segments = [layout.readable_segment(row) for row in found if row]
    by_first = {segment.first: segment for segment in segments}
    return [
        _logged(event, row, by_first) if row else None
        for event, row in zip(events, rows, strict=True)
    ]


def _logged(event: EventKey, row: Row, segments: dict[int, layout.Segment]) -> LoggedEvent:
    index, first = layout.place_of(row)
    segment = segments.get(first)
    if segment is None or not segment.first <= index < segment.end:
        return LoggedEvent(row.etag)
    payload = segment.entries[index - first]
    identity = event_of(payload)
    if identity is None:
        # A redaction came between the two reads.
        return LoggedEvent(row.etag, index)
    is_same = identity == (event.source, event.id)
    return LoggedEvent(row.etag, index, payload) if is_same else LoggedEvent(row.etag)


async def get_all(tables: Tables, partition: str, keys: Sequence[str]) -> Sequence[Row | None]:
    """Read the rows of a log with `keys`, at most 16 at the same time."""
    rows: list[Row | None] = []
    for start in range(0, len(keys), _READS_AT_ONCE):
        part = keys[start : start + _READS_AT_ONCE]
        rows += await _all([tables.get(layout.TABLE, partition, key) for key in part])
    return rows


async def _all[T](asked: Iterable[Awaitable[T]]) -> Sequence[T]:
    """Wait for every answer, then return the answers or raise the first error."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]
