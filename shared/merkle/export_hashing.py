"""The leaf hashes of an export, many lines at a time, for the offline verification of large logs.

`export.parse_line` reads one line at a time, and reads every form of line. Most lines of an export
hold an ordinary entry, and the hash of an ordinary entry needs no JSON parser.
"""

from hashlib import sha256
from typing import Final

# The text before an entry, and the text after an entry, with the check in hexadecimal.
_HEAD: Final = b'{"index":%d,"entry":{'
_TAIL: Final = b',"check":"0123456789abcdef"}\n'
_HEX: Final = b"0123456789abcdef"
_BRACE: Final = ord("{")
# A copy for each leaf is quicker than a new hash object.
_LEAF: Final = sha256(b"\x00")


def leaves_of(lines: bytes, at: int, until: int, first: int, count: int) -> tuple[list[bytes], int]:
    """Return the leaf hashes of up to `count` entries in `lines` from `at` on, and the end.

    Reading ends at `until`, the beginning of a line, or at an index with one more digit. Reading
    also ends at the first line in a form that `entry_line` does not write for an ordinary entry.
    The entries are `first`, `first + 1` and so on. The function compares every byte around the
    entry and hashes every further byte of the line. A JSON reader therefore finds no different
    entry or index in the line. Of the entry, only the hash is examined.
    """
    start, cut, leaves, frames = at, at, list[bytes](), list[bytes]()
    find, copy, add, add_frame = lines.find, _LEAF.copy, leaves.append, frames.append
    size, beyond = len(_HEAD % first) - 1, len(_TAIL) - 1
    if not lines.startswith(_TAIL[: _TAIL.index(_HEX)], find(b"\n", at) - beyond):
        # A tool may have rewritten every line. Stop before any hash is computed in vain.
        return [], at
    for _ in range(min(count, 10 ** len(str(first)) - first)):
        begin = at + size
        if begin >= until or lines[begin] != _BRACE:
            break
        # The end of the line before, and the beginning of the present line.
        add_frame(lines[cut : begin + 1])
        end = find(b"\n", begin)
        cut = end - beyond
        digest = copy()
        digest.update(lines[begin:cut])
        add(digest.digest())
        at = end + 1
    add_frame(lines[cut:at])
    # One comparison of every frame is quicker than a comparison a line.
    if _are_frames(b"".join(frames), first, len(leaves)):
        return leaves, at
    for number in range(len(leaves)):
        if not _are_frames(_frame(lines, start, size), first + number, 1):
            return leaves[:number], start
        start = find(b"\n", start) + 1
    return leaves, start


def _frame(lines: bytes, at: int, size: int) -> bytes:
    """Return the text around the entry of the line at `at`; the entry begins after `size` bytes."""
    end = lines.find(b"\n", at) + 1
    return lines[at : at + size + 1] + lines[max(at, end - len(_TAIL)) : end]


def _are_frames(frames: bytes, first: int, count: int) -> bool:
    """Tell whether `frames` are the frames of `count` lines for entries `first`, `first + 1`, ...

    The indices must have the same number of digits.
    """
    expected = (_HEAD + _TAIL) * count % tuple(range(first, first + count))
    if len(frames) != len(expected):
        return False
    if not count:
        return True
    # Compare by column. A check's columns hold any hexadecimal digit; every further column is
    # fixed.
    width = len(expected) // count
    digits = range(width - len(_TAIL) + _TAIL.index(_HEX), width)[: len(_HEX)]
    exact = (*range(digits.start), *range(digits.stop, width))
    return all(frames[at::width] == expected[at::width] for at in exact) and not b"".join(
        [frames[at::width] for at in digits]
    ).translate(None, _HEX)
