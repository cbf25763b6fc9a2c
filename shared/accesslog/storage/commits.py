"""What one commit of the log writes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.accesslog.storage import layout, nodes
from shared.accesslog.storage.nodes import Root
from shared.accesslog.storage.pending import PendingEntry
from shared.merkle import Edge
from shared.ports import Insert, Merge, Operation, Replace

# Where the head stands among the operations: the service reports the first that fails, so that a
# conflict further on is one with a row that the head does not know of.
HEAD_POSITION = 0


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a log: its right edge, and the ETag of the row; None before the first entry.

    `root` is that of the index of events.
    """

    edge: Edge
    etag: str | None
    root: Root


@dataclass(frozen=True, slots=True)
class Commit:
    """The operations that append a group, and the edge and the index's root after them."""

    operations: Sequence[Operation]
    edge: Edge
    root: Root


def commit_of(
    partition: str, head: Head, items: Sequence[PendingEntry], *, lets_down: bool
) -> Commit:
    """Append `items`, which are all different events, to the log that ends in `head`.

    With `lets_down`, the records of the index's root go down, and the root has only the new ones.
    """
    leaves = [item.leaf for item in items]
    first = head.edge.size
    edge, full = head.edge.append(leaves)
    records = nodes.packed(
        (item.digest, nodes.place(index, first)) for index, item in enumerate(items, first)
    )
    before = head.root.below
    shares = nodes.shares("", head.root.records) if lets_down else {}
    root = (
        Root(records, before + head.root.count)
        if lets_down
        else Root(head.root.records + records, before)
    )
    row = layout.head_row(partition, edge, head.etag, root.columns)
    segment = layout.Segment(
        first, [item.entry.payload for item in items], layout.checks_of(leaves)
    )
    operations: list[Operation] = [
        Insert(row) if head.etag is None else Replace(row),
        Insert(layout.segment_row(partition, segment)),
    ]
    operations += [
        Insert(layout.tile_row(partition, tile, hashes)) for tile, hashes in full if tile.level
    ]
    operations += [
        Merge(nodes.run_row(partition, child, share, before)) for child, share in shares.items()
    ]
    return Commit(operations, edge, root)
