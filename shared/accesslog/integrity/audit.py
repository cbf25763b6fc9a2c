"""The audit of a log: compare the rows with each other, and find changes past this application.

The log has each entry three times: the payload, the first bytes of the leaf hash in the segment,
and the entry's part in tiles and head. If two of the three agree, the third was changed. If the
three agree and somebody rewrote the history, the roots published earlier differ.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from shared.accesslog.integrity.event_audit import EventAudit
from shared.accesslog.integrity.findings import Audit, FindingKind
from shared.accesslog.payloads import Leaf, stated_leaf
from shared.accesslog.storage import layout
from shared.accesslog.storage.event_secret import EventSecret, EventSecretError
from shared.accesslog.storage.store import LogStore
from shared.ids import key
from shared.merkle import HASH_SIZE, WIDTH, Edge, MerkleError, ProofError, Tile, leaf_hash
from shared.ports import Row, Tables

# One query covers this many indices, because rows come newest first.
_INDICES_AT_ONCE: Final = 4096
# The audit stops at a larger gap: the row that claims entries behind the gap is wrong.
_LARGEST_GAP: Final = 65_536
# The leaf hash in the place of an absent entry.
_NOTHING: Final = bytes(HASH_SIZE)


async def audit_log(
    tables: Tables,
    secret: EventSecret,
    tenant: str,
    from_size: int = 0,
    roots: Mapping[int, bytes] | None = None,
    *,
    leaf: Leaf = stated_leaf,
) -> Audit:
    """Compare every row of the entries from about `from_size` on with the further rows.

    `roots` are published roots by size, to which the entries must lead; roots below `from_size` are
    ignored. For entries before `from_size` the audit relies on the tiles. Only an audit from 0
    finds rows of events that lead to no entry. Entries appended meanwhile are left to the next
    audit. Raises LogDamagedError when the tiles before `from_size` cannot be read.
    """
    start = await LogStore(tables, secret, leaf=leaf).edge_at(tenant, from_size // WIDTH * WIDTH)
    partition = key(tenant)
    head = await tables.get(layout.TABLE, partition, layout.HEAD)
    try:
        hmac_key = (await secret.key(layout.hmac_key_of(head))).value
    except EventSecretError:
        hmac_key = None
    events = EventAudit(tables, partition, hmac_key, start.size)
    return await Auditor(tables, partition, start, partial(leaf, tenant), events, roots or {}).run()


class Auditor:
    """One audit of one log, from the right edge `start` on."""

    def __init__(
        self,
        tables: Tables,
        partition: str,
        start: Edge,
        leaf: Callable[[int, bytes], bytes],
        events: EventAudit,
        roots: Mapping[int, bytes],
    ) -> None:
        self._tables = tables
        self._partition = partition
        self._leaf = leaf
        self._events = events
        self._roots = {size: roots[size] for size in sorted(roots) if size >= start.size}
        self._audit = Audit(start)
        self._edge = start
        self._size = start.size
        # The largest size whose published root the entries lead to.
        self._fitting = 0
        # The indices of entries whose check does not match, and the RowKeys of their segments. The
        # hash above an entry tells later whether the entry or the check was changed.
        self._suspects: dict[int, str] = {}

    async def run(self) -> Audit:
        """Compare every row."""
        head = await self._tables.get(layout.TABLE, self._partition, layout.HEAD)
        self._size = layout.size_of(head) or await self._size_by_rows()
        self._compare_roots()
        async for row in self._segments():
            await self._add_segment(row)
        if self._size - self._edge.size <= _LARGEST_GAP:
            await self._add_absent(self._size)
            self._compare_head(head)
        else:
            self._audit.add("head-changed", self._edge.size, self._size, layout.HEAD)
        for index, name in self._suspects.items():
            self._audit.add("entry-changed", index, index + 1, name)
        self._compare_roots()
        await self._check_beyond_end()
        await self._events.finish(self._audit)
        self._audit.edge = self._edge
        return self._audit

    async def _segments(self) -> AsyncIterator[Row]:
        """Yield the rows with entries from the start up to the head's size, oldest first."""
        start = self._edge.size
        for first in range(start, self._size, _INDICES_AT_ONCE):
            end = min(first + _INDICES_AT_ONCE, self._size)
            newest, oldest = layout.keys_of_rows(first, end)
            if first == start:
                # The segment of the first entry may begin earlier.
                oldest = layout.segment_keys(first, end)[1]
            found = self._tables.between(layout.TABLE, self._partition, newest, oldest)
            for row in reversed([row async for row in found]):
                yield row
            if end - self._edge.size > _LARGEST_GAP:
                return

    async def _add_segment(self, row: Row) -> None:
        try:
            segment = layout.segment_of(row)
        except ProofError:
            # The entries of the row are then absent.
            if not layout.is_segment(row):
                self._audit.add("row-astray", self._edge.size, self._edge.size, row.row)
            return
        expected, start = self._edge.size, self._audit.edge.size
        if segment.end <= start:
            return
        if segment.first < expected != start or not segment.entries:
            self._audit.add("entries-inserted", segment.first, segment.end, row.row)
            return
        await self._add_absent(segment.first)
        # An entry without a check was added to the segment after the commit.
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
            self._events.add(offset, entry)
        await self._grow(leaves)

    def _leaf_of(self, index: int, entry: bytes, name: str) -> bytes:
        try:
            return self._leaf(index, entry)
        except MerkleError:
            # A redaction without a valid signature is a changed entry, whatever the tree has.
            self._audit.add("entry-changed", index, index + 1, name)
            return leaf_hash(entry)

    async def _add_absent(self, end: int) -> None:
        """Add the entries up to `end` as absent."""
        first = self._edge.size
        if first >= end:
            return
        self._audit.add("entries-missing", first, end, layout.segment_key(first))
        for _ in range(first, end):
            self._events.add(0, None)
        await self._grow([_NOTHING] * (end - first))

    async def _grow(self, leaves: list[bytes]) -> None:
        """Add the leaves to the tree, and compare at each size of a published root."""
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
        """Compare with the published root of this size, and with the roots beyond the end."""
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
        """Return the end of the newest segment, for a log without a readable head."""
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

    def _compare(
        self, kind: FindingKind, name: str, tile: Tile, kept: bytes, computed: bytes
    ) -> None:
        """Report the changed entries for each hash that differs, or else the row of the hash."""
        for at in range(0, len(computed), HASH_SIZE):
            first = tile.index * WIDTH + at // HASH_SIZE << 8 * tile.level
            end = first + (1 << 8 * tile.level)
            fits = kept[at : at + HASH_SIZE] == computed[at : at + HASH_SIZE]
            suspects = [index for index in self._suspects if first <= index < end]
            for index in suspects:
                changed: FindingKind = "check-changed" if fits else "entry-changed"
                self._audit.add(changed, index, index + 1, self._suspects.pop(index))
            if not fits and not suspects and not self._audit.explains(first, end):
                self._audit.add(kind, first, end, name)

    async def _check_beyond_end(self) -> None:
        """Report rows beyond the end of the log that no append has added meanwhile."""
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
