"""Continuity: a log must continue the newest signed checkpoint before the app signs more."""

from collections.abc import Sequence
from typing import Final

from shared.accesslog.storage.errors import LogDamagedError
from shared.accesslog.storage.store import LogStore
from shared.errors import NotFoundError
from shared.merkle import Checkpoint, Edge, MerkleError, VerifierKey, leaf_of

# The tree takes this many leaf hashes at a time.
_AT_ONCE: Final = 4096


async def hold(
    store: LogStore, tenant: str, old: Checkpoint, edge: Edge, keys: Sequence[VerifierKey]
) -> None:
    """Raise LogDamagedError unless the log up to `edge` continues `old`, signed by `keys`.

    Reads and hashes every entry behind `old`, because the head alone would also vouch for missing
    or changed entries.
    """
    if edge.size < old.size:
        raise LogDamagedError(edge.size)
    if (edge.size, edge.root()) == (old.size, old.root):
        return
    try:
        grown = await store.edge_at(tenant, old.size)
        if grown.root() != old.root:
            raise LogDamagedError(old.size)
        leaves: list[bytes] = []
        async for index, entry in store.read(tenant, old.size, edge.size):
            leaves.append(leaf_of(entry, index, old.origin, keys))
            if len(leaves) == _AT_ONCE:
                grown, _ = grown.append(leaves)
                leaves.clear()
        grown, _ = grown.append(leaves)
    except (MerkleError, NotFoundError) as error:
        # Something cannot be read, or the log has become shorter meanwhile.
        raise LogDamagedError(old.size) from error
    if (grown.size, grown.root()) != (edge.size, edge.root()):
        raise LogDamagedError(old.size)
