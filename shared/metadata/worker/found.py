"""What was found in a file's metadata, and the notes on what could not be."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as column
from typing import Final

from shared.metadata.worker.fields import KEYWORDS, Field

MAX_LENGTH: Final = 256
"""Characters of an identifier that are kept."""

MAX_PEOPLE: Final = 1000
"""People of one file that are kept."""

MAX_DOCUMENTS: Final = 30
"""Ids of documents that are kept of one file."""

UNREADABLE: Final = "metadata-unreadable"
TOO_LARGE: Final = "metadata-too-large"
NOT_SUPPORTED: Final = "metadata-not-supported"
CUT: Final = "metadata-cut"
ENCRYPTED: Final = "metadata-encrypted"
XMP_ONLY: Final = "metadata-xmp-only"

# An id is a GUID or a digest under a prefix of Adobe's (XMP part 2, xmpMM). The fields are plain
# text that could as well hold a name, which must not be kept.
_DOCUMENT: Final = re.compile(
    r"(?:xmp\.(?:did|iid|oid):|(?:urn:)?uuid:|adobe:docid:[a-z]{1,20}:)?"
    r"(?=.{16,64}\Z)[0-9a-f]+(?:-[0-9a-f]+)*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, order=True)
class Person:
    """A name, an e-mail address, or a keyword that may be one; and the field that holds it."""

    identifier: str
    field: str


@dataclass(frozen=True, slots=True, order=True)
class Document:
    """The id of a document, a version of one, or what it was made from; and the field's name."""

    identifier: str
    field: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was found, each once, sorted with keywords last; and why some may be missing.

    `note` is None, or the first of these that applies:
    - "metadata-too-large": it takes more memory or time than is given, so some was not read;
    - "metadata-unreadable": all or a part of it is broken, and what could be read is here;
    - "metadata-encrypted": it needs a password;
    - "metadata-not-supported": the type is not one that is read;
    - "metadata-cut": there are more names, or longer ones, than are kept;
    - "metadata-xmp-only": of this type only XMP is read, and not what else it may have.

    `has_xmp` says that there is XMP where the type has its place for it.
    """

    people: tuple[Person, ...] = ()
    note: str | None = None
    documents: tuple[Document, ...] = ()
    has_xmp: bool = column(default=False, compare=False)


class Found:
    """What was found so far, within the limits."""

    def __init__(self) -> None:
        self.broken = False
        self.cut = False
        self.has_xmp = False
        self._people: set[Person] = set()
        self._documents: set[Document] = set()

    def add(self, text: str, field: Field) -> None:
        """Keep the identifiers in the text of a field, each cut to `MAX_LENGTH`."""
        for part in field.parts(_clean(text)):
            name = " ".join(part.split())
            if not name:
                continue
            self.cut |= len(name) > MAX_LENGTH
            person = Person(name[:MAX_LENGTH].rstrip(), field.name)
            if len(self._people) < MAX_PEOPLE:
                self._people.add(person)
            elif person not in self._people:
                self.cut = True

    def add_document(self, text: str, field: str) -> None:
        """Keep the id of a document, if it has the form of one."""
        identifier = _clean(text).strip()
        if _DOCUMENT.match(identifier) and len(self._documents) < MAX_DOCUMENTS:
            self._documents.add(Document(identifier, field))

    def metadata(self) -> Metadata:
        """All that was found, with the note that it deserves."""
        note = UNREADABLE if self.broken else CUT if self.cut else None
        people = sorted(self._people, key=_keywords_last)
        return Metadata(tuple(people), note, tuple(sorted(self._documents)), self.has_xmp)


def merged(parts: Iterable[Metadata]) -> Metadata:
    """What several parts of one file say together."""
    people, documents, notes = set[Person](), set[Document](), set[str | None]()
    for part in parts:
        people.update(part.people)
        documents.update(part.documents)
        notes.add(part.note)
    if len(people) > MAX_PEOPLE:
        notes.add(CUT)
    return Metadata(
        tuple(sorted(people, key=_keywords_last)[:MAX_PEOPLE]),
        next((note for note in _NOTES if note in notes), None),
        tuple(sorted(documents)[:MAX_DOCUMENTS]),
    )


_NOTES: Final = (TOO_LARGE, UNREADABLE, ENCRYPTED, NOT_SUPPORTED, CUT, XMP_ONLY)


def _keywords_last(person: Person) -> tuple[bool, Person]:
    return person.field in KEYWORDS, person


def _clean(text: str) -> str:
    # Exiv2 hands bytes that are no UTF-8 on as lone surrogates, which nothing could encode.
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
