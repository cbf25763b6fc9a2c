"""The export of a log for offline verification: newline-delimited JSON, one entry a line.

{"checkpoint":"...signed note...","origin":"...","size":70000}
{"tile":"tile/1/000.p/17","hashes":"...hexadecimal..."}
{"index":0,"entry":{"action":"asset.read",...},"check":"fac54203e7cc696c"} ... {"end":70000}

Two further lines report damage to the log. An export with either line is not intact:

    {"missing":300,"last":389}    in place of entries that the log has lost
    {"unsigned":70000}            before entries under no checkpoint: no proof shows that the log
                                  continues the log of the first line's checkpoint

An entry that is a JSON object appears as the canonical bytes of the entry (RFC 8785). The file is
therefore readable, and the hashed bytes are the bytes between `"entry":` and `,"check"`. A
redaction appears as a JSON string. Any further bytes appear as base64 under `bytes`.

`check` is the first 8 bytes of the leaf hash in the log. `check` and the tiles prove nothing: if
the root differs, `check` and the tiles show the changed entry.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from shared.merkle.errors import MerkleError
from shared.merkle.tiles import WIDTH, Tile, parse_tile_path
from shared.merkle.tree import HASH_SIZE

MEDIA_TYPE: Final = "application/x-ndjson"
CHECK_SIZE: Final = 8
_BLOCK: Final = WIDTH * WIDTH
_EXACT: Final = re.compile(
    rb'\{"index":(?:0|[1-9][0-9]*),"entry":(\{.*\}),"check":"[0-9a-f]{16}"\}'
)


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: the signed checkpoint over the entries."""

    checkpoint: str
    origin: str
    size: int


@dataclass(frozen=True, slots=True)
class ExportedEntry:
    """A line with an entry. `check` is empty for a line without a check."""

    index: int
    entry: bytes
    check: bytes


@dataclass(frozen=True, slots=True)
class Hashes:
    """A line with a tile from the log."""

    tile: Tile
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Missing:
    """A line in place of the entries from `first` to `last`, lost from the log."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """The number of missing entries."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A line before the entries after the first `size`, under no checkpoint."""

    size: int


@dataclass(frozen=True, slots=True)
class End:
    """The last line. A file without the line was cut off."""

    size: int


type ExportLine = Header | ExportedEntry | Hashes | Missing | Unsigned | End


def header_line(checkpoint: str, origin: str, size: int) -> bytes:
    """Write the first line, for the signed `checkpoint` of the log `origin` with `size` entries."""
    return _line({"checkpoint": checkpoint, "origin": origin, "size": size})


def tiles_before(index: int, size: int) -> list[Tile]:
    """Return the tiles with lines right before entry `index` of a log of `size`.

    Each tile of level 1 comes before the entries below the tile. The partial tile of level 0 comes
    before the last entries.
    """
    tiles = []
    full = (size - index) // WIDTH
    if index % _BLOCK == 0 and full > 0:
        tiles.append(Tile(1, index // _BLOCK, min(full, WIDTH)))
    if index % WIDTH == 0 and 0 < size - index < WIDTH:
        tiles.append(Tile(0, index // WIDTH, size - index))
    return tiles


def tile_line(tile: Tile, hashes: bytes) -> bytes:
    """Write a line with a tile from the log."""
    return _line({"tile": tile.path, "hashes": hashes.hex()})


def entry_line(index: int, entry: bytes, check: bytes) -> bytes:
    """Write the line of entry `index`. `check` is the log's copy of the leaf hash, or a prefix."""
    text, tail = _json_text(entry), check[:CHECK_SIZE].hex().encode()
    if text is None:
        return b'{"index":%d,"bytes":"%s","check":"%s"}\n' % (
            index,
            base64.b64encode(entry),
            tail,
        )
    return b'{"index":%d,"entry":%s,"check":"%s"}\n' % (index, text, tail)


def missing_line(first: int, last: int) -> bytes:
    """Write the line in place of the missing entries from `first` to `last`."""
    return _line({"missing": first, "last": last})


def unsigned_line(size: int) -> bytes:
    """Write the line before the entries beyond `size`, the size of the newest checkpoint."""
    return _line({"unsigned": size})


def end_line(size: int) -> bytes:
    """Write the last line, of a log of `size`."""
    return _line({"end": size})


def parse_line(line: bytes) -> ExportLine:
    """Parse a line. Raises MerkleError for any line outside the export format.

    The entry of a line that a tool has rewritten is returned in canonical form.
    """
    try:
        said = json.loads(line, object_pairs_hook=_object)
        return _FORMS[next(key for key in _FORMS if key in said)](said, line)
    except MerkleError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, StopIteration):
        raise MerkleError("This line is not one of a log's export.") from None


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _json_text(entry: bytes) -> bytes | None:
    """Return the JSON value that `parse_line` reads back as `entry`; None for no such value."""
    try:
        if entry.startswith(b"{"):
            # The strict parser refuses newlines and further raw control characters in strings.
            is_line = entry.endswith(b"}") and b"\n" not in entry and b"\r" not in entry
            json.loads(entry.decode(), object_pairs_hook=_object)
            return entry if is_line else None
        return json.dumps(entry.decode(), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object. Raises ValueError for a repeated name, because parsers differ on repeats."""
    said = dict(pairs)
    if len(said) < len(pairs):
        raise ValueError("a name stands there twice")
    return said


def _header(said: dict[str, Any], _: bytes) -> Header:
    if not (isinstance(said["checkpoint"], str) and isinstance(said["origin"], str)):
        raise TypeError
    return Header(said["checkpoint"], said["origin"], _count(said["size"]))


def _entry(said: dict[str, Any], line: bytes) -> ExportedEntry:
    entry, exact = said["entry"], _EXACT.fullmatch(line.rstrip(b"\r\n"))
    if isinstance(entry, str):
        data = entry.encode()
    elif exact:
        data = exact[1]
    elif isinstance(entry, dict):
        data = json.dumps(entry, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    else:
        raise TypeError
    return ExportedEntry(_count(said["index"]), data, bytes.fromhex(said.get("check", "")))


def _bytes(said: dict[str, Any], _: bytes) -> ExportedEntry:
    data = base64.b64decode(said["bytes"], validate=True)
    return ExportedEntry(_count(said["index"]), data, bytes.fromhex(said.get("check", "")))


def _hashes(said: dict[str, Any], _: bytes) -> Hashes:
    tile, hashes = parse_tile_path(said["tile"]), bytes.fromhex(said["hashes"])
    if len(hashes) != tile.width * HASH_SIZE:
        raise MerkleError(f"The line of {tile.path} does not hold that many hashes.")
    return Hashes(tile, hashes)


def _missing(said: dict[str, Any], _: bytes) -> Missing:
    first, last = _count(said["missing"]), _count(said["last"])
    if last < first:
        raise TypeError
    return Missing(first, last)


def _unsigned(said: dict[str, Any], _: bytes) -> Unsigned:
    return Unsigned(_count(said["unsigned"]))


def _end(said: dict[str, Any], _: bytes) -> End:
    return End(_count(said["end"]))


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value


_FORMS: Final[dict[str, Callable[[dict[str, Any], bytes], ExportLine]]] = {
    "entry": _entry,
    "bytes": _bytes,
    "tile": _hashes,
    "checkpoint": _header,
    "missing": _missing,
    "unsigned": _unsigned,
    "end": _end,
}
