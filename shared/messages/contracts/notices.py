"""The notices to the contacts of tenants and of the stamp, as messages.

The deliverer looks the contacts up; no address travels on a queue.
"""

from typing import Annotated, Final, Literal

from msgspec import Meta

from shared.catalogue import NOTICE_DELIVERIES_QUEUE, NOTICES_QUEUE
from shared.messages.contracts.base import (
    AwareTime,
    Contract,
    Identifier,
    MaybeText,
    MessageType,
    Resource,
    TenantId,
    Text,
)
from shared.plain_text import PLAIN_PATTERN

type Account = Annotated[str, Meta(min_length=1, max_length=4000, pattern=PLAIN_PATTERN)]
type Version = Annotated[int, Meta(ge=1, le=999_999)]
type Count = Annotated[int, Meta(ge=0, le=2**53)]


class UploadInfected(Contract, frozen=True):
    """A notice to a tenant's contacts: an upload was infected and is in quarantine."""

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


class AccessAsked(Contract, frozen=True):
    """A notice to a tenant's contacts: an engineer of the vendor asks for access."""

    tenant: TenantId
    request_id: Identifier
    engineer: Identifier
    purpose: Text
    ticket: Text
    path_prefix: Annotated[str, Meta(max_length=1024, pattern=PLAIN_PATTERN)]
    asked_at: AwareTime


class ConsentChanged(Contract, frozen=True):
    """A notice to a tenant's contacts: a consent grant was given, taken back, has lapsed, or was
    used for the first time.
    """

    tenant: TenantId
    grant_id: Identifier
    change: Literal["granted", "revoked", "lapsed", "used"]
    engineer: Identifier
    purpose: Text
    ticket: Text
    expires_at: AwareTime
    changed_at: AwareTime


class BreakGlassUsed(Contract, frozen=True):
    """A notice to a tenant's contacts: staff of the vendor had access without consent.

    `reason` states the emergency. `ends_at` is the end of the access.
    """

    tenant: TenantId
    access_id: Identifier
    engineer: Identifier
    reason: Text
    ticket: Text
    began_at: AwareTime
    ends_at: AwareTime


class ErasureProgressed(Contract, frozen=True):
    """A notice to a tenant's contacts: an erasure request waits for a decision, or is completed."""

    tenant: TenantId
    request_id: Identifier
    step: Literal["awaiting-approval", "completed"]
    reached_at: AwareTime


class ExportReady(Contract, frozen=True):
    """A notice to a tenant's contacts: an export can be fetched until `expires_at`."""

    tenant: TenantId
    export_id: Identifier
    ready_at: AwareTime
    expires_at: AwareTime


class SubprocessorPlanned(Contract, frozen=True):
    """A notice to a tenant's contacts: a new subprocessor, to which the tenant may object.

    Source: GDPR Art. 28(2).
    """

    tenant: TenantId
    change_id: Identifier
    subprocessor: Text
    service: Text
    country: Text
    starts_at: AwareTime
    objections_until: AwareTime


class MaintenancePlanned(Contract, frozen=True):
    """A notice to a tenant's contacts: a maintenance window.

    `version` counts the changes of the window. `work` describes the work. `emergency` is the reason
    for a window that is announced late.
    """

    window_id: Identifier
    change: Literal["announced", "changed", "called-off", "reminder"]
    tenant: TenantId
    zone: Text
    starts_at: AwareTime
    ends_at: AwareTime
    work: Text
    version: Version
    emergency: MaybeText = None


class BreachNotified(Contract, frozen=True):
    """A notice to a tenant's contacts: a personal data breach, in a version of the notice.

    `assets` has up to 100 of `asset_count` assets. `person_count` and `asset_count` are None where
    the evidence cannot tell; `unknown` then says why. `contact` is the vendor's contact point.
    `tenant_deadline` is the end of the tenant's 72 hours. `reference` names the breach in the
    tenant's register of breaches. Source: GDPR Art. 33(2) to (4).
    """

    tenant: TenantId
    incident_id: Identifier
    breach_id: Identifier
    version: Version
    is_drill: bool
    began_at: AwareTime | None
    ended_at: AwareTime | None
    aware_at: AwareTime
    notified_at: AwareTime
    what_happened: Account
    categories: Annotated[tuple[Text, ...], Meta(max_length=100)]
    asset_count: Count | None
    person_count: Count | None
    assets: Annotated[tuple[Resource, ...], Meta(max_length=100)]
    consequences: Account
    measures: Account
    contact: Text
    tenant_deadline: AwareTime
    reference: Text
    unknown: Annotated[str, Meta(max_length=4000, pattern=PLAIN_PATTERN)] | None = None


