"""A text of no known kind, such as notes, a table, subtitles, or a sidecar of settings: read whole.

A text has no metadata apart from the text itself.
"""

import re
from typing import Final

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import MetadataBuilder

PLAIN: Final = "text:line"
"""The field of the lines of a text."""

_MAX_TEXT: Final = 1024 * 1024
# A name may be broken at the end of a line. The lines of a paragraph therefore stand together.
_LINES: Final = 8
_BLANK: Final = re.compile(rb"\r?\n[ \t]*\r?\n|\r[ \t]*\r")


def add_plain(data: bytes, found: MetadataBuilder) -> None:
    """Add a text's paragraphs; a long paragraph in pieces, each with the last line of the piece
    before.

    A text of over 1 MiB is cut, and marked as cut.
    """
    found.cut |= len(data) > _MAX_TEXT
    for paragraph in _BLANK.split(data[:_MAX_TEXT]):
        lines = paragraph.splitlines()
        for start in range(0, max(len(lines) - 1, 1), _LINES - 1):
            piece = b"\n".join(lines[start : start + _LINES])
            if piece.strip():
                found.text(PLAIN, *decoded(piece))
