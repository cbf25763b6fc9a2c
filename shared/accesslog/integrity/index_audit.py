"""Whether the index of events leads to each entry, to nothing else, and fits itself."""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from itertools import batched
from typing import Final

from shared.accesslog.integrity.findings import Audit
from shared.accesslog.storage import layout, nodes
from shared.accesslog.storage.content import Identify
from shared.accesslog.storage.index import Index
from shared.accesslog.storage.nodes import Root, Shape
from shared.merkle import ProofError
from shared.ports import Tables

_AT_ONCE: Final = 64
# What an entry is: one whose event is known; a redacted one, which can be of any event; or what is
# not there. None of the last is looked for.
_ENTRY, _REDACTED, _ABSENT = range(3)


class IndexAudit:
    """Takes the entries of a log in order; `finish` then holds the index to them.

    Reads all of it when the entries begin at 0, otherwise what leads to those that it took. Keeps
    11 bytes an entry.
    """

    def __init__(
        self,
        tables: Tables,
        partition: str,
        index: Index,
        identify: Identify,
        shape: Shape,
        start: int,
    ) -> None:
        self._tables = tables
        self._partition = partition
        self._index = index
        self._identify = identify
        self._shape = shape
        self._start = start
        self._digests = array("Q")
        self._offsets = bytearray()
        self._kinds = bytearray()
        self._seen = bytearray()

    def take(self, offset: int, entry: bytes | None) -> None:
        """The next entry, number `offset` of its segment; None for one that is not there."""
        identity = self._identify(entry) if entry is not None else None
        self._digests.append(self._shape.digest(*identity) if identity else 0)
        self._offsets.append(offset)
        self._kinds.append(_ABSENT if entry is None else _ENTRY if identity else _REDACTED)
        self._seen.append(entry is None)

    async def finish(self, audit: Audit) -> None:
        """Look at the index."""
        root = await self._root(audit)
        if not self._start:
            await self._read(audit, root or Root())
        elif root is not None:
            await self._ask(root)
        else:
            # Nobody can say which of them are missing; that the root is broken is told.
            return
        at = self._seen.find(0)
        while at >= 0:
            index = self._start + at
            audit.add("event-missing", index, index + 1, "")
            at = self._seen.find(0, at + 1)

    async def _root(self, audit: Audit) -> Root | None:
        """The root of now; None where it cannot be read."""
        head = await self._tables.get(layout.TABLE, self._partition, layout.HEAD)
        if head is None:
            # Who compares the head tells of it, and of a size that cannot be read.
            return None
        size, end = layout.size_of(head), self._start + len(self._digests)
        try:
            root = nodes.root_in(head)
        except ProofError:
            audit.add("index-changed", self._start, end, layout.HEAD)
            return None
        if size and root.count + root.below != size:
            audit.add("index-changed", self._start, end, layout.HEAD)
        return root

    async def _read(self, audit: Audit, root: Root) -> None:
        later = self._take_records(audit, "", layout.HEAD, root.records)
        below = {"": root.below}
        kept: defaultdict[str, int] = defaultdict(int)
        # A parent comes before its children, so that what goes down meanwhile is seen all the same.
        async for row in self._tables.scan(layout.TABLE, self._partition, prefix=nodes.PREFIX):
            try:
                node = nodes.node_of(row)
            except ProofError:
                audit.add("index-changed", 0, len(self._digests), row.row)
                continue
            above = node.prefix[:-1]
            if not node.sound or (
                node.since > below.get(above, 0) and node.since > (await self._below(above) or 0)
            ):
                audit.add("index-changed", 0, len(self._digests), row.row)
            later += self._take_records(audit, node.prefix, row.row, node.records)
            below[node.prefix] = node.below
            kept[above] += node.count + node.below
        for prefix in sorted(below.keys() | kept.keys()):
            if below.get(prefix, 0) != kept[prefix]:
                await self._compare_counts(audit, prefix)
        if later:
            head = await self._tables.get(layout.TABLE, self._partition, layout.HEAD)
            size = layout.size_of(head)
            for index, name in later:
                if index >= size:
                    audit.add("event-astray", size, size, name)

    def _take_records(
        self, audit: Audit, prefix: str, name: str, column: bytes
    ) -> list[tuple[int, str]]:
        """Hold records to the entries; returns those of entries that are not among these."""
        later = []
        for digest, at in nodes.records_of(column):
            index, first = nodes.read_place(at)
            if index >= len(self._digests):
                # Appended since, or leads nowhere.
                later.append((index, name))
            elif self._kinds[index] == _ABSENT:
                continue
            elif (
                not nodes.digits_of(digest).startswith(prefix)
                or (self._kinds[index] == _ENTRY and self._digests[index] != digest)
                or self._offsets[index] != index - first
            ):
                audit.add("event-astray", index, index + 1, name)
            else:
                self._seen[index] = True
        return later

    async def _compare_counts(self, audit: Audit, prefix: str) -> None:
        """Say of a node whose count of what is below is wrong, and is not just being changed."""
        while True:
            before = await self._below(prefix)
            children = await self._index.read(nodes.children_of(prefix))
            if await self._below(prefix) == before:
                break
        # Of a root that cannot be read it was told already.
        if before is not None and before != sum(child.count + child.below for child in children):
            name = nodes.node_key(prefix) if prefix else layout.HEAD
            audit.add("index-changed", 0, len(self._digests), name)

    async def _below(self, prefix: str) -> int | None:
        if prefix:
            (node,) = await self._index.read([prefix])
            return node.below
        head = await self._tables.get(layout.TABLE, self._partition, layout.HEAD)
        try:
            return nodes.root_of(head, layout.size_of(head)).below if head else 0
        except ProofError:
            return None

    async def _ask(self, root: Root) -> None:
        """Ask for the record of each entry, those that share a node together.

        A redacted one cannot say which event it is of.
        """
        wanted = []
        for at, kind in enumerate(self._kinds):
            if kind == _REDACTED:
                self._seen[at] = True
            elif kind == _ENTRY:
                wanted.append(at)
        wanted.sort(key=self._digests.__getitem__)
        for part in batched(wanted, _AT_ONCE, strict=False):
            await self._look_for(root, part)

    async def _look_for(self, root: Root, part: Sequence[int]) -> None:
        left = {self._digests[at] for at in part}
        async for places in self._index.levels(root, left):
            for at in part:
                index = self._start + at
                place = nodes.place(index, index - self._offsets[at])
                if place in places.get(self._digests[at], ()):
                    self._seen[at] = True
            left.intersection_update(self._digests[at] for at in part if not self._seen[at])
