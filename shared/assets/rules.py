"""Keep, list and erase assets: pure rules."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from shared.ids import derived_id
from shared.messages.contracts import BlobUploaded
from shared.ports import BlobInfo
from shared.rows import Stored

type Verdict = Literal["clean", "infected", "refused"]
type Difference = Literal["size", "type"]


class PersonFound(Stored, frozen=True):
    """A person in an asset's metadata: the field that names them, and their keys in the index.

    A keyword may name a person too, and so stands here as well.
    """

    field: str
    keys: tuple[str, ...]


class DocumentFound(Stored, frozen=True):
    """The id of a document, or of what it was made from, and the metadata field that holds it.

    It names no person, and finds the renditions of one picture.
    """

    field: str
    id: str


class Asset(Stored, frozen=True):
    """What is kept of an upload. `size` is in bytes; `blob` is its place in `container`.

    `version` counts the cleared uploads to the same path from 1. `upload`, `declared_size` and
    `declared_type` are what was said when the upload's URL was asked for, `differences` in which
    of that the file turned out otherwise.
    """

    id: str
    tenant: str
    path: str
    container: str
    blob: str
    verdict: Verdict
    size: int
    uploaded_at: datetime
    filed_at: datetime
    reason: str | None = None
    media_type: str | None = None
    sha256: str | None = None
    engine: str | None = None
    engine_version: str | None = None
    signature_version: str | None = None
    signatures_made_at: datetime | None = None
    signature_age_days: int | None = None
    signatures: tuple[str, ...] = ()
    people: tuple[PersonFound, ...] = ()
    documents: tuple[DocumentFound, ...] = ()
    metadata_note: str | None = None
    content_notes: tuple[str, ...] = ()
    version: int | None = None
    upload: str | None = None
    declared_size: int | None = None
    declared_type: str | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def subjects(self) -> frozenset[str]:
        """The keys under which the asset stands in the subject index."""
        return frozenset(subject for person in self.people for subject in person.keys)

    def fields_of(self, subject: str) -> list[str]:
        """The metadata fields that hold the identifier with this key, in order."""
        return sorted({person.field for person in self.people if subject in person.keys})


@dataclass(frozen=True, slots=True)
class AssetFilter:
    """Which assets to list: all that meet each condition that is given."""

    verdict: Verdict | None = None
    prefix: str = ""
    uploaded_from: datetime | None = None
    uploaded_before: datetime | None = None


EVERY: Final = AssetFilter()


class Tombstone(Stored, frozen=True):
    """What is left of an erased asset: that there was one, and which request erased it."""

    id: str
    tenant: str
    erased_at: datetime
    erasure_request: str


def after_prefix(prefix: str) -> str | None:
    """The first text that sorts after all that begin with `prefix`; None where nothing does.

    Table Storage sorts by UTF-16 code units, in which no text follows a last unit of U+FFFF: what
    lies before it then bounds too little, never too much.
    """
    kept = prefix.rstrip("\uffff\U0010ffff")
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)


def upload_id(blob: BlobInfo | BlobUploaded) -> str:
    """The id of an upload, and of the asset that it becomes: derived from the blob's version."""
    return derived_id(blob.last_modified, blob.name, blob.etag)
