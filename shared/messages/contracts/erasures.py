"""The messages of erasures."""

from typing import Annotated, Final

from msgspec import Meta

from shared.catalogue import ERASURE_BATCHES_QUEUE, ERASURE_DISCOVERY_QUEUE, ERASURE_REQUESTS_QUEUE
from shared.messages.contracts.base import Contract, Identifier, MessageType, TenantId


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


MESSAGE_TYPES: Final = (
    MessageType(
        "vouchsafe.erasure.discovery-ready.v1", ErasureDiscoveryReady, ERASURE_DISCOVERY_QUEUE
    ),
    MessageType("vouchsafe.erasure.approved.v1", ErasureApproved, ERASURE_REQUESTS_QUEUE),
    MessageType("vouchsafe.erasure.batch-ready.v1", ErasureBatchReady, ERASURE_BATCHES_QUEUE),
)
