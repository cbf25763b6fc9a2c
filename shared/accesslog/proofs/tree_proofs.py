"""Proofs about a tenant's log, from the log's tiles."""

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
    """Inclusion and consistency proofs, and roots, of any past size of a log."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    async def root(self, tenant: str, size: int) -> bytes:
        """Return the root of the log's first `size` entries."""
        return root(size, await self._tiles(tenant, root_tiles(size)))

    async def inclusion(self, tenant: str, index: int, size: int) -> Sequence[bytes]:
        """Prove that entry `index` is in the tree of `size`, from the leaf's sibling up.

        Raises ProofError for an entry outside the tree, and NotFoundError for a shorter log.
        """
        tiles = await self._tiles(tenant, inclusion_tiles(index, size))
        return inclusion_proof(index, size, tiles)

    async def consistency(self, tenant: str, old: int, new: int) -> Sequence[bytes]:
        """Prove that the tree of `new` entries continues the tree of `old` entries; empty from 0.

        Raises ProofError for a larger `old`, and NotFoundError for a shorter log.
        """
        tiles = await self._tiles(tenant, consistency_tiles(old, new))
        return consistency_proof(old, new, tiles)

    async def _tiles(self, tenant: str, wanted: Iterable[Tile]) -> Mapping[Tile, bytes]:
        tiles = list(wanted)
        hashes = await asyncio.gather(*(self._store.tile(tenant, tile) for tile in tiles))
        return dict(zip(tiles, hashes, strict=True))
