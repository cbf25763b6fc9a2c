"""Canonical base64 and decimal numbers: a single valid form of each value.

A second form would be a change that no signature and no hash detects.
"""

import base64
import re
from typing import Final

from shared.merkle.tiles import MAX_SIZE

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


def to_base64(data: bytes) -> str:
    """Encode as standard base64 with padding: RFC 4648 section 4."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Decode the output of `to_base64`. Raises ValueError for any text of a different form."""
    # Text outside base64 raises binascii.Error, a ValueError.
    data = base64.b64decode(text, validate=True)
    if to_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def from_decimal(text: str) -> int:
    """Parse a size or index. Raises ValueError for signs, leading zeros and above 2^63 - 1."""
    if not _NUMBER.fullmatch(text) or (number := int(text)) > MAX_SIZE:
        raise ValueError("not a size or index in decimal digits")
    return number
