"""The index of a log's events in Table Storage: looked into, and kept in shape.

Records only go down, and a parent is read before its children. So who has read the head misses no
record of an entry that the log had then, whatever others do meanwhile: what had gone from the
parent by then is below it.
"""

import asyncio
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.accesslog import layout, nodes
from shared.accesslog.damage import LogDamagedError
from shared.accesslog.nodes import Node, Root, Shape
from shared.errors import RowConflictError
from shared.merkle import ProofError
from shared.ports import Merge, Operation, Replace, Row, Tables

_READS_AT_ONCE: Final = 16
# So many digests an instance keeps in memory, of 8 bytes each; other nodes it reads again.
_MOST_KNOWN: Final = 4_000_000


# What came to a node last is sorted in among its other digests when it is so much.
_MOST_FRESH: Final = 1024


@dataclass(frozen=True, slots=True)
class Known:
    """What an instance knows of a node, for as long as its parent has `until` records below it.

    Its digests are those in `digests`, in order, and those in `fresh`.
    """

    until: int
    digests: array[int]
    runs: int
    below: int
    fresh: frozenset[int] = frozenset()

    @property
    def count(self) -> int:
        """How many records it has, but for those that share a digest."""
        return len(self.digests) + len(self.fresh)

    def has(self, digest: int) -> bool:
        """Whether the node has a record of an event with this digest."""
        at = bisect_left(self.digests, digest)
        return digest in self.fresh or (at < len(self.digests) and self.digests[at] == digest)

    def with_run(self, until: int, run: bytes) -> "Known":
        """The node when it got one more run, none for an empty one."""
        if not run:
            return replace(self, until=until)
        digests, fresh = self.digests, self.fresh.union(nodes.digests_of(run))
        if len(fresh) > _MOST_FRESH:
            digests, fresh = array("Q", sorted([*digests, *fresh])), frozenset()
        return Known(until, digests, self.runs + 1, self.below, fresh)


_EMPTY: Final = Known(0, array("Q"), 0, 0)


class KnownNodes:
    """What an instance knows of the nodes of all logs, those that it read or changed last."""

    def __init__(self, most: int = _MOST_KNOWN) -> None:
        self._most = most
        self._known: dict[tuple[str, str], Known] = {}
        self._digests = 0

    def get(self, partition: str, prefix: str, until: int) -> Known | None:
        """The node, unless it may have got more records."""
        known = self._known.get((partition, prefix))
        return known if known is not None and known.until == until else None

    def put(self, partition: str, prefix: str, known: Known) -> None:
        """Keep what is known now."""
        self.forget(partition, prefix)
        self._known[partition, prefix] = known
        self._digests += known.count + 1
        while self._digests > self._most:
            self.forget(*next(iter(self._known)))

    def forget(self, partition: str, prefix: str) -> None:
        """Keep nothing of a node."""
        if known := self._known.pop((partition, prefix), None):
            self._digests -= known.count + 1


