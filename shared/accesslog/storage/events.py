"""Which events are in a tenant's log, and where."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.accesslog.storage import layout
from shared.accesslog.storage.content import Identify
from shared.accesslog.storage.damage import readable_segment
from shared.accesslog.storage.index import Index, get_all
from shared.accesslog.storage.nodes import Root, read_place
from shared.ports import Tables


@dataclass(frozen=True, slots=True)
class Event:
    """An event to look for; `digest` is `Shape.digest` of it."""

    source: str
    id: str
    digest: int


@dataclass(frozen=True, slots=True)
class Found:
    """Where an event's entry is, and its payload; None for a redacted one."""

    index: int
    payload: bytes | None


class Events:
    """Looks events up in the index, and tells those apart that share a digest by their entries.

    A record that leads to no entry, or to another event's, counts as another event's: the event is
    appended then rather than lost.
    """

    def __init__(self, tables: Tables, partition: str, identify: Identify, index: Index) -> None:
        self._tables = tables
        self._partition = partition
        self._identify = identify
        self._index = index

    async def find(self, root: Root, events: Sequence[Event]) -> Sequence[Found | None]:
        """Where each event is in the log whose index has this root, or None.

        Raises LogDamagedError when one of their segments cannot be read.
        """
        likely = set(await self._index.among(root, [event.digest for event in events]))
        left = [event for event in dict.fromkeys(events) if event.digest in likely]
        found: dict[Event, Found] = {}
        if left:
            async for places in self._index.levels(root, likely):
                found |= await self._found(left, places)
                left = [event for event in left if event not in found]
                likely.intersection_update([event.digest for event in left])
        return [found.get(event) for event in events]

    async def _found(
        self, events: Iterable[Event], places: Mapping[int, Sequence[int]]
    ) -> Mapping[Event, Found]:
        """Those of the events whose entries are at the places of their digests."""
        where = {digest: [read_place(at) for at in found] for digest, found in places.items()}
        segments = await self._segments({first for found in where.values() for _, first in found})
        looked = {
            event: self._look(event, where.get(event.digest, ()), segments) for event in events
        }
        return {event: found for event, found in looked.items() if found}

    def _look(
        self,
        event: Event,
        places: Iterable[tuple[int, int]],
        segments: dict[int, layout.Segment],
    ) -> Found | None:
        for index, first in places:
            segment = segments.get(first)
            if segment is None or not segment.first <= index < segment.end:
                continue
            payload = segment.entries[index - first]
            identity = self._identify(payload)
            if identity is None:
                return Found(index, None)
            if identity == (event.source, event.id):
                return Found(index, payload)
        return None

    async def _segments(self, firsts: Iterable[int]) -> dict[int, layout.Segment]:
        keys = [layout.segment_key(first) for first in firsts]
        rows = await get_all(self._tables, self._partition, keys)
        segments = [readable_segment(row) for row in rows if row]
        return {segment.first: segment for segment in segments}
