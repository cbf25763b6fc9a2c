"""Names of blobs and paths: the valid characters, the spelling, and the names in `incoming`."""

import unicodedata
from typing import Final

# Control characters, halves of surrogate pairs, private use, and the two separators that act as
# controls.
_FORBIDDEN: Final = frozenset({"Cc", "Cs", "Co", "Zl", "Zp"})
# Characters that turn the direction of writing: "gpj.exe" then passes for "exe.jpg". Source:
# Unicode Standard Annex 9, sections 2.1 to 2.3.
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_valid_blob_name(text: str) -> bool:
    """Tell whether Azure takes every character of `text` in a blob's name.

    Azure forbids control characters and code points that are no character of Unicode. Spaces of
    every width, and the joiners of emoji and of Persian, are valid. Source: "Naming and referencing
    containers, blobs, and metadata", learn.microsoft.com.
    """
    return not any(
        unicodedata.category(one) in _FORBIDDEN or _is_noncharacter(ord(one)) for one in text
    )


def has_dot_segment(name: str) -> bool:
    """Tell whether a segment of `name` is "." or "..".

    The client of every HTTP library removes such segments from a URL (RFC 3986 section 5.2.4): the
    URL then names another blob, of another container even.
    """
    return not {".", ".."}.isdisjoint(name.split("/"))


def turns_writing(text: str) -> bool:
    """Tell whether `text` has characters that reverse the displayed order of the following text."""
    return not _TURNING.isdisjoint(text)


def _is_noncharacter(code: int) -> bool:
    """Tell whether `character` is a noncharacter: The Unicode Standard, section 23.7."""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def canonical_path(path: str) -> str:
    """Return the spelling of `path` for comparison: NFC (Unicode Standard Annex 15).

    macOS writes an accent as a character of its own, other systems write the accent and the letter
    as one character. Both spellings are one path. The case of letters counts.
    """
    return unicodedata.normalize("NFC", path)


def incoming_name(tenant: str, upload: str) -> str:
    """Return the name in `incoming` of the blob of an upload, made of ids alone."""
    return f"{tenant}/{upload}"


def split_name(name: str) -> tuple[str, str]:
    """Split a blob's name in `incoming` into the tenant's id and the upload's id."""
    tenant, _, upload = name.partition("/")
    return tenant, upload
