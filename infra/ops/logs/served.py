"""Verifying a log as served, in tiles and entry bundles (C2SP tlog-tiles).

The verifier first gets the hashes over the full bundles: the tiles of level 1. If the hashes lead
to the signed root, each bundle is compared with its hash on arrival. The first bundle that differs
holds the fault.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

from infra.ops.logs.growth import Growth
from infra.ops.logs.outcome import (
    Fault,
    Intact,
    LogOutcome,
    Progress,
    at,
    by_count,
    forked_at,
    kind_of,
    truncated,
)
from infra.ops.logs.sources import Source, ahead
from shared.merkle import (
    WIDTH,
    Checkpoint,
    Edge,
    MerkleError,
    ProofError,
    Tile,
    VerifierKey,
    decode_bundle,
    entries_path,
    is_redaction,
    leaf_of,
)
from shared.merkle.tiles import fold, split
from shared.merkle.tree import HASH_SIZE


@dataclass(frozen=True, slots=True)
class _Bundle:
    """The leaf hashes of a bundle. A leaf is empty for neither an entry nor a redaction."""

    leaves: list[bytes]
    redacted: int = 0


@dataclass(frozen=True, slots=True)
class ServedLog:
    """A log whose checkpoint verifies, and the source of the log's parts."""

    source: Source
    checkpoint: Checkpoint
    keys: tuple[VerifierKey, ...]

    def tile(self, tile: Tile) -> list[bytes]:
        """Return a tile's hashes; an empty list for a missing tile or a wrong length."""
        # A partial tile may be gone after the full tile exists: C2SP tlog-tiles, "Partial Tiles".
        data = self.source.get(tile.path)
        if data is None and tile.width < WIDTH:
            data = self.source.get(Tile(tile.level, tile.index).path)
            data = data and data[: tile.width * HASH_SIZE]
        return split(data) if data and len(data) == tile.width * HASH_SIZE else []

    def bundle(self, tile: Tile) -> _Bundle | None:
        """Return the hashes of the entries below a level-0 tile; None for a missing bundle."""
        data, cut = self.source.get(entries_path(tile.index, tile.width)), None
        if data is None and tile.width < WIDTH:
            data, cut = self.source.get(entries_path(tile.index)), tile.width
        if data is None:
            return None
        try:
            entries = decode_bundle(data)[:cut]
        except ProofError:
            return _Bundle([b""])
        first = tile.index * WIDTH
        leaves = [self._leaf(first + number, entry) for number, entry in enumerate(entries)]
        return _Bundle(leaves, sum(map(is_redaction, entries)))

    def _leaf(self, index: int, entry: bytes) -> bytes:
        try:
            return leaf_of(entry, index, self.checkpoint.origin, self.keys)
        except MerkleError:
            return b""


