"""The index of a log's events: which of its records lie in which row. Pure.

A *record* is a digest of an event and the place of its entry. Records lie in the nodes of a tree
over the hexadecimal digits of the digests, a buffer tree (Arge, "The Buffer Tree: A New Technique
for Optimal I/O-Algorithms", 1995). New ones are put into the root, which is in the log's head. When
a node is full, all its records go down to its children, of which there is one for each next digit;
each gets its share as one new column, a *run*, merged into its row without reading it. So to append
costs the same however long the log is, and an event is found by reading the nodes of one path.

`below` counts the records that have gone down from a node. So what was read of its children holds
for as long as it has the same `below`, and the counts of all nodes must add up to the log's size.
"""

import hashlib
import re
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from shared.merkle import ProofError
from shared.ports import Row, Value

PREFIX: Final = "i|"
DIGITS: Final = "0123456789abcdef"
# The digits of a digest, so that no node has a longer name.
DEEPEST: Final = 16
DIGEST_BITS: Final = 64
# Big-endian, so that the digits of a digest are those of its bytes.
_RECORD: Final = struct.Struct(">QQ")
_HIGH_DIGITS: Final = bytes(byte >> 4 for byte in range(256))
_LOW_DIGITS: Final = bytes(byte & 0xF for byte in range(256))
# A column is at most 64 KiB.
_RUN_RECORDS: Final = 4096
# The place of an entry in its segment goes into the low bits of where it is.
_OFFSET_BITS: Final = 7
_KEY: Final = re.compile(r"i\|([0-9a-f]{1,16})", re.ASCII)
_RUN: Final = re.compile(r"r[0-9a-f]+_[0-9]+", re.ASCII)
_BELOW: Final = "below"
# More than any log has.
_UNKNOWN: Final = 1 << 56
_RECENT: Final = "recent"

