"""The access log in Table Storage: any number of instances append and read."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from shared.accesslog.payloads import Leaf, event_of, stated_leaf
from shared.accesslog.storage import layout
from shared.accesslog.storage.errors import LogDamagedError
from shared.accesslog.storage.event_secret import EventSecret, HmacKey
from shared.accesslog.storage.events import EventKey, find_events
from shared.accesslog.storage.group_commit import GroupCommit
from shared.accesslog.storage.head import load_head, require_appendable
from shared.accesslog.storage.pending import NewEntry
from shared.accesslog.storage.segments import Segments
from shared.compare_and_set import compare_and_set
from shared.errors import NotFoundError, RowConflictError, UnavailableError
from shared.ids import key
from shared.merkle import HASH_SIZE, WIDTH, Edge, Tile
from shared.ports import Delete, Operation, Replace, Tables

# The store remembers the heads of this many tenants.
_MAX_TENANTS: Final = 256


class LogStore:
    """Each tenant's entries and the Merkle tree over the entries.

    `secret` has the HMAC keys of the events' rows. `leaf` computes the leaf hash of a payload.
    """

    def __init__(self, tables: Tables, secret: EventSecret, *, leaf: Leaf = stated_leaf) -> None:
        self._tables = tables
        self._secret = secret
        self._leaf = leaf
        self._commits: dict[str, GroupCommit] = {}

    async def append(self, tenant: str, entries: Sequence[NewEntry]) -> Sequence[int]:
        """Append entries in order and return the indices; the entries are durable then.

        An event that the log has with the same content gets no second entry: the answer is the
        index of the first entry. An event with a redacted entry has no row, and therefore gets a
        new entry.

        Raises UnavailableError when storage did not confirm the commit, or the vault did not give
        the log's HMAC key: the same call again adds each missing entry once. Raises
        EventIdReusedError for events that the log has with different content, after adding every
        further entry of the call. Raises TooLargeError for an entry above 65,535 bytes, with
        nothing added. Raises LogDamagedError when another entry would cover up damage.
        """
        return await self._group_commit(key(tenant)).append(entries)

    async def require_appendable(self, tenant: str) -> None:
        """Raise LogDamagedError for a log that takes no entries, as `append` would."""
        await require_appendable(self._tables, key(tenant))

    async def head(self, tenant: str) -> Edge:
        """Return the right edge of the tree, with the log's size and root.

        Raises LogDamagedError for an unreadable head.
        """
        return (await load_head(self._tables, key(tenant))).edge

    async def find(self, tenant: str, source: str, identifier: str) -> int | None:
        """Return the index of an event's entry; None for an event that the log does not have.

        The answer is also None for an event with a redacted entry. Takes a point read of the head,
        of the event's row, and of the segment that the row leads to. Raises UnavailableError, and
        LogDamagedError for an unreadable head.
        """
        hmac_key = await self._hmac_key(tenant)
        event = EventKey.of(hmac_key.value, key(tenant), source, identifier)
        (logged,) = await find_events(self._tables, key(tenant), [event])
        return logged.index if logged else None

    async def read(
        self, tenant: str, first: int = 0, end: int | None = None
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Yield index and payload of the entries from `first` below `end`, in order.

        Stops at the log's end at the beginning of the reading. Raises LogDamagedError for a missing
        entry.
        """
        size = (await self.head(tenant)).size
        end = size if end is None else min(end, size)
        async for found in self._segments(tenant).forward(first, end):
            yield found

    async def read_back(
        self, tenant: str, before: int | None = None
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Yield index and payload of the entries below `before`, or of every entry, newest first.

        The payload of a missing entry is empty: a gap hides no further entry. Raises
        LogDamagedError at a gap of more than 65,536 entries.
        """
        size = (await self.head(tenant)).size
        before = size if before is None else min(before, size)
        async for found in self._segments(tenant).backward(before):
            yield found

    async def read_checked(
        self, tenant: str, end: int, first: int = 0
    ) -> AsyncIterator[tuple[int, bytes | None, bytes]]:
        """Yield index, payload and check of the entries from `first` below `end`, in order.

        A check has the first 8 bytes of the leaf hash. The payload of a missing entry, or of an
        entry in an unreadable row, is None.
        """
        async for found in self._segments(tenant).with_checks(first, end):
            yield found

    async def bundle(self, tenant: str, index: int, width: int = WIDTH) -> Sequence[bytes]:
        """Return the first `width` entries of a bundle of 256 entries (C2SP tlog-tiles).

        Raises NotFoundError when the log is shorter.
        """
        first = index * WIDTH
        if first + width > (await self.head(tenant)).size:
            raise _no_such_tile()
        return await self._segments(tenant).entries(first, first + width)

    async def tile(self, tenant: str, tile: Tile) -> bytes:
        """Return the hashes of a tile in order, 32 bytes each.

        Raises NotFoundError when the log is shorter.
        """
        edge = await self.head(tenant)
        if (tile.index * WIDTH + tile.width) << 8 * tile.level > edge.size:
            raise _no_such_tile()
        if edge.size >> 8 * (tile.level + 1) == tile.index:
            return edge.levels[tile.level][: tile.width * HASH_SIZE]
        if tile.level:
            return (await self._full_tile(key(tenant), tile))[: tile.width * HASH_SIZE]
        first = tile.index * WIDTH
        entries = await self._segments(tenant).entries(first, first + tile.width)
        return b"".join(self._leaf(tenant, at, entry) for at, entry in enumerate(entries, first))

    async def edge_at(self, tenant: str, size: int) -> Edge:
        """Return the right edge of the tree over the first `size` entries.

        A checkpoint of `size` signed the edge's root. Raises NotFoundError when the log is shorter.
        """
        levels = []
        for level in range(-(-size.bit_length() // 8)):
            index, width = divmod(size >> 8 * level, WIDTH)
            levels.append(await self.tile(tenant, Tile(level, index, width)) if width else b"")
        return Edge.of(size, levels)

    async def replace(self, tenant: str, index: int, payload: bytes) -> bytes:
        """Redact an entry: replace the payload by `payload`, a signed note.

        Returns the note that the log has: the note of an earlier redaction stays.

        The tree stays the same. One transaction replaces the segment and deletes the row of the
        event: no keyed hash of the event stays. As a consequence, the log does not recognise the
        event any more, and a later delivery of the event becomes a new entry with the content. A
        sender must not repeat an event with a redacted entry; the new entry can be redacted, too.
        Raises NotFoundError for an absent `index`, and UnavailableError.
        """
        hmac_key, partition = await self._hmac_key(tenant), key(tenant)

        async def attempt() -> bytes:
            segment = await self._segments(tenant).with_entry(index)
            entries = list(segment.entries)
            event = event_of(entries[index - segment.first])
            if event is None:
                return entries[index - segment.first]
            entries[index - segment.first] = payload
            changed = layout.Segment(segment.first, entries, segment.checks, segment.etag)
            operations: list[Operation] = [Replace(layout.segment_row(partition, changed))]
            name = EventKey.of(hmac_key.value, partition, *event).row
            row = await self._tables.get(layout.TABLE, partition, name)
            if row is not None and layout.place_of(row)[0] == index:
                operations.append(Delete(partition, name, row.etag))
            await self._tables.commit(layout.TABLE, operations)
            return payload

        try:
            return await compare_and_set(attempt)
        except RowConflictError as error:
            raise UnavailableError("storage") from error

    async def _hmac_key(self, tenant: str) -> HmacKey:
        head = await load_head(self._tables, key(tenant))
        return await self._secret.key(head.hmac_key)

    def _group_commit(self, partition: str) -> GroupCommit:
        """Return the tenant's group commit, and move the tenant to the end of the list."""
        found = self._commits.pop(partition, None)
        if found is None:
            found = GroupCommit(self._tables, partition, self._secret)
        self._commits[partition] = found
        if len(self._commits) > _MAX_TENANTS:
            idle = (name for name, one in self._commits.items() if one.is_idle)
            if (oldest := next(idle, partition)) != partition:
                del self._commits[oldest]
        return found

    def _segments(self, tenant: str) -> Segments:
        return Segments(self._tables, key(tenant))

    async def _full_tile(self, partition: str, tile: Tile) -> bytes:
        name = layout.tile_key(tile.level, tile.index)
        row = await self._tables.get(layout.TABLE, partition, name)
        hashes = layout.hashes_of(row)
        if len(hashes) != WIDTH * HASH_SIZE:
            raise LogDamagedError(tile.index << 8 * (tile.level + 1))
        return hashes


def _no_such_tile() -> NotFoundError:
    return NotFoundError(
        "log-tile-not-found",
        "The log has not grown so far.",
        "Ask for what the newest checkpoint covers.",
    )
