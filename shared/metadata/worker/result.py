"""The metadata of a file, and the notes on unread metadata."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field as column
from typing import Final

from shared.metadata.worker.iptc_exif_xmp_fields import KEYWORDS, Field

MAX_LENGTH: Final = 256
"""Characters of an identifier that are kept."""

MAX_PEOPLE: Final = 1000
"""People of one file that are kept."""

MAX_DOCUMENTS: Final = 30
"""Ids of documents that are kept of one file."""

MAX_TEXTS: Final = 16 * 1024 * 1024
"""Bytes of memory that the texts of one file may take."""

UNREADABLE: Final = "metadata-unreadable"
TOO_LARGE: Final = "metadata-too-large"
NOT_SUPPORTED: Final = "metadata-not-supported"
CUT: Final = "metadata-cut"
ENCRYPTED: Final = "metadata-encrypted"
PARTIAL: Final = "metadata-partial"
XMP_ONLY: Final = "metadata-xmp-only"

RENDERED_TOO_LARGE: Final = "too-large"
UNRENDERABLE: Final = "unreadable"

# An id is a GUID or a digest under a prefix of Adobe's (XMP part 2, xmpMM). The fields are plain
# text and could also hold a name: do not keep a name.
_DOCUMENT: Final = re.compile(
    r"(?:xmp\.(?:did|iid|oid):|(?:urn:)?uuid:|(?:adobe|gimp):docid:[a-z]{1,20}:)?"
    r"(?=.{16,64}\Z)[0-9a-f]+(?:-[0-9a-f]+)*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, order=True)
class NamedPerson:
    """A name, an e-mail address, or a keyword that may name a person; and the field of the text."""

    identifier: str
    field: str


@dataclass(frozen=True, slots=True, order=True)
class DocumentId:
    """The id of a document, of a version, or of a source document; and the field's name."""

    identifier: str
    field: str


@dataclass(frozen=True, slots=True, order=True)
class MetadataText:
    """A text as read, without white space around the text; and the field's name in its standard.

    `readings` are the text in other encodings that the bytes allow, where the encoding is in doubt.
    """

    field: str
    text: str
    readings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metadata:
    """People and documents, each once, sorted with keywords last; and a note on unread metadata.

    `texts` are all texts of the metadata, each once, in the order of the file.

    `note` is None, or the first applicable note of:
    - "metadata-too-large": the metadata takes more memory or time than is given, so a part is
      unread;
    - "metadata-unreadable": the metadata is broken, wholly or in part, and holds the readable part;
    - "metadata-encrypted": the file needs a password;
    - "metadata-not-supported": no reader knows the type;
    - "metadata-cut": the file has more texts than are kept, or more names, or longer names;
    - "metadata-partial": the file has places for text that no reader knows, such as the comments in
      the text of an old Word file, the layers of a Photoshop file, or a manifest of C2PA;
    - "metadata-xmp-only": only the XMP of this type is read, and not its other metadata.

    Without a note, every part of the file that can hold text of metadata was read.

    `has_xmp` says that XMP stands in the type's own place for XMP.
    """

    people: tuple[NamedPerson, ...] = ()
    note: str | None = None
    documents: tuple[DocumentId, ...] = ()
    has_xmp: bool = column(default=False, compare=False)
    texts: tuple[MetadataText, ...] = column(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture in small: a JPEG in base64, or a note of the reason for none.

    `note` is RENDERED_TOO_LARGE for a picture that takes more memory or time than is given, and
    UNRENDERABLE for a file that is broken, ends early, or is no picture of a known type.
    """

    jpeg: str = ""
    note: str | None = None


def is_document_id(text: str) -> bool:
    """Tell whether the text has the form of a document's id, which can be no name."""
    return _DOCUMENT.match(text) is not None


class Texts:
    """Texts, each once, in `MAX_TEXTS` bytes of memory. `cut` marks texts that had no room."""

    def __init__(self) -> None:
        self.cut = False
        self._texts: dict[MetadataText, None] = {}
        self._room = MAX_TEXTS

    def add(self, text: MetadataText) -> None:
        """Keep a text, if room is left."""
        if text in self._texts:
            return
        size = _OVERHEAD
        if self._room >= size:
            size += sum(map(sys.getsizeof, (text.text, *text.readings)))
        if size > self._room:
            self.cut = True
        else:
            self._room -= size
            self._texts[text] = None

    def all(self) -> tuple[MetadataText, ...]:
        """Return the texts."""
        return tuple(self._texts)


# Bytes of a `MetadataText` and of its place among the texts; the names of fields are shared.
_OVERHEAD: Final = 160
_NO_CONTROLS: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127), " ")


