"""Tiles of 256 hashes of the tree, and bundles of 256 entries.

Source: C2SP tlog-tiles. Level 0 tiles hold leaf hashes; each hash of a tile at level l + 1 is the
root over one full tile at level l.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from shared.merkle.errors import ProofError
from shared.merkle.tree import HASH_SIZE

WIDTH: Final = 256
# A bundle states the length of an entry in two bytes.
MAX_ENTRY: Final = 0xFFFF
# Sizes fit in 63 bits, the range of witnesses.
MAX_SIZE: Final = (1 << 63) - 1
_MAX_LEVEL: Final = 7
# A copy for each node is quicker than a new hash object.
_NODE: Final = sha256(b"\x01")
_PATH: Final = re.compile(
    r"tile/(?P<level>0|[1-9][0-9]?|entries)"
    r"/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Tile `index` at `level`: the first `width` of 256 hashes; a narrower tile is partial."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Raise ProofError for a tile beyond every tree of up to 2^63 - 1 entries."""
        if not (0 <= self.level <= _MAX_LEVEL and 1 <= self.width <= WIDTH and self.index >= 0):
            raise ProofError("There is no such tile.")
        if (self.index * WIDTH + self.width) << 8 * self.level > MAX_SIZE:
            raise ProofError("There is no such tile.")

    @property
    def path(self) -> str:
        """The path: for example `tile/0/x001/067` or, partial, `tile/0/x001/067.p/12`."""
        return f"tile/{self.level}/{_number(self.index)}{_part(self.width)}"


def parse_tile_path(path: str) -> Tile:
    """Parse a tile's path. Raises ProofError for anything but the canonical path."""
    found = _PATH.fullmatch(path)
    if found is None or found["level"] == "entries":
        raise ProofError("This is not the path of a tile.")
    tile = Tile(int(found["level"]), _index(found["index"]), int(found["width"] or WIDTH))
    if tile.path != path:
        raise ProofError("This is not the path of a tile.")
    return tile


def entries_path(index: int, width: int = WIDTH) -> str:
    """Return the path of bundle `index`: for example `tile/entries/x001/067.p/12`."""
    tile = Tile(0, index, width)
    return f"tile/entries/{_number(tile.index)}{_part(tile.width)}"


def parse_entries_path(path: str) -> tuple[int, int]:
    """Parse a bundle's path into index and width. Raises ProofError as `parse_tile_path` does."""
    found = _PATH.fullmatch(path)
    if found is None or found["level"] != "entries":
        raise ProofError("This is not the path of an entry bundle.")
    index, width = _index(found["index"]), int(found["width"] or WIDTH)
    if width > WIDTH or entries_path(index, width) != path:
        raise ProofError("This is not the path of an entry bundle.")
    return index, width


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Join the entries, each after a big-endian uint16 length. Raises ProofError above 65535."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise ProofError(f"An entry is at most {MAX_ENTRY} bytes.")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)


def decode_bundle(bundle: bytes) -> list[bytes]:
    """Split a bundle into entries. Raises ProofError for a bundle that ends within an entry."""
    entries, at = [], 0
    while at < len(bundle):
        start = at + 2
        at = start + int.from_bytes(bundle[at:start], "big")
        if start > len(bundle) or at > len(bundle):
            raise ProofError("The entry bundle is cut off.")
        entries.append(bundle[start:at])
    return entries


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 1, 2, 4, 8, ... hashes. Raises ValueError for any other number."""
    while len(hashes) > 1:
        pairs, parents = iter(hashes), list[bytes]()
        for left, right in zip(pairs, pairs, strict=True):
            digest = _NODE.copy()
            digest.update(left)
            digest.update(right)
            parents.append(digest.digest())
        hashes = parents
    (root,) = hashes
    return root


def split(hashes: bytes) -> list[bytes]:
    """Split concatenated hashes."""
    return [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]


def width_at(level: int, size: int) -> int:
    """Return the width of the partial tile at `level` of a tree of `size`; 0 without a tile."""
    return (size >> 8 * level) % WIDTH


def _number(index: int) -> str:
    digits = f"{index:d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])


def _index(number: str) -> int:
    return int(number.replace("/", "").replace("x", ""))


def _part(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"
