"""The entries of the access log, as messages."""

from typing import Final, Literal

from shared.catalogue import ACCESS_EVENTS_QUEUE
from shared.messages.contracts.base import (
    Actor,
    Contract,
    MaybeText,
    MessageType,
    Resource,
    TenantId,
    Text,
)


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


MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.access.recorded.v1", AccessRecorded, ACCESS_EVENTS_QUEUE),
)
