"""The messages of rereads."""

from typing import Annotated, Final

from msgspec import Meta

from shared.catalogue import REREADS_QUEUE
from shared.messages.contracts.base import Contract, Identifier, MessageType, TenantId


class RereadBatchReady(Contract, frozen=True):
    """The next batch of a reread is ready."""

    tenant: TenantId
    reread_id: Identifier
    batch: Annotated[int, Meta(ge=0)]


MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.reread.batch-ready.v1", RereadBatchReady, REREADS_QUEUE),
)
