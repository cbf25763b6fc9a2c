"""The rows of a tenant's log in Table Storage: keys and columns. Pure.

A log is one partition, and a single entity-group transaction holds every row of an append:

- `head`: the size, in `edge0`, `edge1`, ... the partial tile of each level, and in `eventKey` the
  id of the HMAC key of the events' rows. Every append replaces the head under the row's ETag, and
  the ETag serialises the appends of every instance.
- `s|{inverted index}`: a *segment*, the entries of one commit, as a C2SP entry bundle cut into
  binary columns `e0`, `e1`, ... The key counts down from the index of the first entry, and the
  newest segment comes first. `checks` has the first 8 bytes of each leaf hash. A check only names
  the changed entry of a segment; the tree proves that an entry was changed.
- `t|{level}|{index}`: a full tile of level 1 or above. A full tile of level 0 is computed from
  256 entries, which saves 32 bytes an entry; the partial tiles are in `head`.
- `e|{HMAC}`: an event; `at` has the place of the event's entry. The transaction that appends the
  entry inserts the row, and the service refuses a second row with the same key. No event gets two
  entries, whichever instance appends, and no instance remembers events. The key is an HMAC under
  a secret of the vault: without the secret, nobody can look an event up or forge a row. The
  transaction that redacts an entry deletes the row.

The row of an event costs 4 + 2 x (18 + length of the PartitionKey) + 20 bytes of storage, some 75
for a short tenant id. A commit takes at most 93 entries: with head and segment, 95 rows.

Source of the limits: "Understanding the Table service data model" and "Performing entity group
transactions", learn.microsoft.com. Source of the HMAC: RFC 2104.
"""

import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from shared.accesslog.storage.errors import LogDamagedError
from shared.catalogue import ACCESS_LOG_TABLE
from shared.merkle import Edge, ProofError, Tile, decode_bundle, encode_bundle
from shared.ports import Row, Value

TABLE: Final = ACCESS_LOG_TABLE.name
HEAD: Final = "head"
EVENTS: Final = "e|"
"""The prefix of the RowKeys of events."""
# A transaction has at most 100 operations: the head, the segment, 93 events, and a tile of each of
# the levels 1 to 5, which may become full at once.
GROUP_ENTRIES: Final = 93
# A transaction is at most 4 MiB and an entity 1 MiB; base64 adds a third to the bundle.
GROUP_BYTES: Final = 700_000
# 96 bits of the HMAC: in a log of 1,000,000,000 events, two share a key with a chance of 2^-37.
EVENT_BYTES: Final = 12
_COLUMN_BYTES: Final = 65_536
_CHECK_BYTES: Final = 8
_LAST: Final = (1 << 48) - 1
_SEGMENT: Final = re.compile(r"s\|[0-9a-f]{12}", re.ASCII)
# An entry's place is the entry's index, shifted by the bits of the offset within the segment.
_OFFSET_BITS: Final = 7


@dataclass(frozen=True, slots=True)
class Segment:
    """The entries of one commit. `checks` has the first 8 bytes of each leaf hash."""

    first: int
    entries: Sequence[bytes]
    checks: bytes
    etag: str | None = None

    @property
    def count(self) -> int:
        """The number of entries when the segment was appended."""
        return len(self.checks) // _CHECK_BYTES

    @property
    def end(self) -> int:
        """The index after the last entry."""
        return self.first + len(self.entries)

    def check(self, offset: int) -> bytes:
        """Return the first 8 bytes of an entry's leaf hash, from the segment."""
        return self.checks[offset * _CHECK_BYTES : (offset + 1) * _CHECK_BYTES]


def segment_key(first: int) -> str:
    """Return the RowKey of the segment whose first entry has the index `first`."""
    return f"s|{_LAST - first:012x}"


def segment_keys(first: int, end: int) -> tuple[str, str]:
    """Return the range of RowKeys of every segment with an entry from `first` up to `end`.

    The first segment of the range may begin up to 92 entries earlier, or even end before `first`.
    """
    return segment_key(end - 1), segment_key(max(0, first - GROUP_ENTRIES + 1))


def keys_of_rows(first: int, end: int) -> tuple[str, str]:
    """Return the range of RowKeys of every row with a segment's prefix from `first` below `end`.

    Adjacent ranges leave no gap: a malformed key lies in some range.
    """
    return f"{segment_key(end)}!", segment_key(first)


def keys_of_rows_from(first: int) -> tuple[str, str]:
    """Return the range of RowKeys of every row with a segment's prefix at `first` or after."""
    return "s|", segment_key(first)


def keys_of_rows_below() -> tuple[str, str]:
    """Return the range of RowKeys with a segment's prefix that no segment can have."""
    return f"{segment_key(0)}!", "s}"


def tile_key(level: int, index: int) -> str:
    """Return the RowKey of a full tile."""
    return f"t|{level}|{index:012x}"


