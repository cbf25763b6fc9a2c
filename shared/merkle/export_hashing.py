"""The leaf hashes of an export, many lines at a time, for the offline verification of large logs.

`export.parse_line` reads one line at a time, and reads every form of line. Most lines of an export
hold an ordinary entry, and the hash of such an entry needs no JSON parser.
"""

from hashlib import sha256
from typing import Final

# The text before an entry and the text behind, with the check in hexadecimal.
_HEAD: Final = b'{"index":%d,"entry":{'
_TAIL: Final = b',"check":"0123456789abcdef"}\n'
_HEX: Final = b"0123456789abcdef"
_BRACE: Final = ord("{")
# Each leaf gets a copy, because a copy is quicker than a new hash object.
_LEAF: Final = sha256(b"\x00")


def leaves_of(lines: bytes, at: int, until: int, first: int, count: int) -> tuple[list[bytes], int]:
    """Return the leaf hashes of up to `count` entries in `lines` from `at` on, and the end of the
    read.

    The read ends at `until`, the beginning of a line; where the indices grow by a digit; or at a
    line that differs from the line that `entry_line` writes of an ordinary entry `first`, `first +
    1` and so on. The function compares every byte around the entry, and hashes all the rest: no
    JSON reader can find another entry or index in the line. The function looks at the entry by hash
    alone.
    """
    start, cut, leaves, frames = at, at, list[bytes](), list[bytes]()
    find, copy, add, add_frame = lines.find, _LEAF.copy, leaves.append, frames.append
    size, beyond = len(_HEAD % first) - 1, len(_TAIL) - 1
    if not lines.startswith(_TAIL[: _TAIL.index(_HEX)], find(b"\n", at) - beyond):
        # Perhaps some tool has written every line anew: this check saves the hashing of such a
        # file.
        return [], at
    for _ in range(min(count, 10 ** len(str(first)) - first)):
        begin = at + size
        if begin >= until or lines[begin] != _BRACE:
            break
        # The end of the line before, and the beginning of this line.
        add_frame(lines[cut : begin + 1])
        end = find(b"\n", begin)
        cut = end - beyond
        digest = copy()
        digest.update(lines[begin:cut])
        add(digest.digest())
        at = end + 1
    add_frame(lines[cut:at])
    # All lines at once are quicker than line by line.
    if _are_frames(b"".join(frames), first, len(leaves)):
        return leaves, at
    for number in range(len(leaves)):
        if not _are_frames(_frame(lines, start, size), first + number, 1):
            return leaves[:number], start
        start = find(b"\n", start) + 1
    return leaves, start


def _frame(lines: bytes, at: int, size: int) -> bytes:
    """Return the bytes around the entry of the line at `at`; the entry begins `size` bytes further
    on.
    """
    end = lines.find(b"\n", at) + 1
    return lines[at : at + size + 1] + lines[max(at, end - len(_TAIL)) : end]


def _are_frames(frames: bytes, first: int, count: int) -> bool:
    """Tell whether `count` lines have these bytes around entries `first`, `first + 1` and so on.

    The indices must have the same number of digits.
    """
    expected = (_HEAD + _TAIL) * count % tuple(range(first, first + count))
    if len(frames) != len(expected):
        return False
    if not count:
        return True
    # Column by column: the columns of the checks have any digits, all others the expected bytes.
    width = len(expected) // count
    digits = range(width - len(_TAIL) + _TAIL.index(_HEX), width)[: len(_HEX)]
    exact = (*range(digits.start), *range(digits.stop, width))
    return all(frames[at::width] == expected[at::width] for at in exact) and not b"".join(
        [frames[at::width] for at in digits]
    ).translate(None, _HEX)
