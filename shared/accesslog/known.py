"""What an instance knows of the indices of logs, so that it need not read them for each append.

A digest that is in an index stays there, wherever its record goes. So what was seen of a log's
digests is kept in one set, and of a node only until when its records are all among them.
"""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from shared.accesslog import nodes
from shared.accesslog.nodes import Node, Root

# So many digests are kept, of 8 bytes each, of the logs that were used last: 128 MB at most.
_MOST_DIGESTS: Final = 16_000_000
_MOST_INDICES: Final = 256
_PART: Final = 256


class Digests:
    """A set of 64-bit numbers, spread evenly, that takes little more than 8 bytes for each.

    They lie in order in parts, by their first bits; there are twice as many parts when one has more
    than `part` of them on average. Python's own set takes some 70 bytes for each.
    """

    def __init__(self, part: int = _PART) -> None:
        self.parts = [array("Q")]
        self._part = part
        self._shift = 64
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, digest: int) -> bool:
        part = self.parts[digest >> self._shift]
        at = bisect_left(part, digest)
        return at < len(part) and part[at] == digest

    def update(self, digests: Iterable[int]) -> None:
        """Add numbers; those that are there already are left."""
        for digest in digests:
            part = self.parts[digest >> self._shift]
            at = bisect_left(part, digest)
            if at == len(part) or part[at] != digest:
                part.insert(at, digest)
                self._count += 1
                if self._count > self._part * len(self.parts):
                    self._split()

    def _split(self) -> None:
        self._shift -= 1
        parts = []
        for number, part in enumerate(self.parts):
            at = bisect_left(part, (2 * number + 1) << self._shift)
            parts += [part[:at], part[at:]]
        self.parts = parts


@dataclass(slots=True)
class KnownNode:
    """All records of a node were seen, for as long as its parent has `until` records below it."""

    until: int
    count: int = 0
    runs: int = 0
    below: int = 0


class KnownIndex:
    """What is known of one log's index: digests that are in it, and nodes by their prefix."""

    def __init__(self) -> None:
        self.digests = Digests()
        self.nodes: dict[str, KnownNode] = {}
        # How many records were below the root that was seen last, and how many it had.
        self._root = (0, 0)

    def has_all(self, root: Root) -> bool:
        """Whether every digest of the index with this root is known, as there are so many."""
        return len(self.digests) == root.count + root.below

    def node(self, prefix: str, until: int) -> KnownNode | None:
        """A node, unless it may have got more records."""
        known = self.nodes.get(prefix)
        return known if known and known.until == until else None

    def saw_root(self, root: Root) -> None:
        """Know what is in a root, to which records are added at the end."""
        below, count = self._root
        self.digests.update(root.digests(count if root.below == below else 0))
        self._root = root.below, root.count

    def saw_node(self, node: Node, until: int) -> None:
        """Know a node as it was read after its parent."""
        known = KnownNode(until, node.count, node.runs, node.below)
        before = self.nodes.get(node.prefix)
        if before is None or replace(before, until=until) != known:
            self.digests.update(nodes.digests_of(node.records))
        self.nodes[node.prefix] = known

    def gone_down(self, prefix: str, shares: Mapping[str, bytes], before: int) -> None:
        """Know the children of a node from which `shares` went down to the `before` below it."""
        counts = {child: nodes.count_of(share) for child, share in shares.items()}
        after = before + sum(counts.values())
        if not before:
            # None of them had anything before.
            self.nodes |= {child: KnownNode(0) for child in nodes.children_of(prefix)}
            for share in shares.values():
                self.digests.update(nodes.digests_of(share))
        for child in nodes.children_of(prefix):
            if known := self.node(child, before):
                more = counts.get(child, 0)
                self.nodes[child] = KnownNode(
                    after, known.count + more, known.runs + bool(more), known.below
                )


class KnownIndices:
    """What is known of the logs that were used last: of so many, and so many digests of all."""

    def __init__(self, most_digests: int = _MOST_DIGESTS, most: int = _MOST_INDICES) -> None:
        self._most_digests = most_digests
        self._most = most
        self._known: OrderedDict[str, KnownIndex] = OrderedDict()

    def of(self, partition: str) -> KnownIndex:
        """What is known of a log, which is then the one used last."""
        self._known.setdefault(partition, KnownIndex())
        self._known.move_to_end(partition)
        while len(self._known) > self._most or self._digests() > self._most_digests:
            self._known.popitem(last=False)
        return self._known.setdefault(partition, KnownIndex())

    def _digests(self) -> int:
        return sum(len(known.digests) for known in self._known.values())
