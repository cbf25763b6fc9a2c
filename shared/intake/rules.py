"""The destination and the record of an upload: pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from shared.assets.rules import Difference, DocumentFound, Verdict
from shared.blob_names import (
    canonical_path,
    has_dot_segment,
    is_valid_blob_name,
    turns_writing,
)
from shared.catalogue import QUARANTINE_CONTAINER, tenant_container
from shared.errors import InvalidInputError, TooLargeError
from shared.metadata.worker.result import MetadataText
from shared.ports import BlobInfo
from shared.residency import serves
from shared.rows import Stored
from shared.scanning.engines import Scanned, is_infected, refusal_of
from shared.tenancy.rules import Tenant, is_tenant_id

NO_TENANT: Final = "_unknown"
"""The owner of uploads that belong to no tenant."""
# The largest block blob in one request, "Put Blob"; a larger blob goes in blocks.
MAX_SINGLE_PUT: Final = 5000 * 1024**2

# A blob's name is at most 1,024 characters, of at most 254 segments, and must not end with a dot or
# a slash ("Naming and referencing containers, blobs, and metadata", learn.microsoft.com).
_MAX_NAME = 1024
# A server-side copy names the source in a header of at most 2 KiB, the account and the container
# included: "Copy Blob From URL", x-ms-copy-source.
_MAX_ENCODED = 1700
_MAX_SEGMENTS = 254

# Clients round the declared size, or convert line ends: bytes, and a share of the declared size.
_SIZE_TOLERANCE = 64 * 1024
_SIZE_TOLERANCE_SHARE = 10

_LONG_SCAN = 64 * 1024**2

BLOB_TYPE_NOT_ALLOWED: Final = "blob-type-not-allowed"

# The wait before an upload counts as forgotten, in addition to the time for the upload's bytes.
_OVERDUE_AFTER = timedelta(minutes=10)
# The lifetime of a message on a queue, less the wait above.
BULK_WAIT: Final = timedelta(minutes=50)
_SLOWEST_BYTES_A_SECOND = 30 * 1024**2

# The media type without information on a file's content: RFC 2046 section 4.5.1.
ANY_TYPE: Final = "application/octet-stream"


class Upload(Stored, frozen=True):
    """A permitted upload. `size`, in bytes, and `media_type` are the uploader's statements.

    `path` is the path as typed, and `requested_by` the id of the caller who asked. `expires_at` is
    the end of the URL. `scanning_since` is set where the scan takes long.
    """

    id: str
    path: str
    size: int
    media_type: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    scanning_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Inspection:
    """The results of a pass over the bytes. `size` is in bytes.

    `people` are the metadata fields that name, or may name, a person; `texts` are all texts of the
    metadata.
    """

    size: int
    sha256: str
    media_type: str
    scans: Sequence[Scanned]
    people: Sequence[str]
    metadata_note: str | None
    documents: Sequence[DocumentFound] = ()
    content_notes: Sequence[str] = ()
    texts: Sequence[MetadataText] = ()


@dataclass(frozen=True, slots=True)
class Filing:
    """The decision on an upload: the verdict, and the reason for a verdict other than clean."""

    verdict: Verdict
    reason: str | None


def check_path(tenant: str, path: str) -> None:
    """Check that `tenant` may upload to `path`. Raises InvalidInputError with the broken rule."""
    faults = (_path_fault(f"{tenant}/{one}") for one in (path, canonical_path(path)))
    if fault := next((one for one in faults if one), None):
        raise InvalidInputError(
            "path-invalid", f"The path cannot be uploaded to: {fault}.", "Choose another path."
        )


def check_size(size: int, limit: int) -> None:
    """Check that a file of `size` bytes is taken in. Raises TooLargeError, or InvalidInputError."""
    if size > limit:
        raise TooLargeError(
            "upload-too-large",
            f"The file is larger than the {limit} bytes that are taken in.",
            "Upload it in parts that are smaller.",
        )
    if size == 0:
        raise InvalidInputError(
            "upload-empty", "An empty file is not taken in.", "Upload a file that has content."
        )


def differences(
    declared_size: int, declared_type: str, size: int, media_type: str | None
) -> tuple[Difference, ...]:
    """Return the properties of a file that differ from the declaration.

    Types are compared by RFC 9110. `media_type` is the type of the content, or None without an
    inspection.
    """
    declared = declared_type.partition(";")[0].strip().lower()
    silent = declared == ANY_TYPE or media_type is None
    # Plain text has no signature, and any type of text may be plain text.
    as_text = declared.startswith("text/") and media_type in ("text/plain", ANY_TYPE)
    checks: tuple[tuple[bool, Difference], ...] = (
        (declared_size != size, "size"),
        (not silent and not as_text and declared != media_type, "type"),
    )
    return tuple(difference for differs, difference in checks if differs)


def takes_long(size: int) -> bool:
    """Tell whether the scan of `size` bytes takes so long that a client may ask how far it is."""
    return size >= _LONG_SCAN


def is_overdue(size: int, uploaded_at: datetime, waiting_since: datetime) -> bool:
    """Tell whether an upload still in `incoming` has been forgotten.

    `waiting_since` is the arrival of the oldest message that waits for intake, or the present time
    without messages: an upload long before `waiting_since` waits in no queue.
    """
    working = timedelta(seconds=size / _SLOWEST_BYTES_A_SECOND)
    return uploaded_at + _OVERDUE_AFTER + working < waiting_since


def refuse_unread(
    blob: BlobInfo, upload: Upload | None, tenant: Tenant | None, region: str, limit: int
) -> Filing | None:
    """Return the filing of a blob that is refused by its properties alone, or None.

    `upload` is the permitted upload that the blob's name names. `limit`, the largest accepted size,
    is in bytes. Intake reads no byte of a refused blob, so that a blob of a size or kind that
    nobody permitted costs nothing.
    """
    checks = (
        (tenant is None, "upload-unknown"),
        (
            tenant is not None and not serves(region, tenant.residency_zone),
            "residency-zone-not-served",
        ),
        (upload is None, "upload-unknown"),
        (tenant is not None and tenant.status != "active", "tenant-not-active"),
        (not blob.is_block_blob, BLOB_TYPE_NOT_ALLOWED),
        (blob.size == 0, "zero-bytes"),
        (blob.size > limit, "too-large"),
        (upload is not None and not _is_about(blob.size, upload.size), "size-not-declared"),
    )
    return next((Filing("refused", reason) for failed, reason in checks if failed), None)


def keeps_bytes(filing: Filing) -> bool:
    """Tell whether the bytes of an upload are kept, in quarantine at least.

    One request without a body makes a page blob of terabytes of zeros. A copy in quarantine would
    cost the stamp what the upload did not cost the uploader. A block blob has as many bytes as the
    uploader sent.
    """
    return filing.reason != BLOB_TYPE_NOT_ALLOWED


def _is_about(size: int, declared: int) -> bool:
    """Tell whether a file of `size` bytes is of about the declared size, in bytes."""
    return abs(size - declared) <= _SIZE_TOLERANCE + declared // _SIZE_TOLERANCE_SHARE


def decide(inspection: Inspection) -> Filing:
    """Return the filing of a read upload: cleared by every engine, or not cleared."""
    if is_infected(inspection.scans):
        return Filing("infected", "malware-found")
    refusal = refusal_of(inspection.scans) if inspection.scans else "scan-not-possible"
    return Filing("refused", refusal) if refusal else Filing("clean", None)


def served_type(filing: Filing, inspection: Inspection | None) -> str:
    """Return the media type of the filed blob: of the content if cleared, of bytes otherwise."""
    if filing.verdict != "clean" or inspection is None:
        return ANY_TYPE
    return inspection.media_type


def destinations(filing: Filing, folder: str, path: str, asset: str) -> tuple[str, tuple[str, ...]]:
    """Return the container, and the names in the container to try in turn.

    `folder` is the first folder of the blob in `incoming`: as a rule, the tenant. A cleared asset
    keeps the path, in the canonical spelling. If an earlier version has the path, the id goes
    before the extension: nothing is ever overwritten. A quarantined blob is named by ids alone.
    """
    if filing.verdict != "clean":
        return QUARANTINE_CONTAINER.name, (quarantined_name(folder, asset),)
    path = canonical_path(path)
    file = PurePosixPath(path)
    versioned = str(file.with_name(f"{file.stem[:200]}.{asset}{file.suffix[:20]}"))
    if len(versioned) > _MAX_NAME:
        versioned = f"{asset}{file.suffix[:20]}"
    return tenant_container(folder), (path, versioned)


def quarantined_name(folder: str, *identifiers: str) -> str:
    """Return the name in `quarantine` of a blob that came in `folder` of `incoming`."""
    return f"{owner_of(folder)}/{'.'.join(identifiers)}"


def owner_of(folder: str) -> str:
    """Return the tenant that a folder of `incoming` names; NO_TENANT for any other folder."""
    return folder if is_tenant_id(folder) else NO_TENANT


def places(folder: str, path: str | None, asset: str) -> list[tuple[str, str]]:
    """Return every container and name to which an upload may have been copied.

    `path` is the upload's path; None for a blob that no permit names, and so is never cleared.
    """
    filings = [Filing("refused", None)]
    if path is not None:
        filings.append(Filing("clean", None))
    return [
        (container, place)
        for container, names in (destinations(one, folder, path or "", asset) for one in filings)
        for place in names
    ]


def _path_fault(name: str) -> str | None:
    segments = name.split("/")
    checks = (
        (len(name) > _MAX_NAME, f"with the tenant it is longer than {_MAX_NAME} characters"),
        (
            len(quote(name, errors="replace")) > _MAX_ENCODED,
            f"with the tenant and percent-encoded it is longer than {_MAX_ENCODED} characters",
        ),
        (len(segments) > _MAX_SEGMENTS, f"it has more than {_MAX_SEGMENTS} segments"),
        ("" in segments, "it has an empty segment"),
        (has_dot_segment(name), "a segment is . or .."),
        (any(s.endswith(".") for s in segments), "a segment ends with a dot"),
        ("\\" in name, "it has a backslash"),
        (
            not is_valid_blob_name(name),
            "it has a control character, or one that is none of Unicode",
        ),
        (turns_writing(name), "it has a character that turns the direction of writing"),
    )
    return next((fault for failed, fault in checks if failed), None)
