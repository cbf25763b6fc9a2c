"""The operations of one commit to a log. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.accesslog.storage import layout
from shared.accesslog.storage.head import Head
from shared.accesslog.storage.pending import PendingEntry
from shared.merkle import Edge
from shared.ports import Insert, Operation, Replace

HEAD_POSITION: Final = 0
"""The position of the head among the operations.

The service reports the first operation that fails. A conflict at a later position is therefore a
conflict with the row of an event, or with a row that the head does not cover.
"""


@dataclass(frozen=True, slots=True)
class Commit:
    """The operations that append a group, and the right edge after the commit."""

    operations: Sequence[Operation]
    edge: Edge


def commit_of(partition: str, head: Head, entries: Sequence[PendingEntry]) -> Commit:
    """Append `entries`, each of a different event, to the log that ends in `head`."""
    leaves = [entry.leaf for entry in entries]
    first = head.edge.size
    edge, full = head.edge.append(leaves)
    row = layout.head_row(partition, edge, head.etag, head.hmac_key)
    segment = layout.Segment(
        first, [one.entry.payload for one in entries], layout.checks_of(leaves)
    )
    operations: list[Operation] = [
        Insert(row) if head.etag is None else Replace(row),
        Insert(layout.segment_row(partition, segment)),
    ]
    for index, entry in enumerate(entries, first):
        event = layout.event_row(partition, entry.row_key, index, first, entry.astray)
        operations.append(Insert(event) if entry.astray is None else Replace(event))
    operations += [
        Insert(layout.tile_row(partition, tile, hashes)) for tile, hashes in full if tile.level
    ]
    return Commit(operations, edge)
