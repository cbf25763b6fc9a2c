"""How a tenant's log lies in Table Storage: keys and columns. Pure.

One partition a tenant, so that one entity-group transaction can hold all that an append changes:

- `head`: the size, and in `edge0`, `edge1`, ... the partial tile of each level. Every append
  replaces it under its ETag, which serialises all appenders.
- `s|{inverted index}`: a *segment*, the entries that one commit appended, as a C2SP entry bundle
  cut into binary columns `e0`, `e1`, ... A key counts down from the index of the first entry, so
  that the newest come first. `checks` has the first bytes of each leaf hash: they only tell which
  entry of a segment was changed, the tree tells that one was.
- `t|{level}|{index}`: a full tile of level 1 or above. Full tiles of level 0 are computed from
  their 256 entries, which saves 32 bytes an entry; partial tiles are in `head`.
- `i|{digits}`: a node of the index of events, which tells where the entry of each is; see `nodes`.
  Its root is in the head, so that the same event cannot be appended twice.

Source of the limits: "Understanding the Table service data model" and "Performing entity group
transactions", learn.microsoft.com.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.merkle import Edge, ProofError, Tile, decode_bundle, encode_bundle
from shared.ports import Row, Value

TABLE: Final = "accesslog"
HEAD: Final = "head"
# So many entries are one segment at most.
GROUP_ENTRIES: Final = 93
# An entity is at most 1 MiB and a transaction 4 MiB, of which base64 takes its share.
GROUP_BYTES: Final = 700_000
_COLUMN_BYTES: Final = 65_536
_CHECK_BYTES: Final = 8
_LAST: Final = (1 << 48) - 1
_SEGMENT: Final = re.compile(r"s\|[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Segment:
    """The entries that one commit appended; `checks` are the beginnings of their leaf hashes."""

    first: int
    entries: Sequence[bytes]
    checks: bytes
    etag: str | None = None

    @property
    def count(self) -> int:
        """How many entries it had when it was appended."""
        return len(self.checks) // _CHECK_BYTES

    @property
    def end(self) -> int:
        """The index behind its last entry."""
        return self.first + len(self.entries)

    def check(self, offset: int) -> bytes:
        """What is kept of the leaf hash of an entry."""
        return self.checks[offset * _CHECK_BYTES : (offset + 1) * _CHECK_BYTES]


def segment_key(first: int) -> str:
    """The RowKey of the segment whose first entry has this index."""
    return f"s|{_LAST - first:012x}"


def segment_keys(first: int, end: int) -> tuple[str, str]:
    """The RowKeys between which every segment with an entry from `first` up to `end` lies.

    The first of them may begin earlier, by less than a group; some may end before `first`.
    """
    return segment_key(end - 1), segment_key(max(0, first - GROUP_ENTRIES + 1))


def keys_of_rows(first: int, end: int) -> tuple[str, str]:
    """The RowKeys between which all rows with the prefix of segments lie, whatever they are.

    Those whose place is from `first` up to but without `end`, and without gaps between two ranges.
    """
    return f"{segment_key(end)}!", segment_key(first)


def keys_of_rows_from(first: int) -> tuple[str, str]:
    """The RowKeys between which all such rows lie whose place is `first` or behind it."""
    return "s|", segment_key(first)


def keys_of_rows_below() -> tuple[str, str]:
    """The RowKeys between which all such rows lie that no segment of any log can have."""
    return f"{segment_key(0)}!", "s}"


def tile_key(level: int, index: int) -> str:
    """The RowKey of a full tile."""
    return f"t|{level}|{index:012x}"


def head_row(
    partition: str, edge: Edge, etag: str | None, root: Mapping[str, Value] | None = None
) -> Row:
    """The row of a log's head; `root` are the columns that the index of events has in it."""
    values: dict[str, Value] = {"size": edge.size, **(root or {})}
    values |= {f"edge{level}": hashes for level, hashes in enumerate(edge.levels) if hashes}
    return Row(partition, HEAD, values, etag)


def size_of(head: Row | None) -> int:
    """How many entries a log with this head has; 0 for what cannot be read."""
    size = head.values.get("size") if head else 0
    return size if type(size) is int and 0 < size <= _LAST else 0


def edge_of(row: Row) -> Edge:
    """The right edge that a head keeps. Raises ProofError when it is not that of its size."""
    size = size_of(row)
    if not size:
        raise ProofError("The head of a log states how many entries it has.")
    levels = range(-(-size.bit_length() // 8))
    return Edge.of(size, [_binary(row.values.get(f"edge{level}")) for level in levels])


def checks_of(leaves: Sequence[bytes]) -> bytes:
    """The beginnings of leaf hashes, as a segment keeps them."""
    return b"".join([leaf[:_CHECK_BYTES] for leaf in leaves])


def segment_row(partition: str, segment: Segment) -> Row:
    """The row of a segment: its bundle in columns of the size that one may have."""
    bundle = encode_bundle(segment.entries)
    starts = range(0, len(bundle), _COLUMN_BYTES)
    values: dict[str, Value] = {"checks": segment.checks}
    values |= {f"e{n}": bundle[start : start + _COLUMN_BYTES] for n, start in enumerate(starts)}
    return Row(partition, segment_key(segment.first), values, segment.etag)


def is_segment(row: Row) -> bool:
    """Whether a row has the key of a segment, and not only its prefix."""
    return _SEGMENT.fullmatch(row.row) is not None


def first_of(row: Row) -> int:
    """The index of the first entry of a segment's row. Raises ProofError for any other row."""
    if not is_segment(row):
        raise ProofError("The row has not the key of a segment.")
    return _LAST - int(row.row.removeprefix("s|"), 16)


def segment_of(row: Row) -> Segment:
    """The segment that a row keeps. Raises ProofError when its entries cannot be read."""
    parts: list[bytes] = []
    while f"e{len(parts)}" in row.values:
        parts.append(_binary(row.values[f"e{len(parts)}"]))
    entries = decode_bundle(b"".join(parts))
    return Segment(first_of(row), entries, _binary(row.values.get("checks")), row.etag)


def tile_row(partition: str, tile: Tile, hashes: bytes) -> Row:
    """The row of a full tile."""
    return Row(partition, tile_key(tile.level, tile.index), {"hashes": hashes})


def hashes_of(row: Row | None) -> bytes:
    """The hashes of a full tile; none for what cannot be read."""
    return _binary(row.values.get("hashes")) if row else b""


def _binary(value: Value | None) -> bytes:
    return value if isinstance(value, bytes) else b""
