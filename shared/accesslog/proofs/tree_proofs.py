"""Proofs about a tenant's log from the log's tiles."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from shared.accesslog.storage.store import LogStore
from shared.merkle import (
    Tile,
    consistency_proof,
    consistency_tiles,
    inclusion_proof,
    inclusion_tiles,
    root,
    root_tiles,
)


class Proofs:
    """Inclusion proofs, consistency proofs and roots, for each size that a log has had."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    async def root(self, tenant: str, size: int) -> bytes:
        """The root when the log had `size` entries."""
        return root(size, await self._tiles(tenant, root_tiles(size)))

    async def inclusion(self, tenant: str, index: int, size: int) -> Sequence[bytes]:
        """Return the proof of entry `index` in the tree of `size`, from the leaf's sibling up.

        Raises ProofError when the tree has no entry `index`, NotFoundError when the log is shorter.
        """
        tiles = await self._tiles(tenant, inclusion_tiles(index, size))
        return inclusion_proof(index, size, tiles)

    async def consistency(self, tenant: str, old: int, new: int) -> Sequence[bytes]:
        """Return the proof that the tree of `new` entries continues the tree of `old`; empty from
        0.

        Raises ProofError when `old` is larger, NotFoundError when the log is shorter.
        """
        tiles = await self._tiles(tenant, consistency_tiles(old, new))
        return consistency_proof(old, new, tiles)

    async def _tiles(self, tenant: str, wanted: Iterable[Tile]) -> Mapping[Tile, bytes]:
        tiles = list(wanted)
        hashes = await asyncio.gather(*(self._store.tile(tenant, tile) for tile in tiles))
        return dict(zip(tiles, hashes, strict=True))
