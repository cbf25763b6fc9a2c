"""What one commit of the log writes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.accesslog import layout
from shared.accesslog.calls import Item
from shared.merkle import Edge
from shared.ports import Insert, Operation, Replace

# Where the head stands among the operations: the service reports the first that fails, so that a
# conflict further on is one of an event that is in the log already.
HEAD_POSITION = 0


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a log: its right edge, and the ETag of the row; None before the first entry."""

    edge: Edge
    etag: str | None


@dataclass(frozen=True, slots=True)
class Commit:
    """The operations that append a group, and the edge after them."""

    operations: Sequence[Operation]
    edge: Edge


def commit_of(partition: str, head: Head, items: Sequence[Item]) -> Commit:
    """Append `items`, which are all different events, to the log that ends in `head`."""
    leaves = [item.leaf for item in items]
    first = head.edge.size
    edge, full = head.edge.append(leaves)
    row = layout.head_row(partition, edge, head.etag)
    segment = layout.Segment(
        first, [item.entry.payload for item in items], layout.checks_of(leaves)
    )
    operations: list[Operation] = [Insert(row) if head.etag is None else Replace(row)]
    operations.append(Insert(layout.segment_row(partition, segment)))
    taken: dict[str, int] = {}
    for offset, item in enumerate(items):
        attempt = max(item.attempt, taken.get(item.digest, 0))
        taken[item.digest] = attempt + 1
        key = layout.id_key(item.digest, attempt)
        operations.append(Insert(layout.id_row(partition, key, first, offset)))
    operations += [
        Insert(layout.tile_row(partition, tile, hashes)) for tile, hashes in full if tile.level
    ]
    return Commit(operations, edge)
