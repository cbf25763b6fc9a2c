"""Notes on content that is no reason for a refusal, but matters where the file is served.

"active-content": the file holds a program that runs where the file is opened or served inline:
script in an SVG, HTML, actions of a PDF, macros of an Office document. The search covers plain text
and not packed or disguised content, so a missing note promises nothing.

"polyglot": the file has a second type besides the type of its beginning: an archive at the end, a
PDF behind the start, a GIF whose size opens a script's comment. The archive is unpacked and
scanned.

"not-examined": a part of the file that the scanner cannot look into, with the kind and the place
of the part, for example "not-examined: encrypted-attachment, object 12".
"""

import re
from collections.abc import Sequence
from typing import IO, Final

from shared.scanning.engines import Scanned
from shared.scanning.scanner import MAX_NOT_EXAMINED, NotExamined, RefusedArchiveError
from shared.scanning.zips import has_directory

ACTIVE_CONTENT: Final = "active-content"
POLYGLOT: Final = "polyglot"
NOT_EXAMINED: Final = "not-examined"

# Scripting of SVG 2 (section 15), and HTML elements that SVG may hold. With its NULs removed,
# UTF-16 reads the same.
_SVG: Final = re.compile(
    rb"<(?:[\w-]+:)?(?:script|iframe|object|embed|handler)\b|[\s'\"]on[a-z]{3,24}\s*=|javascript\s*:",
    re.IGNORECASE,
)
# ISO 32000-1 sections 12.6.4.5, 12.6.4.16 and 13.7.
_PDF: Final = re.compile(rb"/JavaScript|/Launch|/RichMedia")
# The part of an Office Open XML package, and the storage of an older document, that hold macros:
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
# Longer than any match but an absurd match.
_OVERLAP: Final = 64

_ZIPPED: Final = ("application/zip", "application/vnd.o", "application/epub")
_PDF_START: Final = 1024


class ContentNotes:
    """Take a file's bytes in chunks, and make the notes after the last chunk."""

    def __init__(self, media_type: str, head: bytes) -> None:
        """`head` is the first 1,024 bytes of the file or more, or the whole file."""
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

    def finish(self, file: IO[bytes] | None, scans: Sequence[Scanned]) -> tuple[str, ...]:
        """Return the notes. `file` is the whole file, where intake has random access.

        The last notes are on the parts that the engines of `scans` did not look into.
        """
        polyglot = self._polyglot or (file is not None and self._ends_as_another(file))
        found = ((self._active, ACTIVE_CONTENT), (polyglot, POLYGLOT))
        notes = tuple(note for holds, note in found if holds)
        return notes + not_examined_notes([p for s in scans for p in s.findings.not_examined])

    def _ends_as_another(self, copy: IO[bytes]) -> bool:
        if self._media_type.startswith(_ZIPPED):
            return False
        try:
            return has_directory(copy)
        except RefusedArchiveError:
            # A directory stands at the end, and cannot be read in one way alone.
            return True


def not_examined_notes(parts: Sequence[NotExamined]) -> tuple[str, ...]:
    """Return the notes on parts that an engine did not look into, each note once."""
    notes = [f"{NOT_EXAMINED}: {part.what}, {part.where}" for part in parts[:MAX_NOT_EXAMINED]]
    if len(parts) > MAX_NOT_EXAMINED:
        notes.append(f"{NOT_EXAMINED}: further parts")
    return tuple(dict.fromkeys(notes))


def _two_starts(media_type: str, head: bytes) -> bool:
    if media_type == "image/gif":
        return head[6:8] == b"/*"
    if media_type == "application/pdf" or media_type.startswith("text/"):
        return False
    return re.search(rb"%PDF-[12]\.[0-9]", head[:_PDF_START]) is not None
