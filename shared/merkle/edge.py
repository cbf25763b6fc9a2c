"""The right edge of a tree: enough to append to the tree and to compute the root."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from shared.merkle.errors import ProofError
from shared.merkle.tiles import MAX_SIZE, WIDTH, Tile, fold, split, width_at
from shared.merkle.tree import EMPTY_ROOT, HASH_SIZE, node_hash


@dataclass(frozen=True, slots=True)
class Edge:
    """The partial tile of each level, from level 0 up: at most 255 hashes of 32 bytes each.

    Empty bytes stand for a level without a partial tile; the highest level is never empty.
    """

    levels: tuple[bytes, ...]

    @classmethod
    def empty(cls) -> Self:
        """Return the edge of the tree without leaves."""
        return cls(())

    @classmethod
    def of(cls, size: int, levels: Sequence[bytes]) -> Self:
        """Return the edge `levels` of a tree of `size`. Raises ProofError if `levels` misfit."""
        if not 0 <= size <= MAX_SIZE:
            raise ProofError("There is no tree of this size.")
        widths = [width_at(level, size) for level in range(-(-size.bit_length() // 8))]
        if [len(hashes) for hashes in levels] != [width * HASH_SIZE for width in widths]:
            raise ProofError(f"The kept edge is not that of a tree of {size}.")
        return cls(tuple(levels))

    @property
    def size(self) -> int:
        """The number of leaves in the tree."""
        return sum(
            len(hashes) // HASH_SIZE << 8 * level for level, hashes in enumerate(self.levels)
        )

    def root(self) -> bytes:
        """Compute the root of the tree. Hashes the edge: at most 255 nodes a level."""
        roots: list[bytes] = []
        for hashes in self.levels:
            # The binary digits of a partial tile's width give the perfect subtrees of the tile.
            end = len(hashes)
            while end:
                taken = end & -end
                roots.append(fold(split(hashes[end - taken : end])))
                end -= taken
        if not roots:
            return EMPTY_ROOT
        computed = roots[0]
        for left in roots[1:]:
            computed = node_hash(left, computed)
        return computed

    def tiles(self) -> Mapping[Tile, bytes]:
        """Return the partial tiles of the edge, in the form that `inclusion_proof` takes."""
        size = self.size
        return {
            Tile(level, size >> 8 * (level + 1), len(hashes) // HASH_SIZE): hashes
            for level, hashes in enumerate(self.levels)
            if hashes
        }

    def append(
        self, hashes: Iterable[bytes], level: int = 0
    ) -> tuple["Edge", list[tuple[Tile, bytes]]]:
        """Return the edge with leaf hashes added, and the tiles of every level that became full.

        With a `level`, `hashes` are the roots over full tiles of the level below. No level below
        may have a partial tile. The tiles come level by level, each level from left to right. The
        cost is one node for each hash of a newly full tile, whatever the size of the tree. Raises
        ProofError for a hash of the wrong length, or for hashes that the tree cannot take.
        """
        added = list(hashes)
        if any(len(one) != HASH_SIZE for one in added):
            raise ProofError(f"A hash is {HASH_SIZE} bytes.")
        size, levels = self.size, list(self.levels)
        if any(levels[:level]):
            raise ProofError("A tile below is not full yet.")
        if size + (len(added) << 8 * level) > MAX_SIZE:
            raise ProofError("The tree is full.")
        full: list[tuple[Tile, bytes]] = []
        rising = b"".join(added)
        while rising:
            levels += [b""] * (level + 1 - len(levels))
            row, index = levels[level] + rising, size >> 8 * (level + 1)
            risen, at = [], 0
            while len(row) - at >= WIDTH * HASH_SIZE:
                tile = row[at : at + WIDTH * HASH_SIZE]
                full.append((Tile(level, index), tile))
                risen.append(fold(split(tile)))
                at, index = at + len(tile), index + 1
            levels[level] = row[at:]
            rising, level = b"".join(risen), level + 1
        return Edge(tuple(levels)), full