# A digest of an event, and where its entry is as `place` has it.
type Record = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of a digest the index keeps, and how many records the root and a node may have.

    A node may have between `full` and twice as many, by its last digit, so that siblings, which
    fill alike, are not full at the same time; and so many `runs`, as a row has at most 252 columns.
    """

    digest_bits: int = DIGEST_BITS
    recent: int = 2048
    full: int = 8192
    runs: int = 200

    def digest(self, source: str, identifier: str) -> int:
        """The first bits of an event's digest; those that are not kept are 0."""
        whole = hashlib.sha256(f"{source}\n{identifier}".encode()).digest()
        kept = -1 << DIGEST_BITS - self.digest_bits
        return int.from_bytes(whole[: DIGEST_BITS // 8], "big") & kept

    def is_too_much(self, prefix: str, count: int, runs: int) -> bool:
        """Whether a node would have too many records; there is nothing below the deepest."""
        most = self.full + self.full * int(prefix[-1], 16) // len(DIGITS)
        return len(prefix) < DEEPEST and (count > most or runs > self.runs)


SHAPE: Final = Shape()


@dataclass(frozen=True, slots=True)
class Root:
    """The root of the index, as the log's head keeps it: its records, and how many are below."""

    records: bytes = b""
    below: int = 0

    @property
    def count(self) -> int:
        """How many records it has."""
        return count_of(self.records)

    def digests(self, first: int = 0) -> tuple[int, ...]:
        """The digests of its records from number `first` on; those that are added are the last."""
        return digests_of(self.records[first * _RECORD.size :])

    @property
    def columns(self) -> Mapping[str, Value]:
        """What the head's row has of it."""
        return {_BELOW: self.below} | ({_RECENT: self.records} if self.records else {})


@dataclass(frozen=True, slots=True)
class Node:
    """A node as its row was read: its runs by the names of their columns; empty without a row.

    Where it is not `sound`, somebody changed its row, and some of its records may be lost.
    """

    prefix: str
    runs: Mapping[str, bytes] = field(default_factory=dict)
    below: int = 0
    etag: str | None = None
    sound: bool = True

    @property
    def records(self) -> bytes:
        """All of its records."""
        return b"".join(self.runs.values())

    @property
    def since(self) -> int:
        """How many records its parent had below it, at least, when the newest run came to it."""
        return max((int(name[1:].split("_")[0], 16) + 1 for name in self.runs), default=0)

    @property
    def count(self) -> int:
        """How many records it has."""
        return sum(map(count_of, self.runs.values()))


def digits_of(digest: int) -> str:
    """The digits of a digest, by which its record goes down."""
    return f"{digest:016x}"


def place(index: int, first: int) -> int:
    """Where the entry `index` is, in the segment whose first entry is `first`."""
    return index << _OFFSET_BITS | index - first


def read_place(at: int) -> tuple[int, int]:
    """The index of an entry, and that of the first of its segment."""
    index, offset = at >> _OFFSET_BITS, at & (1 << _OFFSET_BITS) - 1
    return index, index - offset


def children_of(prefix: str) -> Sequence[str]:
    """The prefixes of a node's children."""
    return [f"{prefix}{digit}" for digit in DIGITS]


def count_of(column: bytes) -> int:
    """How many records a column has."""
    return len(column) // _RECORD.size


def packed(records: Iterable[Record]) -> bytes:
    """Records as a column has them."""
    numbers = [*chain.from_iterable(records)]
    return struct.pack(f">{len(numbers)}Q", *numbers)


def records_of(column: bytes) -> Iterator[Record]:
    """The records of a column."""
    return _RECORD.iter_unpack(column)


def digests_of(column: bytes) -> tuple[int, ...]:
    """The digests of the records of a column."""
    return struct.unpack(f">{len(column) // 8}Q", column)[::2]


def root_in(head: Row) -> Root:
    """The root that a head's row keeps. Raises ProofError when it cannot be read."""
    recent = head.values.get(_RECENT)
    records = b"" if recent is None else _records(recent)
    return Root(records, _count(head.values.get(_BELOW, 0)))


def root_of(head: Row, size: int) -> Root:
    """As `root_in`, of a log of `size`. Raises ProofError when the counts do not fit that, too."""
    root = root_in(head)
    if root.count + root.below != size:
        raise ProofError("The index of a log has one record of each entry.")
    return root


def node_key(prefix: str) -> str:
    """The RowKey of a node."""
    return f"{PREFIX}{prefix}"


def node_of(row: Row) -> Node:
    """The node that a row keeps. Raises ProofError for a row that has not the key of one.

    A run that cannot be read is left out. Where nobody can say how much is below, it counts as so
    much that it is looked for, but for the deepest nodes, which have nothing below them.
    """
    key = _KEY.fullmatch(row.row)
    if key is None:
        raise ProofError("The row has not the key of a node.")
    below, sound = _UNKNOWN, False
    with suppress(ProofError):
        below, sound = _count(row.values.get(_BELOW, 0)), True
    runs = {}
    for name, value in row.values.items():
        if name == _BELOW:
            continue
        try:
            if not _RUN.fullmatch(name):
                raise ProofError("The row has a column that no node has.")
            runs[name] = _records(value)
        except ProofError:
            sound = False
    if len(key[1]) == DEEPEST and below:
        below, sound = 0, False
    # A row is there only for what came to it.
    sound = sound and bool(runs or below)
    return Node(key[1], runs, below, row.etag, sound)


def emptied(partition: str, node: Node) -> Row:
    """The row of a node whose records have gone down."""
    below = node.below + node.count
    return Row(partition, node_key(node.prefix), {_BELOW: below}, node.etag)


def shares(prefix: str, records: bytes) -> Mapping[str, bytes]:
    """The records of a node as they go down, by the child that gets them."""
    at, is_low = divmod(len(prefix), 2)
    size = _RECORD.size
    digits = records[at::size].translate(_LOW_DIGITS if is_low else _HIGH_DIGITS)
    parts: defaultdict[int, bytearray] = defaultdict(bytearray)
    # Bytes are put together rather than numbers, of which there would be thousands to collect.
    for start, digit in zip(range(0, len(records), size), digits, strict=True):
        parts[digit] += records[start : start + size]
    return {f"{prefix}{digit:x}": bytes(part) for digit, part in parts.items()}


def runs_of(share: bytes, below: int) -> Mapping[str, bytes]:
    """What comes to a node, as columns, whose parent had `below` records below it till now."""
    size = _RUN_RECORDS * _RECORD.size
    return {
        f"r{below:x}_{start // size}": share[start : start + size]
        for start in range(0, len(share), size)
    }


def run_row(partition: str, prefix: str, share: bytes, below: int) -> Row:
    """As `runs_of`, to be merged into the row of the node."""
    return Row(partition, node_key(prefix), runs_of(share, below))


def _records(value: Value) -> bytes:
    if not isinstance(value, bytes) or not value or len(value) % _RECORD.size:
        raise ProofError("The column has no records.")
    return value


def _count(value: Value) -> int:
    if type(value) is not int or value < 0:
        raise ProofError("The column has no count.")
    return value