def verify_served(
    log: ServedLog, older: Checkpoint | None, kept: Iterator[bytes], progress: Progress
) -> LogOutcome:
    """Get and hash every entry, and every tile above level 0.

    Tiles of level 0 repeat the leaf hashes. `kept` are the leaf hashes of an intact older export.
    Memory stays flat at any size.
    """
    origin, size = log.checkpoint.origin, log.checkpoint.size
    trusted, growth = _tiles_lead_to_root(log, progress), Growth(log.checkpoint, older)
    roots: list[bytes] | None = None
    false_tile: Tile | None = None
    bundles = ahead(log.bundle, _row(0, size))
    for tile, bundle in bundles:
        if bundle is None:
            following = next(bundles, None)
            goes_on = trusted or (following is not None and following[1] is not None)
            return _gone(log, tile, goes_on=goes_on)
        if trusted and tile.index % WIDTH == 0:
            roots = log.tile(_cut(1, tile.index // WIDTH, size)) if size >= WIDTH else []
        before = list(islice(kept, WIDTH))
        other = _difference(origin, growth.size, before, bundle.leaves[: len(before)])
        if found := _fault_in(log, tile, bundle.leaves, roots):
            return other or found
        if other:
            return other if roots is None else forked_at(origin, other.entry or 0)
        full = growth.add(bundle.leaves)
        growth.redacted += bundle.redacted
        false_tile = false_tile or _false_tile(log, dict(full))
        progress("hashing", growth.size, size)
    outcome = growth.outcome()
    false_tile = false_tile or _false_tile(log, growth.tree.tiles())
    if isinstance(outcome, Intact) and false_tile:
        what = f"its entries are what they should be, but not the hashes in {false_tile.path}"
        return Fault(origin, "tile", what)
    return outcome


def _gone(log: ServedLog, tile: Tile, *, goes_on: bool) -> Fault:
    """Return a fault for a bundle that is not served whole; `goes_on`: the log continues behind.

    The log continues with the hashes of every signed entry, or with the bundle behind. A log that
    makes bundles on request may still serve the beginning of this bundle.
    """
    origin, first = log.checkpoint.origin, tile.index * WIDTH
    there, width = 0, tile.width
    while width - there > 1:
        middle = (there + width) // 2
        if log.bundle(Tile(0, tile.index, middle)) is None:
            width = middle
        else:
            there = middle
    if goes_on:
        return at(origin, "missing", first + there, first + tile.width - 1)
    return truncated(origin, first + there, log.checkpoint.size)


def _tiles_lead_to_root(log: ServedLog, progress: Progress) -> bool:
    size, tree = log.checkpoint.size, Edge.empty()
    for tile, hashes in ahead(log.tile, _row(1, size)):
        if not hashes:
            return False
        tree, _ = tree.append(hashes, level=1)
        progress("getting the tiles", tile.index, size // WIDTH // WIDTH + 1)
    if size % WIDTH:
        tree, _ = tree.append(log.tile(_cut(0, size // WIDTH, size)))
    return (tree.size, tree.root()) == (size, log.checkpoint.root)


def _fault_in(
    log: ServedLog, tile: Tile, leaves: Sequence[bytes], roots: Sequence[bytes] | None
) -> Fault | None:
    """Return the fault in the entries below a tile, if already certain before the log's end.

    `roots` are the hashes of the bundles around in trusted tiles; None without trusted tiles.
    """
    origin, first = log.checkpoint.origin, tile.index * WIDTH
    whole = len(leaves) == tile.width and b"" not in leaves
    if whole and (roots is None or (tile.width == WIDTH and _stands_under(leaves, tile, roots))):
        return None
    expected = log.tile(tile)
    if tile.width == WIDTH and not _stands_under(expected, tile, roots or ()):
        expected = []
    if expected:
        return _difference(origin, first, expected, leaves)
    if b"" in leaves:
        return at(origin, "changed", first + leaves.index(b""), why="it cannot be read")
    return at(origin, by_count(len(leaves), tile.width), first, first + tile.width - 1)


def _stands_under(leaves: Sequence[bytes], tile: Tile, roots: Sequence[bytes]) -> bool:
    number = tile.index % WIDTH
    return len(leaves) == WIDTH and number < len(roots) and fold(leaves) == roots[number]


def _difference(
    origin: str, first: int, expected: Sequence[bytes], actual: Sequence[bytes]
) -> Fault | None:
    for place, (one, other) in enumerate(zip_longest(expected, actual)):
        if one != other:
            return at(origin, kind_of(expected[place:], actual[place:]), first + place)
    return None


def _false_tile(log: ServedLog, tiles: Mapping[Tile, bytes]) -> Tile | None:
    """Return the first tile that is served with content other than expected."""
    wanted = (tile for tile in tiles if tile.level or tile.width < WIDTH)
    return next((tile for tile in wanted if b"".join(log.tile(tile)) != tiles[tile]), None)


def _row(level: int, size: int) -> Iterator[Tile]:
    """Yield every tile at a level of a tree of `size`; the last tile may be partial."""
    for index in range(-(-(size >> 8 * level) // WIDTH)):
        yield _cut(level, index, size)


def _cut(level: int, index: int, size: int) -> Tile:
    """Return tile `index` at the width of a tree of `size`."""
    return Tile(level, index, min(WIDTH, (size >> 8 * level) - index * WIDTH))
