"""Continuity of a log: before a further signature, the log must continue the signed checkpoint."""

from collections.abc import Sequence
from typing import Final

from shared.accesslog.storage.errors import LogDamagedError
from shared.accesslog.storage.store import LogStore
from shared.errors import NotFoundError
from shared.merkle import Checkpoint, Edge, MerkleError, VerifierKey, leaf_of

# The number of leaf hashes that one append to the tree takes.
_AT_ONCE: Final = 4096


async def require_continuity(
    store: LogStore, tenant: str, old: Checkpoint, edge: Edge, keys: Sequence[VerifierKey]
) -> None:
    """Raise LogDamagedError unless the log up to `edge` continues `old`, signed by `keys`.

    Reads and hashes every entry beyond `old`: the head alone could state absent or different
    entries.
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
        # A row cannot be read, or the log has become shorter meanwhile.
        raise LogDamagedError(old.size) from error
    if (grown.size, grown.root()) != (edge.size, edge.root()):
        raise LogDamagedError(old.size)
