"""Names of blobs: the characters that they may have, and what a name in `incoming` says."""

import unicodedata
from typing import Final

# Control characters, halves of surrogate pairs, private use, and the two separators that are
# controls in all but name.
_FORBIDDEN: Final = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
# Those that turn the direction of writing, with which "gpj.exe" passes for "exe.jpg": Unicode
# Standard Annex 9, sections 2.1 to 2.3.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_valid_blob_name(text: str) -> bool:
    """Whether Azure takes all characters of `text` in a blob's name.

    It forbids control characters and what is no character of Unicode: "Naming and referencing
    containers, blobs, and metadata", learn.microsoft.com. Spaces of every width, and the joiners
    of emoji and of Persian, are fine.
    """
    return not any(
        unicodedata.category(one) in _FORBIDDEN or _is_noncharacter(ord(one)) for one in text
    )


def turns_writing(text: str) -> bool:
    """Whether `text` has characters that show what follows them in another order."""
    return not _TURNING.isdisjoint(text)


def _is_noncharacter(code: int) -> bool:
    """The Unicode Standard, section 23.7."""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def split_name(name: str) -> tuple[str, str]:
    """The tenant id and the path of a blob's name in `incoming`."""
    tenant, _, path = name.partition("/")
    return tenant, path
