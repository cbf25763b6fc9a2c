"""The texts of a part of a file whose form no reader knows: a private segment, chunk or trailer."""

import re
from typing import Final

from shared.metadata.worker.encodings import decoded, is_text
from shared.metadata.worker.result import MetadataBuilder

MAX_TEXT: Final = 1024 * 1024
"""Bytes of a text without a form that are read."""

# Bytes of numbers that are searched for texts. In a longer part chance makes texts of numbers.
_MAX_NUMBERS: Final = 4096
_WIDE: Final = re.compile(rb"(?:[\x20-\x7e]\0){3,}|(?:\0[\x20-\x7e]){3,}")
_NARROW: Final = re.compile(rb"[\x20-\x7e\x80-\xff]{4,}")
_PADDING: Final = b"\0\xff \t\r\n"


def add_unknown(field: str, content: bytes, found: MetadataBuilder) -> None:
    """Add the texts of a part; a long part of numbers is marked as partial, since it may hold text.

    A part of padding holds nothing.
    """
    padded = content.lstrip(_PADDING)
    content = padded.rstrip(_PADDING)
    if not content:
        return
    if len(content) <= MAX_TEXT and is_text(content):
        found.text(field, *decoded(content))
    elif len(content) > _MAX_NUMBERS:
        found.partial = True
    else:
        # The last letter of UTF-16 may end with a zero.
        for run in _WIDE.findall(padded[: len(content) + 1]):
            found.text(field, run.replace(b"\0", b"").decode("ascii"))
        for run in _NARROW.findall(content):
            found.text(field, *decoded(run))
