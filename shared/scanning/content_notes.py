"""What is worth knowing of a file before it is served, and no reason to turn it away.

"active-content": it holds a program that runs where the file is opened or served inline: script in
an SVG, HTML, actions of a PDF, macros of an Office document. Told by what stands there in plain
text; what is packed or disguised is not seen, so its absence promises nothing.

"polyglot": it is a second type besides the one that its beginning says: an archive at the end, a
PDF behind the start, a GIF whose size opens a script's comment. The archive is looked into.
"""

import re
from typing import IO, Final

from shared.scanning.scanner import RefusedArchiveError
from shared.scanning.zips import has_directory

ACTIVE_CONTENT: Final = "active-content"
POLYGLOT: Final = "polyglot"

# Scripting of SVG 2 (section 15), and what HTML may stand in it. Without NULs this reads UTF-16.
_SVG: Final = re.compile(
    rb"<(?:[\w-]+:)?(?:script|iframe|object|embed|handler)\b|[\s'\"]on[a-z]{3,24}\s*=|javascript\s*:",
    re.IGNORECASE,
)
# ISO 32000-1 sections 12.6.4.5, 12.6.4.16 and 13.7.
_PDF: Final = re.compile(rb"/JavaScript|/Launch|/RichMedia")
# The part of an Office Open XML package, and the storage of an older document, that macros are in:
# [MS-OFFMACRO] section 2.2, [MS-OVBA] section 2.2.1.
_PACKAGE: Final = re.compile(rb"vbaProject\.bin")
_STORAGE: Final = re.compile("_VBA_PROJECT".encode("utf-16-le"))
_PATTERNS: Final = (
    ("image/svg+xml", _SVG),
    ("application/pdf", _PDF),
    ("application/x-ole-storage", _STORAGE),
    ("application/vnd.openxmlformats-officedocument.", _PACKAGE),
    ("application/zip", _PACKAGE),
)
# Longer than any match but an absurd one.
_OVERLAP: Final = 64

_ZIPPED: Final = ("application/zip", "application/vnd.o", "application/epub")
_PDF_START: Final = 1024


class ContentNotes:
    """Takes a file's bytes in chunks, and makes the notes when all are there."""

    def __init__(self, media_type: str, head: bytes) -> None:
        """`head` are the file's first bytes, at least 1,024 of them or all."""
        self._media_type = media_type
        patterns = (one for start, one in _PATTERNS if media_type.startswith(start))
        self._pattern = next(patterns, None)
        self._active = media_type == "text/html"
        self._polyglot = _two_starts(media_type, head)
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._pattern is None or self._active:
            return
        if self._pattern is _SVG:
            chunk = chunk.replace(b"\0", b"")
        window = self._tail + chunk
        self._active = self._pattern.search(window) is not None
        self._tail = window[-_OVERLAP:]

    def finish(self, copy: IO[bytes] | None) -> tuple[str, ...]:
        """The notes, sorted. `copy` is the whole file, where there is one."""
        polyglot = self._polyglot or (copy is not None and self._ends_as_another(copy))
        found = ((self._active, ACTIVE_CONTENT), (polyglot, POLYGLOT))
        return tuple(note for holds, note in found if holds)

    def _ends_as_another(self, copy: IO[bytes]) -> bool:
        if self._media_type.startswith(_ZIPPED):
            return False
        try:
            return has_directory(copy)
        except RefusedArchiveError:
            # There is one, and it is too large to be read.
            return True


def _two_starts(media_type: str, head: bytes) -> bool:
    if media_type == "image/gif":
        return head[6:8] == b"/*"
    if media_type == "application/pdf" or media_type.startswith("text/"):
        return False
    return re.search(rb"%PDF-[12]\.[0-9]", head[:_PDF_START]) is not None
