"""The messages of rescans."""

from typing import Annotated, Final

from msgspec import Meta

from shared.catalogue import RESCANS_QUEUE
from shared.messages.contracts.base import Contract, Identifier, MessageType, TenantId


class RescanBatchReady(Contract, frozen=True):
    """The next batch of a rescan is ready."""

    tenant: TenantId
    rescan_id: Identifier
    batch: Annotated[int, Meta(ge=0)]


MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.rescan.batch-ready.v1", RescanBatchReady, RESCANS_QUEUE),
)
