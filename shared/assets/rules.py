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


class DocumentFound(Stored, frozen=True):
    """The id of a document, or of the document's original, and the metadata field with the id.

    The id names no person, and finds the renditions of one picture.
    """

    field: str
    id: str


class EngineVerdict(Stored, frozen=True):
    """The verdict of one engine on the bytes of an asset.

    `matches` are the names of the matching signatures; `refusal` is the reason of an engine that
    could not clear the bytes. A field is None where the engine does not tell.
    """

    engine: str
    scanned_at: datetime
    engine_version: str | None = None
    signature_version: str | None = None
    signatures_made_at: datetime | None = None
    matches: tuple[str, ...] = ()
    refusal: str | None = None

    @property
    def signature_age_days(self) -> int | None:
        """The age of the signatures at the scan, in whole days; None without a date."""
        made = self.signatures_made_at
        return None if made is None else (self.scanned_at - made).days


class Asset(Stored, frozen=True):
    """The record of an upload. `size` is in bytes; `blob` is the blob's name in `container`.

    `people` are the metadata fields that name, or may name, a person.
    `scans` has the last verdict of each engine, and `scanned_at` is the time of the newest.
    `scan_failed_at` is the time of a later attempt to scan that failed.
    `path` is spelled as the uploader typed the path, `canonical_path` for comparison. `version`
    counts the cleared uploads to the same path from 1. `companions` is the same for the files of
    one shot or document: digests of `companion_key` and, behind a point, of `companion_name`, or
    nothing for a cut name (`subjects.companions`). `metadata_reader` is the version of the reading
    of the asset's sealed record, and None for an asset without a record. `upload`, `requested_by`
    (the id of the caller), `declared_size` and `declared_type` come from the request for the
    upload's URL.
    `differences` lists the declared properties that the file does not have. `source_etag` names the
    version of the blob in `incoming` that became the asset. `container` and `blob` are None for
    bytes that are not kept.
    """

    id: str
    tenant: str
    path: str
    verdict: Verdict
    size: int
    uploaded_at: datetime
    filed_at: datetime
    container: str | None = None
    blob: str | None = None
    reason: str | None = None
    media_type: str | None = None
    sha256: str | None = None
    scans: tuple[EngineVerdict, ...] = ()
    scanned_at: datetime | None = None
    scan_failed_at: datetime | None = None
    people: tuple[str, ...] = ()
    documents: tuple[DocumentFound, ...] = ()
    metadata_note: str | None = None
    content_notes: tuple[str, ...] = ()
    version: int | None = None
    canonical_path: str = ""
    companions: str | None = None
    metadata_reader: int | None = None
    source_etag: str | None = None
    upload: str | None = None
    requested_by: str | None = None
    declared_size: int | None = None
    declared_type: str | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def unread_note(self) -> str | None:
        """The note on metadata that nobody can look into; None for a whole record."""
        return NO_RECORD if self.metadata_reader is None else self.metadata_note


@dataclass(frozen=True, slots=True)
class AssetFilter:
    """The conditions on the assets to list; an asset must meet every given condition."""

    verdict: Verdict | None = None
    prefix: str = ""
    uploaded_from: datetime | None = None
    uploaded_before: datetime | None = None
    scanned_before: datetime | None = None
    metadata_note: str | None = None
    """A note of `metadata.worker.result` or `subjects.notes`, NO_RECORD, or ANY_NOTE for any note
    in a record.
    """


ANY_NOTE: Final = "any"
NO_RECORD: Final = "metadata-not-recorded"
"""The note on an asset without a record, which was filed before records existed."""
EVERY: Final = AssetFilter()


class Tombstone(Stored, frozen=True):
    """The remains of an erased asset: its existence, and the erasure request."""

    id: str
    tenant: str
    erased_at: datetime
    erasure_request: str


def after_prefix(prefix: str) -> str | None:
    """Return the first text that sorts after every text with `prefix`; None without a bound.

    Table Storage sorts by UTF-16 code units, and no text follows a last unit of U+FFFF. The bound
    then uses the units before U+FFFF, and includes too much, never too little.
    """
    kept = prefix.rstrip("\uffff\U0010ffff")
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)


def version_id(blob: BlobInfo | BlobUploaded) -> str:
    """Derive an id from the version of a blob in `incoming`."""
    return derived_id(blob.last_modified, blob.name, blob.etag)
