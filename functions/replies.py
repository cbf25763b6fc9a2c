"""The JSON bodies that the endpoints answer."""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from shared.accesslog.views import Listed, Witness
from shared.backups.rules import Summary
from shared.composition import Check
from shared.consents.rules import Grant
from shared.consents.rules import Status as GrantStatus
from shared.erasures.rules import Status as ErasureStatus
from shared.intake.rules import Difference, DocumentFound, Verdict
from shared.messages.contracts import Actor
from shared.rows import Stored
from shared.tenancy.rules import Tenant


class View(Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the bodies that are made for an answer alone: camelCase names."""


class Problem(View, frozen=True):
    """What is wrong (RFC 9457). `type` is stable; `remedy` says what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str


class Health(View, frozen=True):
    """The app runs."""

    status: Literal["ok"]


class Readiness(View, frozen=True):
    """Whether each service that the app stands on answers, by name."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, Check]


class Link(View, frozen=True):
    """Where an asset's bytes can be read for some minutes."""

    location: str


class TenantPage(View, frozen=True):
    """Tenants, and what to pass to read on."""

    tenants: list[Tenant]
    continuation: str | None


class UploadUrl(View, frozen=True):
    """Where one file can be put, and until when; with `blocks` also in blocks."""

    id: str
    path: str
    url: str
    expires_at: datetime
    blocks: bool


class AssetView(View, frozen=True):
    """An asset. `size` is in bytes; `people` are the metadata fields that name somebody, or may.

    `version` counts the cleared uploads to the path. `upload`, `declared_size` and `declared_type`
    are of the request for its upload URL, `differences` in which of these the file is another.
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
    people: tuple[str, ...] = ()
    documents: tuple[DocumentFound, ...] = ()
    metadata_note: str | None = None
    content_notes: tuple[str, ...] = ()
    version: int | None = None
    upload: str | None = None
    declared_size: int | None = None
    declared_type: str | None = None
    differences: tuple[Difference, ...] = ()


class AssetPage(View, frozen=True):
    """Assets, and what to pass to read on."""

    assets: list[AssetView]
    continuation: str | None


class EntryPage(View, frozen=True):
    """Entries of the access log, and what to pass to read on."""

    entries: list[Listed]
    continuation: str | None


class EntryProofView(View, frozen=True):
    """An entry as it is kept, and its hash path to a checkpoint; bytes and hashes are in base64.

    `proof` goes from the leaf's sibling up to the root's child (RFC 6962 section 2.1.1).
    """

    index: int
    size: int
    entry: str
    leaf_hash: str
    proof: list[str]
    root_hash: str
    checkpoint: str


class ConsistencyProofView(View, frozen=True):
    """That the tree of one size continues another (RFC 6962 section 2.1.2); hashes in base64."""

    from_: int = field(name="from")
    to: int
    from_root_hash: str
    to_root_hash: str
    proof: list[str]


class WitnessList(View, frozen=True):
    """The witnesses of a log."""

    witnesses: list[Witness]


class Revoked(Struct, frozen=True):
    """Since when a key signs no more, in seconds since 1970 (OpenID Federation 1.0)."""

    revoked_at: int


class PublicKeyView(View, frozen=True):
    """A JSON Web Key (RFC 8037); `vkey` is the key as C2SP signed-note writes it."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str
    revoked: Revoked | None = None
    vkey: str | None = None


class KeySet(View, frozen=True):
    """A JWK Set (RFC 7517)."""

    keys: list[PublicKeyView]


class GrantView(Grant, frozen=True, kw_only=True):
    """A consent grant and whether it holds now."""

    status: GrantStatus


class GrantPage(View, frozen=True):
    """Consent grants, and what to pass to read on."""

    consent_grants: list[GrantView]
    continuation: str | None


class ErasureView(Stored, frozen=True):
    """An erasure request. `assets`, `bytes` and `index_rows` are its preview."""

    id: str
    tenant: str
    status: ErasureStatus
    requested_by: Actor
    requested_at: datetime
    assets: int | None = None
    bytes: int | None = None
    index_rows: int | None = None
    previewed_at: datetime | None = None
    approved_by: Actor | None = None
    approved_at: datetime | None = None
    completed_at: datetime | None = None


class ErasurePage(View, frozen=True):
    """Erasure requests, and what to pass to read on."""

    erasure_requests: list[ErasureView]
    continuation: str | None


class FoundAssets(View, frozen=True):
    """The ids of the assets that an erasure request found."""

    assets: list[str]


class BackupAuditPage(View, frozen=True):
    """The audits of a day, and what to pass to read on."""

    backup_audits: list[Summary]
    continuation: str | None
