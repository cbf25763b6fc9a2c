"""The export of a log that can be verified offline: newline-delimited JSON, one entry a line.

    {"checkpoint":"...signed note...","origin":"...","size":70000}
    {"tile":"tile/1/000.p/17","hashes":"...hexadecimal..."}
    {"index":0,"entry":{"action":"asset.read",...},"check":"fac54203e7cc696c"}
    ...
    {"end":70000}

Where the log was damaged two lines more say so. No export that has one of them is intact:

    {"missing":300,"last":389}    instead of entries that the log does not have any more
    {"unsigned":70000}            before entries under no checkpoint: the log could not be shown to
                                  continue the one that the export begins with

An entry that is a JSON object stands there as its own canonical bytes (RFC 8785), so that the file
is readable as it is, and what was hashed is what stands between `"entry":` and `,"check"`. A
redaction stands as a JSON string, and bytes that are neither as base64 under `bytes`. `check` is
the first 8 bytes of the leaf hash as the log keeps it; it and the tiles prove nothing, but show
which entry it is when the root of a log turns out to be another.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from shared.merkle.errors import MerkleError
from shared.merkle.tiles import WIDTH, Tile, parse_tile_path
from shared.merkle.tree import HASH_SIZE

MEDIA_TYPE: Final = "application/x-ndjson"
CHECK_SIZE: Final = 8
_BLOCK: Final = WIDTH * WIDTH
# What stands before an entry and behind it, the check in hexadecimal.
_HEAD: Final = b'{"index":%d,"entry":{'
_TAIL: Final = b',"check":"0123456789abcdef"}\n'
_HEX: Final = b"0123456789abcdef"
_BRACE: Final = ord("{")
# Copied for each leaf, which is quicker than to begin anew.
_LEAF: Final = sha256(b"\x00")
_EXACT: Final = re.compile(
    rb'\{"index":(?:0|[1-9][0-9]*),"entry":(\{.*\}),"check":"[0-9a-f]{16}"\}'
)


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: the signed checkpoint that the entries lead to."""

    checkpoint: str
    origin: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A line with an entry. `check` is empty where the line has none."""

    index: int
    entry: bytes
    check: bytes


@dataclass(frozen=True, slots=True)
class Hashes:
    """A line with a tile as the log keeps it."""

    tile: Tile
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Missing:
    """A line in the place of the entries from `first` to `last`, which the log has lost."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """How many are missing."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A line before the entries behind the first `size`, which no checkpoint covers."""

    size: int


@dataclass(frozen=True, slots=True)
class End:
    """The last line, without which the file was cut off."""

    size: int


type Line = Header | Entry | Hashes | Missing | Unsigned | End


def header_line(checkpoint: str, origin: str, size: int) -> bytes:
    """The first line, of the signed `checkpoint` of the log `origin` with `size` entries."""
    return _line({"checkpoint": checkpoint, "origin": origin, "size": size})


