"""Holding the rows of a log against each other: what was changed past this application, and where.

Each entry is there three times over: its bytes, the beginning of its leaf hash beside them, and its
part in the tiles and the head. Two that agree tell which is the third. Where all agree and history
was rewritten, the roots that were published before tell.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Final

from shared.accesslog.integrity.findings import Audit, Kind
from shared.accesslog.integrity.index_audit import IndexAudit
from shared.accesslog.storage import layout
from shared.merkle import HASH_SIZE, WIDTH, Edge, MerkleError, ProofError, Tile, leaf_hash
from shared.ports import Row, Tables

# So many indices are looked through by one query, as the rows come newest first.
_INDICES_AT_ONCE: Final = 4096
# A larger gap is not gone through: what says that the log goes on behind it is wrong.
_LARGEST_GAP: Final = 65_536
# Stands for the leaf hash of an entry that is not there.
_NOTHING: Final = bytes(HASH_SIZE)


class Auditor:
    """One audit of one log, from the edge `start` on."""

    def __init__(
        self,
        tables: Tables,
        partition: str,
        start: Edge,
        leaf: Callable[[int, bytes], bytes],
        records: IndexAudit,
        roots: Mapping[int, bytes],
    ) -> None:
        self._tables = tables
        self._partition = partition
        self._leaf = leaf
        self._records = records
        self._roots = {size: roots[size] for size in sorted(roots) if size >= start.size}
        self._audit = Audit(start)
        self._edge = start
        self._size = start.size
        # The largest size whose published root fits.
        self._fitting = 0
        # Entries whose leaf hash does not begin as its check says, and the rows they are in. Which
        # of the two was changed is known when the next hash above them is.
        self._suspects: dict[int, str] = {}

    async def run(self) -> Audit:
        """Look at everything."""
        head = await self._tables.get(layout.TABLE, self._partition, layout.HEAD)
        self._size = layout.size_of(head) or await self._size_by_rows()
        self._compare_roots()
        async for row in self._segments():
            await self._take(row)
        if self._size - self._edge.size <= _LARGEST_GAP:
            await self._miss(self._size)
            self._compare_head(head)
        else:
            self._audit.add("head-changed", self._edge.size, self._size, layout.HEAD)
        for index, name in self._suspects.items():
            self._audit.add("entry-changed", index, index + 1, name)
        self._compare_roots()
        await self._look_behind()
        await self._records.finish(self._audit)
        self._audit.edge = self._edge
        return self._audit

    async def _segments(self) -> AsyncIterator[Row]:
        """The rows with entries from the start up to the head's size, by their first index."""
        start = self._edge.size
        for first in range(start, self._size, _INDICES_AT_ONCE):
            end = min(first + _INDICES_AT_ONCE, self._size)
            newest, oldest = layout.keys_of_rows(first, end)
            if first == start:
                # The first of them may be in a segment that begins earlier.
                oldest = layout.segment_keys(first, end)[1]
            found = self._tables.between(layout.TABLE, self._partition, newest, oldest)
            for row in reversed([row async for row in found]):
                yield row
            if end - self._edge.size > _LARGEST_GAP:
                return

    async def _take(self, row: Row) -> None:
        try:
            segment = layout.segment_of(row)
        except ProofError:
            # What it held is then missing.
            if not layout.is_segment(row):
                self._audit.add("row-astray", self._edge.size, self._edge.size, row.row)
            return
        expected, start = self._edge.size, self._audit.edge.size
        if segment.end <= start:
            return
        if segment.first < expected != start or not segment.entries:
            self._audit.add("entries-inserted", segment.first, segment.end, row.row)
            return
        await self._miss(segment.first)
        # What has no check was not in the segment when it was appended.
        end = min(segment.first + segment.count, segment.end, self._size)
        if segment.end > end:
            self._audit.add("entries-inserted", end, segment.end, row.row)
        leaves = []
        for index in range(self._edge.size, end):
            offset = index - segment.first
            entry = segment.entries[offset]
            leaf = self._leaf_of(index, entry, row.row)
            if layout.checks_of([leaf]) != segment.check(offset):
                self._suspects[index] = row.row
            leaves.append(leaf)
            self._records.take(offset, entry)
        await self._grow(leaves)

    def _leaf_of(self, index: int, entry: bytes, name: str) -> bytes:
        try:
            return self._leaf(index, entry)
        except MerkleError:
            # A redaction that nobody signed is a changed entry, whatever the tree has.
            self._audit.add("entry-changed", index, index + 1, name)
            return leaf_hash(entry)

    async def _miss(self, end: int) -> None:
        """Go on at `end`; the entries up to there are not there."""
        first = self._edge.size
        if first >= end:
            return
        self._audit.add("entries-missing", first, end, layout.segment_key(first))
        for _ in range(first, end):
            self._records.take(0, None)
        await self._grow([_NOTHING] * (end - first))

    async def _grow(self, leaves: list[bytes]) -> None:
        """Add the leaves to the tree, stopping at the sizes of published roots."""
        while leaves:
            size = self._edge.size
            upto = min((known - size for known in self._roots if known > size), default=len(leaves))
            self._edge, full = self._edge.append(leaves[:upto])
            leaves = leaves[upto:]
            for tile, hashes in full:
                if tile.level:
                    await self._compare_tile(tile, hashes)
            self._compare_roots()

    def _compare_roots(self) -> None:
        """Compare with the root that was published for this size, and for what is cut off."""
        size = self._edge.size
        published = self._roots.pop(size, None)
        if published == self._edge.root():
            self._fitting = size
        elif published is not None:
            self._audit.add("root-differs", self._fitting, size, layout.HEAD)
        if size == self._size:
            for cut in [cut for cut in self._roots if cut > size]:
                del self._roots[cut]
                self._audit.add("root-differs", size, cut, layout.HEAD)

    async def _compare_tile(self, tile: Tile, computed: bytes) -> None:
        name = layout.tile_key(tile.level, tile.index)
        row = await self._tables.get(layout.TABLE, self._partition, name)
        kept = layout.hashes_of(row)
        self._compare("tile-changed", name, tile, kept, computed)

    async def _size_by_rows(self) -> int:
        """Up to where entries are kept, where no head says it."""
        keys = layout.keys_of_rows_from(0)
        async for row in self._tables.between(layout.TABLE, self._partition, *keys):
            with suppress(ProofError):
                return layout.segment_of(row).end
        return 0

    def _compare_head(self, head: Row | None) -> None:
        if head is None and not self._size:
            return
        try:
            kept = layout.edge_of(head) if head else Edge.empty()
            if kept.size != self._size:
                raise ProofError("The head is gone.")
        except ProofError:
            self._audit.add("head-changed", 0, self._size, layout.HEAD)
            return
        for level in reversed(range(len(kept.levels))):
            tile = Tile(level, self._size >> 8 * (level + 1))
            pair = kept.levels[level], self._edge.levels[level]
            self._compare("head-changed", layout.HEAD, tile, *pair)

    def _compare(self, kind: Kind, name: str, tile: Tile, kept: bytes, computed: bytes) -> None:
        """Say of each hash that differs which entries are to blame, or else what holds the hash."""
        for at in range(0, len(computed), HASH_SIZE):
            first = tile.index * WIDTH + at // HASH_SIZE << 8 * tile.level
            end = first + (1 << 8 * tile.level)
            fits = kept[at : at + HASH_SIZE] == computed[at : at + HASH_SIZE]
            suspects = [index for index in self._suspects if first <= index < end]
            for index in suspects:
                changed: Kind = "check-changed" if fits else "entry-changed"
                self._audit.add(changed, index, index + 1, self._suspects.pop(index))
            if not fits and not suspects and not self._audit.explains(first, end):
                self._audit.add(kind, first, end, name)

    async def _look_behind(self) -> None:
        """Whatever was inserted behind the end of the log, and not appended since."""
        keys = layout.keys_of_rows_from(self._size)
        found = self._tables.between(layout.TABLE, self._partition, *keys)
        rows = [row async for row in found]
        if rows:
            head = await self._tables.get(layout.TABLE, self._partition, layout.HEAD)
            for row in rows:
                if not layout.is_segment(row):
                    self._audit.add("row-astray", self._size, self._size, row.row)
                elif (index := layout.first_of(row)) >= layout.size_of(head):
                    self._audit.add("entries-inserted", index, index + 1, row.row)
        if not self._audit.edge.size:
            keys = layout.keys_of_rows_below()
            async for row in self._tables.between(layout.TABLE, self._partition, *keys):
                self._audit.add("row-astray", 0, 0, row.row)
