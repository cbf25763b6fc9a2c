"""Logs built the plain way, for tests to compare with."""

from collections.abc import Sequence

from shared.merkle import Tile, root_of


def tiles_of(leaves: Sequence[bytes]) -> dict[Tile, bytes]:
    """All tiles of a tree, straight from the definition in C2SP tlog-tiles."""
    tiles, level, hashes = {}, 0, list(leaves)
    while hashes:
        for start in range(0, len(hashes), 256):
            part = hashes[start : start + 256]
            tiles[Tile(level, start // 256, len(part))] = b"".join(part)
        full = len(hashes) // 256
        hashes = [root_of(hashes[number * 256 : number * 256 + 256]) for number in range(full)]
        level += 1
    return tiles