def tiles_before(index: int, size: int) -> list[Tile]:
    """The tiles whose lines come right before entry `index` of a log of `size`.

    Each tile of level 1 before the entries below it, and the partial one of level 0 before the
    last entries.
    """
    tiles = []
    full = (size - index) // WIDTH
    if index % _BLOCK == 0 and full > 0:
        tiles.append(Tile(1, index // _BLOCK, min(full, WIDTH)))
    if index % WIDTH == 0 and 0 < size - index < WIDTH:
        tiles.append(Tile(0, index // WIDTH, size - index))
    return tiles


def tile_line(tile: Tile, hashes: bytes) -> bytes:
    """A line with a tile as the log keeps it."""
    return _line({"tile": tile.path, "hashes": hashes.hex()})


def entry_line(index: int, entry: bytes, check: bytes) -> bytes:
    """The line of entry `index`. `check` is what the log keeps of its leaf hash."""
    text, tail = _json_text(entry), check[:CHECK_SIZE].hex().encode()
    if text is None:
        return b'{"index":%d,"bytes":"%s","check":"%s"}\n' % (
            index,
            base64.b64encode(entry),
            tail,
        )
    return b'{"index":%d,"entry":%s,"check":"%s"}\n' % (index, text, tail)


def missing_line(first: int, last: int) -> bytes:
    """The line in the place of the entries from `first` to `last`, which are not there."""
    return _line({"missing": first, "last": last})


def unsigned_line(size: int) -> bytes:
    """The line before the entries that the checkpoint of `size` does not cover, nor any other."""
    return _line({"unsigned": size})


def end_line(size: int) -> bytes:
    """The last line, of a log of `size`."""
    return _line({"end": size})


def parse_line(line: bytes) -> Line:
    """What a line says. Raises MerkleError when it is none of an export.

    Of a line that some tool has written anew, the entry is taken in its canonical form.
    """
    try:
        said = json.loads(line, object_pairs_hook=_object)
        return _FORMS[next(key for key in _FORMS if key in said)](said, line)
    except MerkleError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError, StopIteration):
        raise MerkleError("This line is not one of a log's export.") from None


def leaves_of(lines: bytes, at: int, until: int, first: int, count: int) -> tuple[list[bytes], int]:
    """The leaf hashes of up to `count` entries in `lines` from `at` on, and where reading ended.

    It ends at `until`, which is a line's beginning, where the indices grow by a digit, or where the
    line of entry `first`, then `first + 1` and so on, is not as `entry_line` writes that of an
    ordinary entry. All around the entry is compared, and what is hashed is all of the rest: no JSON
    reader can find another entry or index in the line. The entry itself is looked at by nothing but
    its hash.
    """
    start, cut, leaves, frames = at, at, list[bytes](), list[bytes]()
    find, copy, add, add_frame = lines.find, _LEAF.copy, leaves.append, frames.append
    size, beyond = len(_HEAD % first) - 1, len(_TAIL) - 1
    if not lines.startswith(_TAIL[: _TAIL.index(_HEX)], find(b"\n", at) - beyond):
        # As with none, perhaps, that some tool has written anew: nothing is hashed in vain then.
        return [], at
    for _ in range(min(count, 10 ** len(str(first)) - first)):
        begin = at + size
        if begin >= until or lines[begin] != _BRACE:
            break
        # The end of the line before, and the beginning of this one.
        add_frame(lines[cut : begin + 1])
        end = find(b"\n", begin)
        cut = end - beyond
        digest = copy()
        digest.update(lines[begin:cut])
        add(digest.digest())
        at = end + 1
    add_frame(lines[cut:at])
    # All at once is quicker than one by one.
    if _are_frames(b"".join(frames), first, len(leaves)):
        return leaves, at
    for number in range(len(leaves)):
        if not _are_frames(_frame(lines, start, size), first + number, 1):
            return leaves[:number], start
        start = find(b"\n", start) + 1
    return leaves, start


def _frame(lines: bytes, at: int, size: int) -> bytes:
    """What the line at `at` has around its entry, which begins `size` bytes further on."""
    end = lines.find(b"\n", at) + 1
    return lines[at : at + size + 1] + lines[max(at, end - len(_TAIL)) : end]


def _are_frames(frames: bytes, first: int, count: int) -> bool:
    """Whether these are what `count` lines have around entries `first`, `first + 1` and so on.

    The indices must have the same number of digits.
    """
    expected = (_HEAD + _TAIL) * count % tuple(range(first, first + count))
    if len(frames) != len(expected):
        return False
    if not count:
        return True
    # Column by column: those of the checks have any digits, all others what is expected.
    width = len(expected) // count
    digits = range(width - len(_TAIL) + _TAIL.index(_HEX), width)[: len(_HEX)]
    exact = (*range(digits.start), *range(digits.stop, width))
    return all(frames[at::width] == expected[at::width] for at in exact) and not b"".join(
        [frames[at::width] for at in digits]
    ).translate(None, _HEX)


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _json_text(entry: bytes) -> bytes | None:
    """An entry as the JSON value that `parse_line` reads it back from; None if there is none."""
    try:
        if entry.startswith(b"{"):
            # The strict parser refuses newlines and other raw control characters in strings.
            is_line = entry.endswith(b"}") and b"\n" not in entry and b"\r" not in entry
            json.loads(entry.decode(), object_pairs_hook=_object)
            return entry if is_line else None
        return json.dumps(entry.decode(), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError for a name that stands there twice: readers differ in which they take."""
    said = dict(pairs)
    if len(said) < len(pairs):
        raise ValueError("a name stands there twice")
    return said


def _header(said: dict[str, Any], _: bytes) -> Header:
    if not (isinstance(said["checkpoint"], str) and isinstance(said["origin"], str)):
        raise TypeError
    return Header(said["checkpoint"], said["origin"], _count(said["size"]))


def _entry(said: dict[str, Any], line: bytes) -> Entry:
    entry, exact = said["entry"], _EXACT.fullmatch(line.rstrip(b"\r\n"))
    if isinstance(entry, str):
        data = entry.encode()
    elif exact:
        data = exact[1]
    elif isinstance(entry, dict):
        data = json.dumps(entry, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    else:
        raise TypeError
    return Entry(_count(said["index"]), data, bytes.fromhex(said.get("check", "")))


def _bytes(said: dict[str, Any], _: bytes) -> Entry:
    data = base64.b64decode(said["bytes"], validate=True)
    return Entry(_count(said["index"]), data, bytes.fromhex(said.get("check", "")))


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


_FORMS: Final[dict[str, Callable[[dict[str, Any], bytes], Line]]] = {
    "entry": _entry,
    "bytes": _bytes,
    "tile": _hashes,
    "checkpoint": _header,
    "missing": _missing,
    "unsigned": _unsigned,
    "end": _end,
}
