"""The index of a log's events in Table Storage: looked into, and kept in shape.

Records only go down, and a parent is read before its children. So who has read the head misses no
record of an entry that the log had then, whatever others do meanwhile: what had gone from the
parent by then is below it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Mapping, Sequence
from typing import Final

from shared.accesslog.storage import layout, nodes
from shared.accesslog.storage.known import KnownIndex, KnownIndices, KnownNode
from shared.accesslog.storage.nodes import Node, Root, Shape
from shared.errors import RowConflictError
from shared.ports import Merge, Operation, Replace, Row, Tables

_READS_AT_ONCE: Final = 16


class Index:
    """The index of one log."""

    def __init__(self, tables: Tables, partition: str, known: KnownIndices, shape: Shape) -> None:
        self._tables = tables
        self._partition = partition
        self._known = known
        self._shape = shape

    async def among(self, root: Root, digests: Iterable[int]) -> Collection[int]:
        """Those of the digests of which the index may have a record; there is none of the others.

        Reads what is not known of the index.
        """
        known = self._known.of(self._partition)
        known.saw_root(root)
        digests = set(digests)
        found = {digest for digest in digests if digest in known.digests}
        left = digests - found
        while left:
            unread: dict[str, int] = {}
            waiting = set()
            for digest in left:
                digits, depth, below = nodes.digits_of(digest), 1, root.below
                while below:
                    prefix = digits[:depth]
                    node = known.node(prefix, below)
                    if node is None:
                        unread[prefix] = below
                        waiting.add(digest)
                        break
                    below, depth = node.below, depth + 1
            for read in await self.read([*unread]):
                known.saw_node(read, unread[read.prefix])
            here = {digest for digest in waiting if digest in known.digests}
            found |= here
            left = waiting - here
        return found

    async def levels(self, root: Root, digests: set[int]) -> AsyncIterator[Mapping[int, list[int]]]:
        """The places of the records with these digests, from the root down, freshly read.

        Each as `nodes.place` has it. What is taken out of `digests` meanwhile is looked for no
        further.
        """
        columns = [root.records]
        below = {"": root.below}
        depth = 0
        while columns:
            places: defaultdict[int, list[int]] = defaultdict(list)
            for column in columns:
                for digest, at in nodes.records_of(column):
                    if digest in digests:
                        places[digest].append(at)
            yield places
            depth += 1
            wanted = {nodes.digits_of(digest)[:depth] for digest in digests}
            read = await self.read(sorted(one for one in wanted if below.get(one[:-1])))
            columns = [node.records for node in read]
            below = {node.prefix: node.below for node in read}

    async def make_room(self, root: Root) -> None:
        """Let the records of those nodes go down that would have too many with those of the root.

        Each node by a transaction of its own, under the ETag of its row: records go down together
        or not at all, and where another instance was first there is nothing left to do.
        """
        shares = nodes.shares("", root.records)
        await self._make_room(self._known.of(self._partition), root.below, shares)

    async def _make_room(self, known: KnownIndex, below: int, shares: Mapping[str, bytes]) -> None:
        """Make it in the children that get `shares` from a node with so many records below it."""
        if not below:
            return
        unread = [child for child in shares if known.node(child, below) is None]
        for read in await self.read(unread):
            known.saw_node(read, below)
        for child, share in shares.items():
            node = known.nodes.get(child, KnownNode(below))
            count = node.count + nodes.count_of(share)
            if self._shape.is_too_much(child, count, len(node.runs) + 1):
                await self._let_down(known, child, below)

    async def _let_down(self, known: KnownIndex, prefix: str, until: int) -> None:
        (node,) = await self.read([prefix])
        known.saw_node(node, until)
        if not node.runs:
            # Another instance let them down.
            return
        shares = nodes.shares(prefix, node.records)
        await self._make_room(known, node.below, shares)
        operations: list[Operation] = [
            Replace(nodes.emptied(self._partition, node)),
            *(
                Merge(nodes.run_row(self._partition, child, share, node.below))
                for child, share in shares.items()
            ),
        ]
        try:
            await self._tables.commit(layout.TABLE, operations)
        except RowConflictError:
            return
        known.nodes[prefix] = KnownNode(until, {}, node.below + node.count)
        known.gone_down(prefix, shares, node.below)

    async def read(self, prefixes: Sequence[str]) -> Sequence[Node]:
        """The nodes as they are in storage."""
        keys = [nodes.node_key(prefix) for prefix in prefixes]
        rows = await get_all(self._tables, self._partition, keys)
        return [
            nodes.node_of(row) if row else Node(prefix)
            for prefix, row in zip(prefixes, rows, strict=True)
        ]


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
