"""Which events are in a tenant's log, and where."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.accesslog import layout
from shared.accesslog.content import Identify
from shared.accesslog.damage import readable_segment
from shared.ports import Row, Tables

_READS_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Event:
    """An event to look for; `digest` is `layout.digest` of it."""

    source: str
    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Found:
    """Where an event's entry is, and its payload; None for a redacted one."""

    index: int
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Missing:
    """An event that is not in the log; `others` that are have the same digest."""

    others: int


class Events:
    """Looks events up by their rows, and tells those apart that share a digest by their entries.

    A row that leads to no entry, or to another event's, counts as another event's: the event is
    appended then rather than lost.
    """

    def __init__(self, tables: Tables, partition: str, identify: Identify) -> None:
        self._tables = tables
        self._partition = partition
        self._identify = identify

    async def find(self, events: Sequence[Event]) -> Sequence[Found | Missing]:
        """What is known of each event."""
        known: dict[Event, Found | Missing] = {}
        left = list(dict.fromkeys(events))
        others = 0
        while left:
            keys = [layout.id_key(event.digest, others) for event in left]
            rows = dict(zip(left, await get_all(self._tables, self._partition, keys), strict=True))
            places = {event: layout.place_of(row) for event, row in rows.items() if row}
            segments = await self._segments({first for _, first in places.values()})
            for event in left:
                if event not in places:
                    known[event] = Missing(others)
                elif found := self._look(event, *places[event], segments):
                    known[event] = found
            left = [event for event in left if event not in known]
            others += 1
        return [known[event] for event in events]

    def _look(
        self, event: Event, index: int, first: int, segments: dict[int, layout.Segment]
    ) -> Found | None:
        segment = segments.get(first)
        if segment is None or not segment.first <= index < segment.end:
            return None
        payload = segment.entries[index - first]
        identity = self._identify(payload)
        if identity is None:
            return Found(index, None)
        return Found(index, payload) if identity == (event.source, event.id) else None

    async def _segments(self, firsts: Iterable[int]) -> dict[int, layout.Segment]:
        keys = [layout.segment_key(first) for first in firsts]
        rows = await get_all(self._tables, self._partition, keys)
        segments = [readable_segment(row) for row in rows if row]
        return {segment.first: segment for segment in segments}


async def get_all(tables: Tables, partition: str, keys: Sequence[str]) -> Sequence[Row | None]:
    """The rows of a log with `keys`, some of them asked for at the same time."""
    rows: list[Row | None] = []
    for start in range(0, len(keys), _READS_AT_ONCE):
        part = keys[start : start + _READS_AT_ONCE]
        rows += await _all([tables.get(layout.TABLE, partition, key) for key in part])
    return rows


async def _all[T](asked: Iterable[Awaitable[T]]) -> Sequence[T]:
    """All answers, once each is there; raises the first error among them."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if not isinstance(answer, BaseException)]