def event_digest(secret: bytes, partition: str, source: str, identifier: str) -> bytes:
    """Return the first 12 bytes of the HMAC-SHA-256 of an event: tenant, source and id."""
    event = msgspec.json.encode((partition, source, identifier))
    return hmac.digest(secret, event, "sha256")[:EVENT_BYTES]


def event_key(digest: bytes) -> str:
    """Return the RowKey of an event: the digest in base64url, 16 characters."""
    return f"{EVENTS}{urlsafe_b64encode(digest).decode()}"


def event_row(partition: str, row_key: str, index: int, first: int, etag: str | None = None) -> Row:
    """Make the row of an event whose entry is `index`, in the segment that begins at `first`."""
    return Row(partition, row_key, {"at": index << _OFFSET_BITS | index - first}, etag)


def place_of(row: Row) -> tuple[int, int]:
    """Return the index of an event's entry, and the index of the first entry of the segment.

    An unreadable row gives -1 twice, the index of no entry.
    """
    at = row.values.get("at")
    if type(at) is not int or at < 0:
        return -1, -1
    index, offset = at >> _OFFSET_BITS, at & (1 << _OFFSET_BITS) - 1
    return index, index - offset


def head_row(partition: str, edge: Edge, etag: str | None, hmac_key: bytes | None = None) -> Row:
    """Make the row of a log's head. `hmac_key` is the id of the key of the events' rows."""
    values: dict[str, Value] = {"size": edge.size}
    if hmac_key is not None:
        values["eventKey"] = hmac_key
    values |= {f"edge{level}": hashes for level, hashes in enumerate(edge.levels) if hashes}
    return Row(partition, HEAD, values, etag)


def size_of(head: Row | None) -> int:
    """Return the number of entries of a log with `head`; 0 for an unreadable head."""
    size = head.values.get("size") if head else 0
    return size if type(size) is int and 0 < size <= _LAST else 0


def hmac_key_of(head: Row | None) -> bytes | None:
    """Return the id of the HMAC key of the events' rows; None for a log without entries."""
    if head is None or "eventKey" not in head.values:
        return None
    return _binary(head.values["eventKey"])


def edge_of(row: Row) -> Edge:
    """Return the right edge in a head. Raises ProofError if edge and size differ."""
    size = size_of(row)
    if not size:
        raise ProofError("The head of a log states how many entries it has.")
    levels = range(-(-size.bit_length() // 8))
    return Edge.of(size, [_binary(row.values.get(f"edge{level}")) for level in levels])


def checks_of(leaves: Sequence[bytes]) -> bytes:
    """Return the first 8 bytes of each leaf hash, for a segment."""
    return b"".join([leaf[:_CHECK_BYTES] for leaf in leaves])


def segment_row(partition: str, segment: Segment) -> Row:
    """Make the row of a segment, with the bundle in columns of at most 64 KiB."""
    bundle = encode_bundle(segment.entries)
    starts = range(0, len(bundle), _COLUMN_BYTES)
    values: dict[str, Value] = {"checks": segment.checks}
    values |= {f"e{n}": bundle[start : start + _COLUMN_BYTES] for n, start in enumerate(starts)}
    return Row(partition, segment_key(segment.first), values, segment.etag)


def is_segment(row: Row) -> bool:
    """Tell whether a row has the whole key of a segment, and not only the prefix."""
    return _SEGMENT.fullmatch(row.row) is not None


def first_of(row: Row) -> int:
    """Return the index of a segment's first entry.

    Raises ProofError for any row without a segment.
    """
    if not is_segment(row):
        raise ProofError("The row has not the key of a segment.")
    return _LAST - int(row.row.removeprefix("s|"), 16)


def segment_of(row: Row) -> Segment:
    """Return the segment of a row. Raises ProofError for unreadable entries."""
    parts: list[bytes] = []
    while f"e{len(parts)}" in row.values:
        parts.append(_binary(row.values[f"e{len(parts)}"]))
    entries = decode_bundle(b"".join(parts))
    return Segment(first_of(row), entries, _binary(row.values.get("checks")), row.etag)


def readable_segment(row: Row) -> Segment:
    """Return the segment of a segment's row. Raises LogDamagedError for unreadable entries."""
    first = first_of(row)
    try:
        return segment_of(row)
    except ProofError as error:
        raise LogDamagedError(first) from error


def tile_row(partition: str, tile: Tile, hashes: bytes) -> Row:
    """Make the row of a full tile."""
    return Row(partition, tile_key(tile.level, tile.index), {"hashes": hashes})


def hashes_of(row: Row | None) -> bytes:
    """Return the hashes of a full tile; no bytes for an unreadable row."""
    return _binary(row.values.get("hashes")) if row else b""


def _binary(value: Value | None) -> bytes:
    return value if isinstance(value, bytes) else b""