class MetadataBuilder:
    """Collect people and documents, within the limits."""

    def __init__(self) -> None:
        self.broken = False
        self.cut = False
        self.partial = False
        self.has_xmp = False
        self._people: set[NamedPerson] = set()
        self._documents: set[DocumentId] = set()
        self._texts = Texts()

    def text(self, field: str, text: str, readings: Iterable[str] = ()) -> None:
        """Keep a text of a field, and the text's other readings."""
        text = _without_controls(text)
        if text:
            others = dict.fromkeys(map(_without_controls, readings)) if readings else {}
            self._texts.add(
                MetadataText(field, text, tuple(o for o in others if o not in ("", text)))
            )

    def add(self, text: str, field: Field) -> None:
        """Keep the identifiers in the text of a field, each cut to `MAX_LENGTH`."""
        for part in field.parts(_clean(text)):
            name = " ".join(part.split())
            if not name:
                continue
            person = NamedPerson(name[:MAX_LENGTH].rstrip(), field.name)
            if len(self._people) < MAX_PEOPLE:
                self._people.add(person)

    def add_document(self, text: str, field: str) -> None:
        """Keep the id of a document, if the text has the form of an id."""
        identifier = _clean(text).strip()
        if _DOCUMENT.match(identifier) and len(self._documents) < MAX_DOCUMENTS:
            self._documents.add(DocumentId(identifier, field))

    def metadata(self) -> Metadata:
        """Return the metadata collected, with its note."""
        marks = (self.broken, self.cut or self._texts.cut, self.partial)
        note = next((n for n, is_so in zip(_OWN_NOTES, marks, strict=True) if is_so), None)
        people = sorted(self._people, key=_keywords_last)
        return Metadata(
            tuple(people), note, tuple(sorted(self._documents)), self.has_xmp, self._texts.all()
        )


class Merging:
    """Merge the metadata of several parts of one file, part by part."""

    def __init__(self) -> None:
        self._people: set[NamedPerson] = set()
        self._documents: set[DocumentId] = set()
        self._notes: set[str | None] = set()
        self._texts = Texts()

    def add(self, part: Metadata) -> None:
        """Add a part."""
        self._people.update(part.people)
        self._documents.update(part.documents)
        self._notes.add(part.note)
        for text in part.texts:
            self._texts.add(text)

    def metadata(self) -> Metadata:
        """Return the metadata of all parts, with the first note that applies."""
        notes = self._notes
        if self._texts.cut:
            notes = notes | {CUT}
        return Metadata(
            tuple(sorted(self._people, key=_keywords_last)[:MAX_PEOPLE]),
            next((note for note in _NOTES if note in notes), None),
            tuple(sorted(self._documents)[:MAX_DOCUMENTS]),
            texts=self._texts.all(),
        )


def merged(parts: Iterable[Metadata]) -> Metadata:
    """Merge the metadata of several parts of one file."""
    merging = Merging()
    for part in parts:
        merging.add(part)
    return merging.metadata()


_OWN_NOTES: Final = (UNREADABLE, CUT, PARTIAL)
_NOTES: Final = (TOO_LARGE, UNREADABLE, ENCRYPTED, NOT_SUPPORTED, CUT, PARTIAL, XMP_ONLY)


def _keywords_last(person: NamedPerson) -> tuple[bool, NamedPerson]:
    return person.field in KEYWORDS, person


def _without_controls(text: str) -> str:
    if not text.isprintable():
        text = _clean(text).translate(_NO_CONTROLS)
    return text.strip()


def _clean(text: str) -> str:
    if text.isascii():
        return text.replace("\0", " ")
    # Exiv2 gives bytes that are not UTF-8 as lone surrogates, which cannot be encoded.
    return text.encode("utf-8", "replace").decode().replace("\0", " ")
