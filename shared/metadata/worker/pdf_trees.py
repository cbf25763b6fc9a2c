"""The names and labels of a PDF that stand in trees of the catalogue, and in programs' own data.

Source: ISO 32000-2, sections 7.9.6, 8.11, 12.3.2, 12.4.2, 14.5 and 14.7.
"""

import time
from collections.abc import Iterable
from typing import Final

from pypdf.generic import (
    ByteStringObject,
    DictionaryObject,
    IndirectObject,
    StreamObject,
    TextStringObject,
)

from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import MetadataBuilder

TREES: Final = ("/PageLabels", "/OCProperties", "/Dests", "/Names", "/PieceInfo", "/StructTreeRoot")
"""The entries of the catalogue that are read, the shorter first."""

# Links that lead out of a tree, and numbers.
_NO_TEXTS: Final = frozenset(
    {"/Pg", "/P", "/Parent", "/ParentTree", "/EmbeddedFiles", "/JavaScript", "/Metadata"}
)
# The names of destinations are the keys of a dictionary in PDF 1.1.
_DESTINATIONS: Final = "PDF:Dests"
_OWN_KEYS: Final = frozenset({"/D", "/S", "/Type", "/SD"})
# Elsewhere "/P" leads to a parent or a page; in a label "/P" is the text before the number.
_LABELS: Final = "PDF:PageLabels"
_MAX_SECONDS: Final = 0.6
_MAX_OBJECTS: Final = 50_000


def add_trees(holders: Iterable[DictionaryObject], found: MetadataBuilder) -> None:
    """Add every text in the trees of the catalogue and of pages, the catalogue last.

    Trees that take too long are marked as partial.
    """
    until = time.process_time() + _MAX_SECONDS
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[str, object]] = [
        (f"PDF:{name[1:]}", holder[name])
        for holder in holders
        for name in reversed(TREES)
        if name in holder
    ]
    for _ in range(_MAX_OBJECTS):
        if not waiting:
            return
        if time.process_time() > until:
            break
        field, value = waiting.pop()
        if isinstance(value, IndirectObject):
            if (value.idnum, value.generation) in seen:
                continue
            seen.add((value.idnum, value.generation))
            value = value.get_object()
        if isinstance(value, StreamObject):
            # The data of a program, in a form of the program's own.
            found.partial = True
        elif isinstance(value, DictionaryObject):
            waiting += [(field, one) for one in _members(field, value, found)]
        elif isinstance(value, list):
            waiting += [(field, one) for one in reversed(value)]
        elif isinstance(value, TextStringObject):
            found.text(field, str(value))
        elif isinstance(value, ByteStringObject):
            found.text(field, *decoded(bytes(value)))
    else:
        found.partial |= bool(waiting)
        return
    found.partial = True


def _members(field: str, value: DictionaryObject, found: MetadataBuilder) -> list[object]:
    """Return the members that belong to the tree, and add names that are keys."""
    # A destination begins with a page, which is no part of the tree.
    if value.get("/Type") == "/Page":
        return []
    if field == _DESTINATIONS:
        found.text(field, " ".join(key[1:] for key in value if key not in _OWN_KEYS))
    left_out = _NO_TEXTS - {"/P"} if field == _LABELS else _NO_TEXTS
    return [one for key, one in value.items() if key not in left_out]
