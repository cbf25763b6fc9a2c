"""The head of a log: the log's size, the right edge of the tree, and the ETag of the row."""

from dataclasses import dataclass

from shared.accesslog.storage import layout
from shared.accesslog.storage.errors import LogDamagedError
from shared.merkle import Edge, ProofError
from shared.ports import Tables


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a log. `etag` is the ETag of the head's row; None before the first entry.

    `hmac_key` is the id of the HMAC key of the events' rows.
    """

    edge: Edge
    etag: str | None
    hmac_key: bytes | None = None


async def load_head(tables: Tables, partition: str) -> Head:
    """Read the head. Raises LogDamagedError when the row is no head of a log."""
    row = await tables.get(layout.TABLE, partition, layout.HEAD)
    if row is None:
        return Head(Edge.empty(), None)
    try:
        return Head(layout.edge_of(row), row.etag, layout.hmac_key_of(row))
    except ProofError as error:
        raise LogDamagedError(0) from error


async def require_appendable(tables: Tables, partition: str) -> None:
    """Raise LogDamagedError for a log that takes no entries, after few reads.

    A damaged head cannot be read, or states an end before an existing entry: somebody deleted the
    head, or restored an older head.
    """
    head = await load_head(tables, partition)
    while await tables.get(layout.TABLE, partition, layout.segment_key(head.edge.size)):
        # Either another instance appended meanwhile, or the head omits an entry.
        later = await load_head(tables, partition)
        if later.etag == head.etag:
            raise LogDamagedError(head.edge.size)
        head = later
