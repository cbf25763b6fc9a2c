"""The steps of a breach's scope and of its notices, as messages."""

from typing import Annotated, Final

from msgspec import Meta

from shared.catalogue import BREACH_STEPS_QUEUE
from shared.messages.contracts.base import Contract, Identifier, MessageType, TenantId
from shared.plain_text import PLAIN_PATTERN

type _Number = Annotated[int, Meta(ge=0, le=999_999_999)]
type _Place = Annotated[str, Meta(max_length=4000, pattern=PLAIN_PATTERN)] | None


class BreachTenantsDue(Contract, frozen=True):
    """The next tenants of the stamp are due for a scope. `continuation` is the place among them."""

    breach_id: Identifier
    run: _Number
    continuation: _Place = None


class BreachTenantDue(Contract, frozen=True):
    """The next batch of a tenant's part of a scope is due."""

    tenant: TenantId
    breach_id: Identifier
    run: _Number
    batch: _Number


class BreachNoticesDue(Contract, frozen=True):
    """The next tenants of a round of notices are due. `continuation` is the place among them."""

    breach_id: Identifier
    notice_round: _Number
    continuation: _Place = None


MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.breach.tenants-due.v1", BreachTenantsDue, BREACH_STEPS_QUEUE),
    MessageType("vouchsafe.breach.tenant-due.v1", BreachTenantDue, BREACH_STEPS_QUEUE),
    MessageType("vouchsafe.breach.notices-due.v1", BreachNoticesDue, BREACH_STEPS_QUEUE),
)
