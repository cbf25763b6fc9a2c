"""A typed contract for each message type: the `data` of the CloudEvent.

An unknown field is refused. A change that old readers could not read gets a new version, as a new
type beside the old type.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from shared.catalogue import (
    ACCESS_EVENTS_QUEUE,
    CONSENT_GRANTS_QUEUE,
    ERASURE_BATCHES_QUEUE,
    ERASURE_DISCOVERY_QUEUE,
    ERASURE_REQUESTS_QUEUE,
    INCIDENTS_QUEUE,
    INTAKE_QUEUE,
    NOTICES_QUEUE,
    RESCANS_QUEUE,
)
from shared.ids import ID_PATTERN
from shared.plain_text import PLAIN_PATTERN

# The limits are those of the keys, headers and columns that the fields become, so that a message
# within its contract can always be kept: a key has 512 characters, a column 32,768.
type Text = Annotated[str, Meta(min_length=1, max_length=512, pattern=PLAIN_PATTERN)]
type MaybeText = Annotated[str, Meta(max_length=512, pattern=PLAIN_PATTERN)] | None
type Resource = Annotated[str, Meta(max_length=1100, pattern=PLAIN_PATTERN)]
type Identifier = Annotated[str, Meta(min_length=1, max_length=128, pattern=ID_PATTERN)]
type TenantId = Annotated[str, Meta(min_length=1, max_length=64, pattern=ID_PATTERN)]
type AwareTime = Annotated[datetime, Meta(tz=True)]
# An ETag goes into a header as it came.
type ETag = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[!-~]+$(?!\n)")]


class Contract(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """Base of every contract: camelCase names, no unknown fields."""


class Actor(Contract, frozen=True, omit_defaults=True):
    """The actor of an event. `id` is the directory's object id, never a name.

    `authentication_method` is the proof of identity, in the directory's words.
    """

    id: Identifier
    role: Text
    organisation: Text
    authentication_method: MaybeText = None


class BlobUploaded(Contract, frozen=True):
    """A blob arrived in `incoming`; `etag` and `last_modified` name the version."""

    name: Annotated[str, Meta(min_length=1, max_length=1024)]
    etag: ETag
    last_modified: AwareTime


class ConsentGranted(Contract, frozen=True):
    """A tenant lets an engineer act on the assets under a path prefix for a purpose."""

    grant_id: Identifier
    tenant: TenantId
    path_prefix: Annotated[str, Meta(max_length=1024, pattern=PLAIN_PATTERN)]
    operations: Annotated[tuple[Literal["read"], ...], Meta(min_length=1)]
    purpose: Text
    ticket: Text
    engineer: Identifier
    expires_at: AwareTime
    granted_by: Actor


class ConsentRevoked(Contract, frozen=True):
    """A tenant takes a consent grant back."""

    grant_id: Identifier
    tenant: TenantId
    revoked_by: Actor


class AccessRecorded(Contract, frozen=True):
    """An act on a tenant's data, or a refusal: an entry of the tenant's access log."""

    tenant: TenantId
    actor: Actor
    action: Text
    resource: Resource
    outcome: Literal["allowed", "denied", "failed"]
    purpose: MaybeText = None
    ticket: MaybeText = None
    grant_id: MaybeText = None
    reason: MaybeText = None
    client_address: MaybeText = None
    correlation_id: MaybeText = None


class ErasureDiscoveryReady(Contract, frozen=True):
    """A range of the tenant's assets waits for the search of an erasure request.

    `discovery` is the run of discovery, and `first` the id of the range.
    """

    tenant: TenantId
    request_id: Identifier
    discovery: Identifier
    first: Identifier


class ErasureApproved(Contract, frozen=True):
    """A second DAM manager has approved the preview."""

    tenant: TenantId
    request_id: Identifier


class ErasureBatchReady(Contract, frozen=True):
    """A batch of an approved erasure is ready."""

    tenant: TenantId
    request_id: Identifier
    batch: Annotated[int, Meta(ge=0, le=999_999)]


class RescanBatchReady(Contract, frozen=True):
    """The next batch of a rescan is ready."""

    tenant: TenantId
    rescan_id: Identifier
    batch: Annotated[int, Meta(ge=0)]


class IncidentOpened(Contract, frozen=True):
    """A matter for a person's attention. `resource` is an id, never personal data."""

    kind: Text
    severity: Literal["warning", "critical"]
    summary: Text
    resource: Resource
    tenant: TenantId | None = None


class UploadInfected(Contract, frozen=True):
    """A notice to a tenant's contacts: an upload was infected and is in quarantine.

    The deliverer looks the contacts up; no address travels on a queue.
    """

    tenant: TenantId
    asset_id: Identifier
    found_at: AwareTime


class Recipient(Contract, frozen=True):
    """A receipt of an asset's bytes, by the tenant's access log. `id` is the directory's."""

    id: Identifier
    role: Text
    organisation: Text
    action: Text
    received_at: AwareTime


class AssetInfected(Contract, frozen=True):
    """A notice to a tenant's contacts: a stored asset was found infected and is in quarantine.

    `recipients` are the latest receipts since the asset was filed, the latest first; `is_complete`
    is False where the access log has more.
    """

    tenant: TenantId
    asset_id: Identifier
    filed_at: AwareTime
    found_at: AwareTime
    recipients: tuple[Recipient, ...]
    is_complete: bool


CONTRACTS: dict[str, type[Contract]] = {
    "vouchsafe.blob.uploaded.v1": BlobUploaded,
    "vouchsafe.consent.granted.v1": ConsentGranted,
    "vouchsafe.consent.revoked.v1": ConsentRevoked,
    "vouchsafe.access.recorded.v1": AccessRecorded,
    "vouchsafe.erasure.discovery-ready.v1": ErasureDiscoveryReady,
    "vouchsafe.erasure.approved.v1": ErasureApproved,
    "vouchsafe.erasure.batch-ready.v1": ErasureBatchReady,
    "vouchsafe.rescan.batch-ready.v1": RescanBatchReady,
    "vouchsafe.incident.opened.v1": IncidentOpened,
    "vouchsafe.upload.infected.v1": UploadInfected,
    "vouchsafe.asset.infected.v1": AssetInfected,
}

TYPES: dict[type[Contract], str] = {contract: name for name, contract in CONTRACTS.items()}

QUEUE_OF: dict[type[Contract], str] = {
    BlobUploaded: INTAKE_QUEUE.name,
    ConsentGranted: CONSENT_GRANTS_QUEUE.name,
    ConsentRevoked: CONSENT_GRANTS_QUEUE.name,
    AccessRecorded: ACCESS_EVENTS_QUEUE.name,
    ErasureDiscoveryReady: ERASURE_DISCOVERY_QUEUE.name,
    ErasureApproved: ERASURE_REQUESTS_QUEUE.name,
    ErasureBatchReady: ERASURE_BATCHES_QUEUE.name,
    RescanBatchReady: RESCANS_QUEUE.name,
    IncidentOpened: INCIDENTS_QUEUE.name,
    UploadInfected: NOTICES_QUEUE.name,
    AssetInfected: NOTICES_QUEUE.name,
}
"""The queue that carries each contract."""
