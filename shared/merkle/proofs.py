"""Roots and proofs from tiles: the tiles to read, and then the proof.

Every tile has the width in a tree of the given size. A partial tile therefore has the path of C2SP
tlog-tiles. Left of the right edge an inclusion proof needs at most ceil(log256 size) tiles. The
tiles on the right edge are in `Edge.tiles()`, and a log stores the edge as a whole.
"""

from collections.abc import Iterator, Mapping

from shared.merkle.errors import ProofError
from shared.merkle.tiles import MAX_SIZE, WIDTH, Tile, fold, split
from shared.merkle.tree import EMPTY_ROOT, HASH_SIZE, node_hash

# Half-open ranges of leaves; a range has the leaves below one hash of a proof.
type _Ranges = list[tuple[int, int]]


def root_tiles(size: int) -> list[Tile]:
    """Return the tiles for `root`."""
    return _tiles([(0, size)], size)


def root(size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    """Compute the root of the tree of `size`. Raises ProofError for a missing or misshapen tile."""
    return _hash_of(0, size, size, tiles) if size else EMPTY_ROOT


def inclusion_tiles(index: int, size: int) -> list[Tile]:
    """Return the tiles for `inclusion_proof`."""
    return _tiles(_inclusion(index, size), size)


def inclusion_proof(index: int, size: int, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    """Prove that entry `index` is in the tree of `size`, from the leaf's sibling upwards.

    Raises ProofError for an absent entry and for a missing or misshapen tile.
    """
    return [_hash_of(first, end, size, tiles) for first, end in _inclusion(index, size)]


def consistency_tiles(old: int, new: int) -> list[Tile]:
    """Return the tiles for `consistency_proof`."""
    return _tiles(_consistency(old, new), new)


def consistency_proof(old: int, new: int, tiles: Mapping[Tile, bytes]) -> list[bytes]:
    """Prove that the tree of size `new` continues the tree of size `old`; empty from 0.

    Raises ProofError for impossible sizes and for a missing or misshapen tile.
    """
    return [_hash_of(first, end, new, tiles) for first, end in _consistency(old, new)]


def _inclusion(index: int, size: int) -> _Ranges:
    """Follow RFC 9162 section 2.1.3.1 from the root down, and then reverse the order."""
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofError(f"There is no entry {index} in a tree of {size}.")
    siblings, first, end = [], 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((first, middle))
            first = middle
    return siblings[::-1]


def _consistency(old: int, new: int) -> _Ranges:
    """Follow RFC 9162 section 2.1.4.1 from the root down, and then reverse the order."""
    if not 0 <= old <= new <= MAX_SIZE:
        raise ProofError(f"A tree of {new} cannot continue one of {old}.")
    if old in {0, new}:
        return []
    siblings, first, end = [], 0, new
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((first, middle))
            first = middle
    # The verifier knows the old root. A proof leaves out the subtree of the whole old tree.
    if first:
        siblings.append((first, end))
    return siblings[::-1]


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _tiles(ranges: _Ranges, size: int) -> list[Tile]:
    if not 0 <= size <= MAX_SIZE:
        raise ProofError("There is no tree of this size.")
    needed = (
        _place(at, height, size)[0] for first, end in ranges for at, height in _trees(first, end)
    )
    return sorted(set(needed))


def _trees(first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield first leaf and height of the perfect subtrees in a range, from the left."""
    while first < end:
        height = (end - first).bit_length() - 1
        yield first, height
        first += 1 << height


def _place(first: int, height: int, size: int) -> tuple[Tile, int]:
    """Return the tile with the hashes below a perfect subtree, and the number of the first hash."""
    level = height // 8
    number = first >> 8 * level
    index = number // WIDTH
    width = min(WIDTH, (size >> 8 * level) - index * WIDTH)
    return Tile(level, index, width), number % WIDTH


def _hash_of(first: int, end: int, size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    roots = [_subtree(at, height, size, tiles) for at, height in _trees(first, end)]
    computed = roots.pop()
    while roots:
        computed = node_hash(roots.pop(), computed)
    return computed


def _subtree(first: int, height: int, size: int, tiles: Mapping[Tile, bytes]) -> bytes:
    tile, at = _place(first, height, size)
    hashes = tiles.get(tile)
    if hashes is None:
        raise ProofError(f"{tile.path} is missing.")
    if len(hashes) != tile.width * HASH_SIZE:
        raise ProofError(f"{tile.path} has {len(hashes)} bytes, not {tile.width * HASH_SIZE}.")
    return fold(split(hashes[at * HASH_SIZE : (at + (1 << height % 8)) * HASH_SIZE]))
