"""The access log in Table Storage: appended to by any number of instances, read in any order."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Final

from shared.accesslog.integrity.audit import Auditor
from shared.accesslog.integrity.findings import Audit
from shared.accesslog.integrity.index_audit import IndexAudit
from shared.accesslog.storage import layout
from shared.accesslog.storage.content import Identify, Leaf, Same, identify_json, plain_leaf
from shared.accesslog.storage.damage import LogDamagedError, readable_segment
from shared.accesslog.storage.events import Event, Events
from shared.accesslog.storage.group_commit import (
    GroupCommit,
    load_edge,
    load_head,
    require_appendable,
)
from shared.accesslog.storage.index import Index
from shared.accesslog.storage.known import KnownIndices
from shared.accesslog.storage.nodes import SHAPE, Shape
from shared.accesslog.storage.pending import NewEntry
from shared.errors import NotFoundError, RowConflictError, UnavailableError
from shared.ids import key
from shared.merkle import HASH_SIZE, WIDTH, Edge, ProofError, Tile
from shared.ports import Replace, Tables

# So many entries are read at once, more where they are small: memory stays flat.
_FEWEST_AT_ONCE: Final = 256
_MOST_AT_ONCE: Final = 16_384
_BYTES_AT_ONCE: Final = 1 << 20
_ROWS_AT_ONCE: Final = 64
# Appenders are kept for so many tenants, with the heads that they know.
_MOST_APPENDERS: Final = 256
_MOST_TRIES: Final = 10
_LARGEST_HOLE: Final = 65_536


class LogStore:
    """Each tenant's entries and the Merkle tree over them.

    `identify` tells of which event an entry is, `same` whether two payloads of one event have the
    same content, `leaf` the leaf hash of an entry as it is kept. `shape` is that of the index.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        identify: Identify = identify_json,
        same: Same = bytes.__eq__,
        leaf: Leaf = plain_leaf,
        shape: Shape = SHAPE,
    ) -> None:
        self._tables = tables
        self._identify = identify
        self._same = same
        self._leaf = leaf
        self._shape = shape
        self._known = KnownIndices()
        self._appenders: dict[str, GroupCommit] = {}

    async def append(self, tenant: str, entries: Sequence[NewEntry]) -> Sequence[int]:
        """Add entries in their order and return their indices; they are durable then.

        An event that is in the log with the same content is not added again: the answer is where
        it is. Raises UnavailableError when storage could not confirm them; the same call again
        adds what is missing and nothing twice. Raises EventIdReusedError for events that are in
        the log with other content, after all others of the call were added; TooLargeError for an
        entry above 65,535 bytes, with nothing added; LogDamagedError when the log cannot be added
        to without covering up damage.
        """
        return await self._appender(key(tenant)).append(entries)

    async def require_appendable(self, tenant: str) -> None:
        """Raise LogDamagedError for a log that takes no entries, as `append` would."""
        await require_appendable(self._tables, key(tenant))

    async def head(self, tenant: str) -> Edge:
        """The right edge of the tree: its size, its root, and what it takes to append to it."""
        return await load_edge(self._tables, key(tenant))

    async def find(self, tenant: str, source: str, identifier: str) -> int | None:
        """Where the entry of an event is, or None. Raises LogDamagedError for a broken index."""
        head = await load_head(self._tables, key(tenant))
        digest = self._shape.digest(source, identifier)
        events = self._events(key(tenant), self._index(key(tenant)))
        (known,) = await events.find(head.root, [Event(source, identifier, digest)])
        return known.index if known else None

    async def read(
        self, tenant: str, first: int = 0, end: int | None = None
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Index and payload of the entries from `first` up to but without `end`, in order.

        It ends where the log ended when it began. Raises LogDamagedError when an entry is missing.
        """
        size = (await self.head(tenant)).size
        end = size if end is None else min(end, size)
        width = _FEWEST_AT_ONCE
        while first < end:
            entries = await self._range(key(tenant), first, min(end, first + width))
            for index, entry in enumerate(entries, first):
                yield index, entry
            first += len(entries)
            is_small = sum(map(len, entries)) < _BYTES_AT_ONCE
            width = min(2 * width, _MOST_AT_ONCE) if is_small else max(width // 2, _FEWEST_AT_ONCE)

    async def read_back(
        self, tenant: str, before: int | None = None
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Index and payload of the entries below `before`, or of all, newest first.

        The payload of one that is missing is empty, so that a hole hides nothing else. Raises
        LogDamagedError at a hole of more than 65,536 entries.
        """
        size = (await self.head(tenant)).size
        before = size if before is None else min(before, size)
        if before <= 0:
            return
        newest, oldest = layout.segment_key(before - 1), layout.segment_key(0)
        rows = self._tables.between(layout.TABLE, key(tenant), newest, oldest, size=_ROWS_AT_ONCE)
        async for row in rows:
            try:
                segment = layout.segment_of(row)
            except ProofError:
                continue
            for index in _hole(segment.end, before):
                yield index, b""
            before = min(before, segment.end)
            for index in range(before - 1, segment.first - 1, -1):
                yield index, segment.entries[index - segment.first]
            before = min(before, segment.first)
        for index in _hole(0, before):
            yield index, b""

    async def read_checked(
        self, tenant: str, end: int, first: int = 0
    ) -> AsyncIterator[tuple[int, bytes | None, bytes]]:
        """Index, payload and what is kept of the leaf hash of the entries up to `end`, in order.

        The payload of one that is missing, or whose row cannot be read, is None.
        """
        index, width = first, _FEWEST_AT_ONCE
        while index < end:
            upto, size = min(end, index + width), 0
            keys = layout.segment_keys(index, upto)
            found = self._tables.between(layout.TABLE, key(tenant), *keys)
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
            is_small = size < _BYTES_AT_ONCE
            width = min(2 * width, _MOST_AT_ONCE) if is_small else max(width // 2, _FEWEST_AT_ONCE)

    async def bundle(self, tenant: str, index: int, width: int = WIDTH) -> Sequence[bytes]:
        """The first `width` entries of the bundle `index` of 256, as C2SP tlog-tiles counts them.

        Raises NotFoundError when the log has not grown so far.
        """
        first = index * WIDTH
        if first + width > (await self.head(tenant)).size:
            raise _no_such_tile()
        return await self._range(key(tenant), first, first + width)

    async def tile(self, tenant: str, tile: Tile) -> bytes:
        """The hashes of a tile, one after another, 32 bytes each.

        Raises NotFoundError when the log has not grown so far.
        """
        edge = await self.head(tenant)
        if (tile.index * WIDTH + tile.width) << 8 * tile.level > edge.size:
            raise _no_such_tile()
        if edge.size >> 8 * (tile.level + 1) == tile.index:
            return edge.levels[tile.level][: tile.width * HASH_SIZE]
        if tile.level:
            return (await self._full_tile(key(tenant), tile))[: tile.width * HASH_SIZE]
        first = tile.index * WIDTH
        entries = await self._range(key(tenant), first, first + tile.width)
        return b"".join(self._leaf(tenant, at, entry) for at, entry in enumerate(entries, first))

    async def edge_at(self, tenant: str, size: int) -> Edge:
        """The right edge when the log had `size` entries: what a checkpoint of then signed.

        Raises NotFoundError when the log has not grown so far.
        """
        levels = []
        for level in range(-(-size.bit_length() // 8)):
            index, width = divmod(size >> 8 * level, WIDTH)
            levels.append(await self.tile(tenant, Tile(level, index, width)) if width else b"")
        return Edge.of(size, levels)

    async def replace(self, tenant: str, index: int, payload: bytes) -> None:
        """Put `payload` in the place of an entry, for a redaction; the tree stays as it is.

        Raises NotFoundError when there is no such entry.
        """
        for _ in range(_MOST_TRIES):
            segment = await self._segment(key(tenant), index)
            entries = list(segment.entries)
            entries[index - segment.first] = payload
            changed = layout.Segment(segment.first, entries, segment.checks, segment.etag)
            row = layout.segment_row(key(tenant), changed)
            try:
                await self._tables.commit(layout.TABLE, [Replace(row)])
            except RowConflictError:
                continue
            return
        raise UnavailableError("storage")

    async def audit(
        self, tenant: str, from_size: int = 0, roots: Mapping[int, bytes] | None = None
    ) -> Audit:
        """Hold all rows of the entries from about `from_size` on against each other.

        `roots` are published ones by size, which the entries must lead to; those below `from_size`
        are passed over. From 0, records of the index that lead nowhere are found too. Entries
        before `from_size` are taken for what the tiles say of them. What is appended meanwhile is
        left for the next audit. Raises LogDamagedError when the tiles before `from_size` are
        broken.
        """
        start = await self.edge_at(tenant, from_size // WIDTH * WIDTH)
        leaf = partial(self._leaf, tenant)
        partition, index = key(tenant), self._index(key(tenant))
        records = IndexAudit(
            self._tables, partition, index, self._identify, self._shape, start.size
        )
        return await Auditor(self._tables, partition, start, leaf, records, roots or {}).run()

    def _appender(self, partition: str) -> GroupCommit:
        """The tenant's appender, which is then the one used last."""
        appender = self._appenders.pop(partition, None)
        if appender is None:
            index = self._index(partition)
            events = self._events(partition, index)
            appender = GroupCommit(self._tables, partition, index, events, self._same, self._shape)
        self._appenders[partition] = appender
        if len(self._appenders) > _MOST_APPENDERS:
            idle = (name for name, kept in self._appenders.items() if kept.is_idle)
            if (oldest := next(idle, partition)) != partition:
                del self._appenders[oldest]
        return appender

    def _index(self, partition: str) -> Index:
        return Index(self._tables, partition, self._known, self._shape)

    def _events(self, partition: str, index: Index) -> Events:
        return Events(self._tables, partition, self._identify, index)

    async def _range(self, partition: str, first: int, end: int) -> Sequence[bytes]:
        """The entries from `first` up to `end`; raises LogDamagedError when one is missing."""
        keys = layout.segment_keys(first, end)
        found = self._tables.between(layout.TABLE, partition, *keys)
        # What is none of a segment stands in nobody's way: the integrity watch tells of it.
        rows = [row async for row in found if layout.is_segment(row)]
        entries: list[bytes] = []
        for row in reversed(rows):
            try:
                segment = layout.segment_of(row)
            except ValueError:
                # Before `first` it does no harm; what it held of these entries is missing.
                continue
            expected = first + len(entries)
            if segment.first > expected:
                break
            entries += segment.entries[expected - segment.first : end - segment.first]
        if len(entries) < end - first:
            raise LogDamagedError(first + len(entries))
        return entries

    async def _segment(self, partition: str, index: int) -> layout.Segment:
        keys = layout.segment_keys(index, index + 1)
        async for row in self._tables.between(layout.TABLE, partition, *keys):
            if not layout.is_segment(row):
                continue
            segment = readable_segment(row)
            if segment.first <= index < segment.end:
                return segment
        raise NotFoundError(
            "log-entry-not-found",
            "The log has no entry with this index.",
            "Use the index of an entry that the log has.",
        )

    async def _full_tile(self, partition: str, tile: Tile) -> bytes:
        name = layout.tile_key(tile.level, tile.index)
        row = await self._tables.get(layout.TABLE, partition, name)
        hashes = layout.hashes_of(row)
        if len(hashes) != WIDTH * HASH_SIZE:
            raise LogDamagedError(tile.index << 8 * (tile.level + 1))
        return hashes


def _hole(first: int, end: int) -> range:
    """The indices from `end` down to `first`, none where there are none; none has an entry."""
    if end - first > _LARGEST_HOLE:
        # What says that the log goes on behind it is wrong.
        raise LogDamagedError(first)
    return range(end - 1, first - 1, -1)


def _no_such_tile() -> NotFoundError:
    return NotFoundError(
        "log-tile-not-found",
        "The log has not grown so far.",
        "Ask for what the newest checkpoint covers.",
    )