class Index:
    """The index of one log."""

    def __init__(self, tables: Tables, partition: str, known: KnownNodes, shape: Shape) -> None:
        self._tables = tables
        self._partition = partition
        self._known = known
        self._shape = shape

    async def among(self, root: Root, digests: Iterable[int]) -> Collection[int]:
        """Those of the digests of which the index has a record, without reading what is known.

        Raises LogDamagedError when a node cannot be read.
        """
        wanted = set(digests)
        found = wanted.intersection(nodes.digests_of(root.records))
        digits = {digest: nodes.digits_of(digest) for digest in wanted - found}
        # The digests that go on below a node, and how many records it has there.
        left: list[tuple[int, Iterable[int]]] = [(root.below, digits)]
        for depth in range(1, nodes.DEEPEST + 1):
            groups: defaultdict[str, list[int]] = defaultdict(list)
            until: dict[str, int] = {}
            for below, group in left:
                if below:
                    for digest in group:
                        groups[digits[digest][:depth]].append(digest)
                    until |= dict.fromkeys((digits[digest][:depth] for digest in group), below)
            if not groups:
                break
            known = await self._nodes(until)
            here = {
                digest
                for prefix, group in groups.items()
                for digest in group
                if known[prefix].has(digest)
            }
            found |= here
            left = [
                (known[prefix].below, [digest for digest in group if digest not in here])
                for prefix, group in groups.items()
            ]
        return found

    async def places(self, root: Root, digests: Iterable[int]) -> Mapping[int, Sequence[int]]:
        """The places of all records with these digests, as `nodes.place` has them, freshly read.

        Raises LogDamagedError when a node cannot be read.
        """
        places: dict[int, list[int]] = {digest: [] for digest in digests}
        _collect(places, root.records)
        left = [nodes.digits_of(digest) for digest in places]
        below = {"": root.below}
        for depth in range(1, nodes.DEEPEST + 1):
            left = [digits for digits in left if below[digits[: depth - 1]]]
            read = await self._read(sorted({digits[:depth] for digits in left}))
            for node in read:
                _collect(places, node.records)
            below = {node.prefix: node.below for node in read}
            if not left:
                break
        return places

    async def make_room(self, root: Root) -> None:
        """Let the records of full nodes go down, before those of the root do.

        Each node by a transaction of its own, under the ETag of its row: records go down together
        or not at all, and where another instance was first there is nothing left to do.
        """
        await self._make_room("", root.below)

    def gone_down(self, prefix: str, shares: Mapping[str, bytes], before: int) -> None:
        """Know the children of a node from which `shares` went down to the `before` below it."""
        after = before + sum(map(len, shares.values())) // nodes.RECORD_BYTES
        for child in _children(prefix):
            # None has anything before something went down for the first time.
            known = self._known.get(self._partition, child, before) if before else _EMPTY
            if known is not None:
                known = known.with_run(after, shares.get(child, b""))
                self._known.put(self._partition, child, known)

    async def _make_room(self, prefix: str, below: int) -> None:
        if not below:
            return
        children = await self._nodes(dict.fromkeys(_children(prefix), below))
        for child, known in children.items():
            if self._shape.is_full(child, known.count, known.runs):
                await self._make_room(child, known.below)
                await self._let_down(child, below)

    async def _let_down(self, prefix: str, until: int) -> None:
        (node,) = await self._read([prefix])
        if not node.records:
            # Another instance let them down.
            self._known.forget(self._partition, prefix)
            return
        shares = nodes.shares(prefix, node.records)
        operations: list[Operation] = [
            Replace(nodes.emptied(self._partition, node)),
            *(
                Merge(nodes.run_row(self._partition, child, share, node.below))
                for child, share in shares.items()
            ),
        ]
        self._known.forget(self._partition, prefix)
        try:
            await self._tables.commit(layout.TABLE, operations)
        except RowConflictError:
            return
        known = replace(_EMPTY, until=until, below=node.below + node.count)
        self._known.put(self._partition, prefix, known)
        self.gone_down(prefix, shares, node.below)

    async def _nodes(self, wanted: Mapping[str, int]) -> Mapping[str, Known]:
        """The nodes whose parents have so many records below them."""
        found = {
            prefix: self._known.get(self._partition, prefix, until)
            for prefix, until in wanted.items()
        }
        known = {prefix: node for prefix, node in found.items() if node}
        for node in await self._read([prefix for prefix in wanted if prefix not in known]):
            digests = array("Q", sorted(nodes.digests_of(node.records)))
            read = Known(wanted[node.prefix], digests, node.runs, node.below)
            known[node.prefix] = read
            self._known.put(self._partition, node.prefix, read)
        return known

    async def _read(self, prefixes: Sequence[str]) -> Sequence[Node]:
        keys = [nodes.node_key(prefix) for prefix in prefixes]
        rows = await get_all(self._tables, self._partition, keys)
        try:
            return [
                nodes.node_of(row) if row else Node(prefix)
                for prefix, row in zip(prefixes, rows, strict=True)
            ]
        except ProofError as error:
            raise LogDamagedError(0) from error


def _collect(places: Mapping[int, list[int]], column: bytes) -> None:
    for digest, at in nodes.records_of(column):
        if digest in places:
            places[digest].append(at)


def _children(prefix: str) -> Sequence[str]:
    return [f"{prefix}{digit}" for digit in nodes.DIGITS]


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
