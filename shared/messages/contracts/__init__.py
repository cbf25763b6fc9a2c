"""A typed contract for each message type: the `data` of the CloudEvent.

An unknown field is refused. A change that old readers could not read gets a new version, as a new
type beside the old type.
"""

from typing import Final

from shared.messages.contracts import (
    accesses,
    breaches,
    consents,
    erasures,
    incidents,
    intake,
    notices,
    rereads,
    rescans,
)
from shared.messages.contracts.accesses import AccessRecorded
from shared.messages.contracts.base import (
    Actor,
    AwareTime,
    Contract,
    ETag,
    Identifier,
    MaybeText,
    Resource,
    TenantId,
    Text,
)
from shared.messages.contracts.breaches import (
    BreachNoticesDue,
    BreachTenantDue,
    BreachTenantsDue,
)
from shared.messages.contracts.consents import ConsentGranted, ConsentRevoked
from shared.messages.contracts.erasures import (
    ErasureApproved,
    ErasureBatchReady,
    ErasureDiscoveryReady,
)
from shared.messages.contracts.incidents import IncidentCleared, IncidentOpened, Severity
from shared.messages.contracts.intake import BlobUploaded
from shared.messages.contracts.notices import (
    AccessAsked,
    AssetInfected,
    BreachNotified,
    BreakGlassUsed,
    ConsentChanged,
    ErasureProgressed,
    ExportReady,
    IncidentEscalated,
    MaintenancePlanned,
    Notice,
    NoticeDeliveryDue,
    NoticeUndelivered,
    Recipient,
    SubprocessorPlanned,
    UploadInfected,
)
from shared.messages.contracts.rereads import RereadBatchReady
from shared.messages.contracts.rescans import RescanBatchReady

MESSAGE_TYPES: Final = (
    *intake.MESSAGE_TYPES,
    *consents.MESSAGE_TYPES,
    *accesses.MESSAGE_TYPES,
    *erasures.MESSAGE_TYPES,
    *rescans.MESSAGE_TYPES,
    *rereads.MESSAGE_TYPES,
    *incidents.MESSAGE_TYPES,
    *notices.MESSAGE_TYPES,
    *breaches.MESSAGE_TYPES,
)

CONTRACTS: Final = {kind.name: kind.contract for kind in MESSAGE_TYPES}

TYPES: Final = {kind.contract: kind.name for kind in MESSAGE_TYPES}

QUEUE_OF: Final = {kind.contract: kind.queue.name for kind in MESSAGE_TYPES}
"""The queue that carries each contract."""

__all__ = [
    "CONTRACTS",
    "MESSAGE_TYPES",
    "QUEUE_OF",
    "TYPES",
    "AccessAsked",
    "AccessRecorded",
    "Actor",
    "AssetInfected",
    "AwareTime",
    "BlobUploaded",
    "BreachNoticesDue",
    "BreachNotified",
    "BreachTenantDue",
    "BreachTenantsDue",
    "BreakGlassUsed",
    "ConsentChanged",
    "ConsentGranted",
    "ConsentRevoked",
    "Contract",
    "ETag",
    "ErasureApproved",
    "ErasureBatchReady",
    "ErasureDiscoveryReady",
    "ErasureProgressed",
    "ExportReady",
    "Identifier",
    "IncidentCleared",
    "IncidentEscalated",
    "IncidentOpened",
    "MaintenancePlanned",
    "MaybeText",
    "Notice",
    "NoticeDeliveryDue",
    "NoticeUndelivered",
    "Recipient",
    "RereadBatchReady",
    "RescanBatchReady",
    "Resource",
    "Severity",
    "SubprocessorPlanned",
    "TenantId",
    "Text",
    "UploadInfected",
]
