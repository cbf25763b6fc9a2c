"""The messages of consents."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from shared.catalogue import CONSENT_GRANTS_QUEUE
from shared.messages.contracts.base import (
    Actor,
    AwareTime,
    Contract,
    Identifier,
    MessageType,
    TenantId,
    Text,
)
from shared.plain_text import PLAIN_PATTERN


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


MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.consent.granted.v1", ConsentGranted, CONSENT_GRANTS_QUEUE),
    MessageType("vouchsafe.consent.revoked.v1", ConsentRevoked, CONSENT_GRANTS_QUEUE),
)
