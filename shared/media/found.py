"""What was found in a file's metadata, and the notes on what could not be."""

from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 256
"""Characters of an identifier that are kept."""

MAX_PEOPLE: Final = 1000
"""People of one file that are kept."""

UNREADABLE: Final = "metadata-unreadable"
TOO_LARGE: Final = "metadata-too-large"
NOT_SUPPORTED: Final = "metadata-not-supported"
CUT: Final = "metadata-cut"


@dataclass(frozen=True, slots=True, order=True)
class Person:
    """A name or an e-mail address, and the metadata field that holds it."""

    identifier: str
    field: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """The people found, sorted and each once, and why some may be missing.

    `note` is None or "metadata-unreadable" (all or a part of it is broken; what could be read is
    in `people`), "metadata-not-supported" (the type is one that is not read), "metadata-too-large"
    (it takes more memory or time than is given, so nothing was read) or "metadata-cut" (more or
    longer names than are kept).
    """

    people: tuple[Person, ...] = ()
    note: str | None = None


class Found:
    """The people so far, within the limits."""

    def __init__(self) -> None:
        self.people: set[Person] = set()
        self.cut = False

    def add(self, identifier: str, field: str) -> None:
        """Keep a name or an address, cut to `MAX_LENGTH`; nothing is made of an empty one."""
        # Exiv2 hands bytes that are no UTF-8 on as lone surrogates, which nothing could encode.
        text = identifier.encode("utf-8", "replace").decode().replace("\0", " ")
        name = " ".join(text.split())
        if not name:
            return
        self.cut |= len(name) > MAX_LENGTH
        person = Person(name[:MAX_LENGTH].rstrip(), field)
        if len(self.people) < MAX_PEOPLE:
            self.people.add(person)
        elif person not in self.people:
            self.cut = True

    def metadata(self, *, broken: bool = False) -> Metadata:
        """All that was found, with the note that it deserves."""
        note = UNREADABLE if broken else CUT if self.cut else None
        return Metadata(tuple(sorted(self.people)), note)
