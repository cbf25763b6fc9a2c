"""The catalogue of stores: every queue, table and container that the app opens, as data.

The adapters open no store that the catalogue does not list. The local stack, the documents, the
deployment, and a tenant's export and erasure read the catalogue.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

type StoreKind = Literal["queue", "table", "container"]
type StoreGuard = Callable[[str], None]
"""A check that raises for the name of a store that must stay closed."""


@dataclass(frozen=True, slots=True)
class Store:
    """One queue, table or container.

    `keeps` describes the content. `personal_data` describes the personal data in the content, and
    is empty where the content has none; `data_subject` names whose data. `partition` describes how
    the content is divided among tenants. `retention` describes how long the content stays.
    `sessions` marks a queue that keeps the order of each tenant's messages by sessions.
    """

    kind: StoreKind
    name: str
    keeps: str
    personal_data: str
    data_subject: str
    partition: str
    retention: str
    sessions: bool = False


_ACTOR: Final = "The directory's object id of the person who acted."
_STAFF: Final = "The tenant's and the vendor's staff"
_MESSAGE: Final = "One hour at most, then the dead-letter queue; until a function completes it."
_STAMP: Final = "Not divided: one queue a stamp."
_BY_TENANT: Final = "PartitionKey: the tenant."
_SESSIONS: Final = "One session a tenant."
_LANES: Final = "Two sessions a stamp, each for half of the tenants."


def _queue(
    name: str,
    keeps: str,
    *,
    personal_data: str = "",
    data_subject: str = "",
    retention: str = _MESSAGE,
    sessions: bool = False,
    partition: str = "",
) -> Store:
    partition = partition or (_SESSIONS if sessions else _STAMP)
    return Store(
        "queue", name, keeps, personal_data, data_subject, partition, retention, sessions=sessions
    )


INTAKE_QUEUE: Final = _queue(
    "intake",
    "One message for each version of a blob that arrived in `incoming`.",
)
INTAKE_BULK_QUEUE: Final = _queue(
    "intake-bulk",
    "One message for each upload beyond a tenant's share of `intake`.",
    sessions=True,
    partition="Four sessions a tenant, and one session for uploads that must be alone.",
)
CONSENT_GRANTS_QUEUE: Final = _queue(
    "consent-grants",
    "Grants and revocations of consent that other services report.",
    personal_data=_ACTOR,
    data_subject=_STAFF,
    sessions=True,
)
ACCESS_EVENTS_QUEUE: Final = _queue(
    "access-events",
    "Accesses to a tenant's data that other services report for the access log.",
    personal_data="The directory's object id of the person who acted, and the client's address.",
    data_subject=_STAFF,
)
ERASURE_REQUESTS_QUEUE: Final = _queue(
    "erasure-requests",
    "The ids of erasure requests that wait for discovery or for their start.",
    sessions=True,
)
ERASURE_DISCOVERY_QUEUE: Final = _queue(
    "erasure-discovery",
    "The ids of erasure requests with one range of assets to search.",
)
ERASURE_BATCHES_QUEUE: Final = _queue(
    "erasure-batches", "The ids of approved erasure requests with the number of one batch."
)
SCAN_RESULTS_QUEUE: Final = _queue(
    "scan-results",
    "Results of Microsoft Defender for Storage, as Event Grid delivers them.",
)
RESCANS_QUEUE: Final = _queue(
    "rescans",
    "The ids of rescans with the number of the next batch.",
    retention="One hour at most; a timer sends an expired message again.",
    sessions=True,
    partition=_LANES,
)
REREADS_QUEUE: Final = _queue(
    "rereads",
    "The ids of rereads with the number of the next batch.",
    retention="One hour at most; a timer sends an expired message again.",
    sessions=True,
    partition=_LANES,
)
INCIDENTS_QUEUE: Final = _queue(
    "incidents",
    "Incidents that were opened, and matters that are over. A resource is an id, never personal"
    " data.",
)
NOTICES_QUEUE: Final = _queue(
    "notices",
    "Notices to a tenant's contacts. No address travels on the queue.",
    personal_data="The directory's object ids of those who received an infected file.",
    data_subject=_STAFF,
)
NOTICE_DELIVERIES_QUEUE: Final = _queue(
    "notice-deliveries",
    "The ids of a notice and of a contact, one message for each attempt at a delivery.",
    retention="One hour at most after the time of the attempt, then the dead-letter queue.",
)
BREACH_STEPS_QUEUE: Final = _queue(
    "breach-steps",
    "The ids of breaches with the next step: tenants to look at, a tenant's next batch, or tenants"
    " to tell.",
    retention="One hour at most; a timer sends an expired message again.",
)
PARKED_MESSAGES_QUEUE: Final = _queue(
    "parked-messages",
    "Copies of messages that can never succeed, with the reason.",
    personal_data="The personal data of the queue that the message came from.",
    data_subject="Those of the queue that the message came from",
    retention="Until an operator settles the message; after an hour in the dead-letter queue.",
)

QUEUES: Final = (
    INTAKE_QUEUE,
    INTAKE_BULK_QUEUE,
    CONSENT_GRANTS_QUEUE,
    ACCESS_EVENTS_QUEUE,
    ERASURE_REQUESTS_QUEUE,
    ERASURE_DISCOVERY_QUEUE,
    ERASURE_BATCHES_QUEUE,
    SCAN_RESULTS_QUEUE,
    RESCANS_QUEUE,
    REREADS_QUEUE,
    INCIDENTS_QUEUE,
    NOTICES_QUEUE,
    NOTICE_DELIVERIES_QUEUE,
    BREACH_STEPS_QUEUE,
    PARKED_MESSAGES_QUEUE,
)


def _table(
    name: str,
    keeps: str,
    *,
    partition: str = _BY_TENANT,
    retention: str,
    personal_data: str = "",
    data_subject: str = "",
) -> Store:
    return Store("table", name, keeps, personal_data, data_subject, partition, retention)


TENANTS_TABLE: Final = _table(
    "tenants",
    "The tenants of the stamp.",
    personal_data="The e-mail addresses of the tenant's contacts.",
    data_subject="The tenant's contacts",
    partition="PartitionKey: the stamp's region; RowKey: the tenant.",
    retention="No end.",
)
ASSETS_TABLE: Final = _table(
    "assets",
    "Each asset, the sealed record of the texts in its metadata, and its place among its"
    " companions; a tombstone for each erased asset, the index of scan times, the moves to"
    " quarantine, and the rescans and rereads with their progress.",
    personal_data="The asset's path; the texts of the metadata, encrypted; the directory's object"
    " id of the person who requested a rescan or a reread.",
    data_subject="Persons whom a file or a path names; the tenant's and the vendor's staff",
    retention="Until the asset is erased; a tombstone without personal data stays. Rescans"
    " and rereads have no end.",
)
UPLOADS_TABLE: Final = _table(
    "uploads",
    "The permitted uploads: path, size, media type, who asked, and when.",
    personal_data="The path, as the uploader chose it; the directory's object id of who asked.",
    data_subject="Persons whom a path may name; the tenant's staff",
    partition="PartitionKey: the tenant; RowKey: the upload's id.",
    retention="Until the upload is filed; two days where the upload never came.",
)
SCANS_TABLE: Final = _table(
    "scans",
    "Uploads that wait for a result of Defender, and results that wait for their upload.",
    partition="One partition.",
    retention="Until the upload is filed, or is gone from `incoming`.",
)
RESCANS_TABLE: Final = _table(
    "rescans",
    "The bytes that rescans have read on each day, and the time at which the stamp first had the"
    " present signatures.",
    partition="One partition for the days, one for the signatures.",
    retention="No end.",
)
CONSENTS_TABLE: Final = _table(
    "consents",
    "Consent grants with their terms and revocations.",
    personal_data="The directory's object ids of the engineer and of those who granted or revoked.",
    data_subject=_STAFF,
    retention="No end.",
)
ERASURES_TABLE: Final = _table(
    "erasures",
    "Erasure requests, the ranges of discovery, the finds with the managers' decisions, and the"
    " state of the batches.",
    personal_data="The data subject's names, addresses and ids, and the paths of approved assets,"
    " encrypted, until completion; the names of the fields of finds until the approval; the"
    " directory's object ids of requester and approver.",
    data_subject="The data subject of the request; the tenant's staff",
    retention="No end; what is encrypted until the request is completed.",
)
ACCESS_LOG_TABLE: Final = _table(
    "accesslog",
    "The access log: entries, a row for each event, the tiles and the head of the Merkle tree.",
    personal_data="The directory's object ids and the client addresses of those who acted.",
    data_subject=_STAFF,
    retention="No end; an entry's content until its redaction.",
)
LOG_CHECKPOINTS_TABLE: Final = _table(
    "logcheckpoints",
    "The checkpoints of each log that were published.",
    retention="No end.",
)
LOG_WITNESSES_TABLE: Final = _table(
    "logwitnesses",
    "The witnesses of each log, and the cosignatures that they gave.",
    personal_data=_ACTOR,
    data_subject="The tenant's staff",
    retention="A witness until its removal; cosignatures without end.",
)
LOG_WATCH_TABLE: Final = _table(
    "logwatch",
    "The size up to which each log was found intact, and the findings that were told.",
    retention="No end.",
)
INCIDENTS_TABLE: Final = _table(
    "incidents",
    "The record of each incident with the timeline and the occurrences; the incidents that were"
    " opened without a change of state, so that each is opened once.",
    personal_data="The directory's object ids of those who handle an incident; whatever their notes"
    " say of persons, which no note has to.",
    data_subject=_STAFF,
    partition="PartitionKey: `_records`; the tenant, or the stamp, for incidents told once.",
    retention="No end.",
)
NOTICES_TABLE: Final = _table(
    "notices",
    "The notices, the state of each delivery to a contact, and the digests.",
    personal_data="The directory's object ids that a notice names. No address: a delivery has the"
    " id of the contact.",
    data_subject=_STAFF,
    partition="PartitionKey: the tenant, or the stamp.",
    retention="No end.",
)
CONTACTS_TABLE: Final = _table(
    "contacts",
    "The contacts of a tenant and of the stamp, with their preferences; the secrets of webhooks,"
    " encrypted.",
    personal_data="The e-mail addresses of the contacts.",
    data_subject="The tenant's contacts; the vendor's staff",
    partition="PartitionKey: the tenant, or the stamp.",
    retention="Until the contact is removed.",
)
BREACHES_TABLE: Final = _table(
    "breaches",
    "The register of personal data breaches with assessments, decisions and scopes, and the notices"
    " to each tenant in every version.",
    personal_data="The directory's object ids of those who assessed, decided, and accessed assets;"
    " while a scope is computed, keyed hashes of names.",
    data_subject=_STAFF,
    partition="PartitionKey: the register, the breach of a scope, or the tenant of a notice.",
    retention="No end; the keyed hashes and their key until the tenant's part of the scope is"
    " computed.",
)
BACKUP_AUDITS_TABLE: Final = _table(
    "backupaudits",
    "The backup audits of each day, and each protected item's state on each day.",
    partition="PartitionKey: the day, or the recovery vault and the item.",
    retention="No end.",
)
IDEMPOTENCY_TABLE: Final = _table(
    "idempotency",
    "The id that was given to each Idempotency-Key, under the SHA-256 of caller and key.",
    partition="PartitionKey: the first two digits of the SHA-256.",
    retention="No end.",
)
MAINTENANCE_TABLE: Final = _table(
    "maintenance",
    "Maintenance windows, and which announcements each tenant was told.",
    personal_data=_ACTOR,
    data_subject="The vendor's staff",
    partition="PartitionKey: `_windows`, or the id of a window.",
    retention="No end.",
)
STAMP_RECORD_TABLE: Final = _table(
    "stamprecord",
    "Acts of the vendor's people that concern no tenant, or no known tenant.",
    personal_data=_ACTOR,
    data_subject="The vendor's staff",
    partition="One partition.",
    retention="No end.",
)
OUTBOX_TABLE: Final = _table(
    "outbox",
    "The partitions of other tables in which messages may wait to be sent.",
    partition="One partition.",
    retention="30 minutes after the last commit to the partition.",
)

TABLES: Final = (
    TENANTS_TABLE,
    ASSETS_TABLE,
    UPLOADS_TABLE,
    SCANS_TABLE,
    RESCANS_TABLE,
    CONSENTS_TABLE,
    ERASURES_TABLE,
    ACCESS_LOG_TABLE,
    LOG_CHECKPOINTS_TABLE,
    LOG_WITNESSES_TABLE,
    LOG_WATCH_TABLE,
    INCIDENTS_TABLE,
    NOTICES_TABLE,
    CONTACTS_TABLE,
    BREACHES_TABLE,
    BACKUP_AUDITS_TABLE,
    IDEMPOTENCY_TABLE,
    MAINTENANCE_TABLE,
    STAMP_RECORD_TABLE,
    OUTBOX_TABLE,
)


def _container(
    name: str,
    keeps: str,
    *,
    partition: str,
    retention: str,
    personal_data: str = "",
    data_subject: str = "",
) -> Store:
    return Store("container", name, keeps, personal_data, data_subject, partition, retention)


_FILES: Final = "Whatever the file shows and says of persons, and the path."
_SHOWN: Final = "Persons whom a file shows or names"

INCOMING_CONTAINER: Final = _container(
    "incoming",
    "Uploads that intake has not yet filed, named by ids alone.",
    personal_data="Whatever the file shows and says of persons.",
    data_subject=_SHOWN,
    partition="One folder a tenant.",
    retention="Until intake files the upload.",
)
TENANT_CONTAINER: Final = _container(
    "tenant-{tenant}",
    "The tenant's cleared assets.",
    personal_data=_FILES,
    data_subject=_SHOWN,
    partition="One container a tenant.",
    retention="Until the asset is erased.",
)
QUARANTINE_CONTAINER: Final = _container(
    "quarantine",
    "Uploads that were infected or refused, named by ids alone.",
    personal_data="Whatever the file shows and says of persons.",
    data_subject=_SHOWN,
    partition="One folder a tenant.",
    retention="Until the asset is erased.",
)
EVIDENCE_CONTAINER: Final = _container(
    "evidence",
    "Write-once: the logs' checkpoints, their public keys, and the reports of backup audits.",
    partition="One folder a kind of evidence, and in `log-checkpoints` a tenant.",
    retention="No end; the immutability policy of the container forbids deletion.",
)
METADATA_CONTAINER: Final = _container(
    "metadata",
    "The sealed records of texts that are too large for a row of `assets`.",
    personal_data="The texts of the metadata, encrypted.",
    data_subject="Persons whom a file's metadata names",
    partition="One folder a tenant.",
    retention="Until the asset is erased.",
)
EXPORTS_CONTAINER: Final = _container(
    "exports",
    "Exports of access logs, read by links that work for minutes.",
    personal_data="The directory's object ids and the client addresses of those who acted.",
    data_subject=_STAFF,
    partition="One folder a tenant.",
    retention="One day, by the daily round at 03:00 UTC.",
)
PARKED_CONTAINER: Final = _container(
    "parked",
    "Whole messages whose copy on `parked-messages` was cut to fit.",
    personal_data="The personal data of the queue that the message came from.",
    data_subject="Those of the queue that the message came from",
    partition="One folder a queue.",
    retention="30 days, by the daily round at 03:30 UTC.",
)

CONTAINERS: Final = (
    INCOMING_CONTAINER,
    TENANT_CONTAINER,
    QUARANTINE_CONTAINER,
    EVIDENCE_CONTAINER,
    METADATA_CONTAINER,
    EXPORTS_CONTAINER,
    PARKED_CONTAINER,
)

STORES: Final = (*QUEUES, *TABLES, *CONTAINERS)
"""Every store of a stamp."""

_NAMES: Final = frozenset((store.kind, store.name) for store in STORES)
_TENANT_PREFIX: Final = TENANT_CONTAINER.name.partition("{")[0]
# A container's name is at most 63 characters of lower-case letters, digits and single hyphens.
# Source: "Naming and referencing containers, blobs, and metadata" (learn.microsoft.com).
MAX_TENANT_ID: Final = 63 - len(_TENANT_PREFIX)
TENANT_ID: Final = re.compile(rf"(?!.{{{MAX_TENANT_ID + 1}}})[a-z0-9](?:-?[a-z0-9])+")
"""The form of a tenant's id: the name of the tenant's container has the id."""
_TENANT_CONTAINER: Final = re.compile(re.escape(_TENANT_PREFIX) + TENANT_ID.pattern)


class UnlistedStoreError(LookupError):
    """The app asked for a store that the catalogue does not list."""


def tenant_container(tenant: str) -> str:
    """Return the name of the container that holds a tenant's cleared assets."""
    return TENANT_CONTAINER.name.format(tenant=tenant)


def allow_any(_name: str) -> None:
    """Let every name pass: the guard of an adapter that no composition built."""


def require_queue(name: str) -> None:
    """Raise UnlistedStoreError for a queue that the catalogue does not list."""
    _require_listed("queue", name)


def require_table(name: str) -> None:
    """Raise UnlistedStoreError for a table that the catalogue does not list."""
    _require_listed("table", name)


def require_container(name: str) -> None:
    """Raise UnlistedStoreError for a container that the catalogue does not list."""
    if not _TENANT_CONTAINER.fullmatch(name):
        _require_listed("container", name)


def _require_listed(kind: StoreKind, name: str) -> None:
    if (kind, name) not in _NAMES:
        raise UnlistedStoreError(f"the catalogue lists no {kind} of the name {name}")
