"""What an instance knows of the indices of logs, so that it need not read them for each append.

A digest that is in an index stays there, wherever its record goes. So what was seen of a log's
digests is kept in one set, and of a node only until when its records are all among them.
"""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.accesslog.storage import nodes
from shared.accesslog.storage.nodes import Node, Root

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


@dataclass(frozen=True, slots=True)
class KnownNode:
    """All records of a node were seen, for as long as its parent has `until` records below it.

    `runs` has the number of records of each run that it had then.
    """

    until: int
    runs: Mapping[str, int] = field(default_factory=dict)
    below: int = 0

    @property
    def count(self) -> int:
        """How many records it had."""
        return sum(self.runs.values())


class KnownIndex:
    """What is known of one log's index: digests that are in it, and nodes by their prefix."""

    def __init__(self) -> None:
        self.digests = Digests()
        self.nodes: dict[str, KnownNode] = {}
        self._root = Root()

    def node(self, prefix: str, until: int) -> KnownNode | None:
        """A node, unless it may have got more records."""
        known = self.nodes.get(prefix)
        return known if known and known.until == until else None

    def saw_root(self, root: Root) -> None:
        """Know what is in a root.

        One that neither continues the newest that was seen, nor was read before it, is of a log
        whose tables were put back to what they were once: nothing is known of that.
        """
        newest = self._root
        if root.below != newest.below:
            if root.below == newest.below + newest.count:
                # What was seen has gone down, and nothing else.
                self.gone_down("", nodes.shares("", newest.records), newest.below)
            self.digests.update(root.digests())
        elif root.records.startswith(newest.records):
            self.digests.update(root.digests(newest.count))
        elif not newest.records.startswith(root.records):
            self.digests = Digests()
            self.nodes.clear()
            self.digests.update(root.digests())
            self._root = root
        if (root.below, root.count) > (newest.below, newest.count):
            self._root = root

    def saw_node(self, node: Node, until: int) -> None:
        """Know a node as it was read after its parent."""
        before = self.nodes.get(node.prefix)
        for name, run in node.runs.items():
            if before is None or name not in before.runs:
                self.digests.update(nodes.digests_of(run))
        runs = {name: nodes.count_of(run) for name, run in node.runs.items()}
        self.nodes[node.prefix] = KnownNode(until, runs, node.below)

    def gone_down(self, prefix: str, shares: Mapping[str, bytes], before: int) -> None:
        """Know the children of a node from which `shares` went down to the `before` below it."""
        after = before + sum(map(nodes.count_of, shares.values()))
        if not before:
            # None of them had anything before.
            self.nodes |= {child: KnownNode(0) for child in nodes.children_of(prefix)}
        for child in nodes.children_of(prefix):
            if known := self.node(child, before):
                more = nodes.runs_of(shares.get(child, b""), before)
                runs = {name: nodes.count_of(run) for name, run in more.items()}
                # They were seen in their parent, but perhaps not by who knows the child.
                for run in more.values():
                    self.digests.update(nodes.digests_of(run))
                self.nodes[child] = KnownNode(after, {**known.runs, **runs}, known.below)


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
