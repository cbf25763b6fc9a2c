"""Plain text: what a person writes on one line, for other people to read."""

import re
from typing import Final

PLAIN_PATTERN: Final = (
    r"^[^\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufffe\uffff]*$(?!\n)"
)
"""Any text without control characters, line breaks, noncharacters, and characters that turn the
direction of writing.

A terminal obeys control characters, Table Storage refuses some, and a turned line reads as another
line. Source: Unicode Standard Annex 9, sections 2.1 to 2.3.
"""
_PLAIN: Final = re.compile(PLAIN_PATTERN)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def is_plain(text: str) -> bool:
    """Tell whether `text` is plain, and can be written in UTF-8."""
    return _PLAIN.match(text) is not None and _SURROGATE.search(text) is None