class IncidentEscalated(Contract, frozen=True):
    """A notice to staff of the stamp: an incident reached a step of its escalation.

    `roles` are the roles whose contacts are told, such as `vendor.it_supervisor`. `step` is the
    number of the escalation's step. `tenant` is the tenant that the incident concerns, if any; the
    tenant's contacts are not told.
    """

    incident_id: Identifier
    kind: Text
    severity: Literal["warning", "critical"]
    resource: Resource
    summary: Text
    step: Annotated[int, Meta(ge=0, le=99)]
    roles: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=10)]
    is_drill: bool
    opened_at: AwareTime
    tenant: TenantId | None = None


class NoticeUndelivered(Contract, frozen=True):
    """A notice to a tenant's other contacts: notices do not reach a contact.

    `notice_id` is the first notice of the day that did not reach the contact. `result` is the
    answer of the contact's server, as a code.
    """

    tenant: TenantId
    notice_id: Identifier
    notice_kind: Text
    contact_id: Identifier
    channel: Literal["mail", "webhook"]
    result: Text
    failed_at: AwareTime


class NoticeDeliveryDue(Contract, frozen=True):
    """An attempt at the delivery of a notice, or of a digest, to a contact is due.

    `tenant` is None for a contact of the stamp. `asked` counts the requests to deliver again, and
    `attempt` the attempts before this one.
    """

    notice_id: Identifier
    contact_id: Identifier
    asked: Annotated[int, Meta(ge=0, le=999)]
    attempt: Annotated[int, Meta(ge=0, le=99)]
    tenant: TenantId | None = None


type Notice = (
    UploadInfected
    | AssetInfected
    | AccessAsked
    | ConsentChanged
    | BreakGlassUsed
    | ErasureProgressed
    | ExportReady
    | SubprocessorPlanned
    | MaintenancePlanned
    | BreachNotified
    | IncidentEscalated
    | NoticeUndelivered
)
"""The data of a message of the queue `notices`."""

MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.upload.infected.v1", UploadInfected, NOTICES_QUEUE),
    MessageType("vouchsafe.asset.infected.v1", AssetInfected, NOTICES_QUEUE),
    MessageType("vouchsafe.access.asked.v1", AccessAsked, NOTICES_QUEUE),
    MessageType("vouchsafe.consent.changed.v1", ConsentChanged, NOTICES_QUEUE),
    MessageType("vouchsafe.break-glass.used.v1", BreakGlassUsed, NOTICES_QUEUE),
    MessageType("vouchsafe.erasure.progressed.v1", ErasureProgressed, NOTICES_QUEUE),
    MessageType("vouchsafe.export.ready.v1", ExportReady, NOTICES_QUEUE),
    MessageType("vouchsafe.subprocessor.planned.v1", SubprocessorPlanned, NOTICES_QUEUE),
    MessageType("vouchsafe.maintenance.planned.v1", MaintenancePlanned, NOTICES_QUEUE),
    MessageType("vouchsafe.breach.notified.v1", BreachNotified, NOTICES_QUEUE),
    MessageType("vouchsafe.incident.escalated.v1", IncidentEscalated, NOTICES_QUEUE),
    MessageType("vouchsafe.notice.undelivered.v1", NoticeUndelivered, NOTICES_QUEUE),
    MessageType("vouchsafe.notice.delivery-due.v1", NoticeDeliveryDue, NOTICE_DELIVERIES_QUEUE),
)

NOTICE_CONTRACTS: Final = tuple(
    kind.contract for kind in MESSAGE_TYPES if kind.queue is NOTICES_QUEUE
)
"""The contracts of the queue `notices`."""
