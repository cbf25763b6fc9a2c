"""The messages of incidents."""

from typing import Annotated, Final, Literal

from msgspec import Meta

from shared.catalogue import INCIDENTS_QUEUE
from shared.messages.contracts.base import (
    AwareTime,
    Contract,
    Identifier,
    MessageType,
    Resource,
    TenantId,
    Text,
)

type Severity = Literal["warning", "critical"]


class IncidentOpened(Contract, frozen=True, omit_defaults=True):
    """A matter for a person's attention. `resource` is an id, never personal data.

    `began_at` is the beginning of the matter, where the sender knows the beginning; else the time
    of the event. A drill (`is_drill`) is recorded and escalated, and reaches nobody outside.
    `log_entries` are the ids of the entries in the tenant's access log that tell of the matter.
    """

    kind: Text
    severity: Severity
    summary: Text
    resource: Resource
    tenant: TenantId | None = None
    began_at: AwareTime | None = None
    is_drill: bool = False
    log_entries: Annotated[tuple[Identifier, ...], Meta(max_length=10)] = ()


class IncidentCleared(Contract, frozen=True, omit_defaults=True):
    """The end of a matter, as the flow that opened the incident found: `reason` says how.

    Kind, tenant, resource and `is_drill` are those of the incident.
    """

    kind: Text
    resource: Resource
    reason: Text
    tenant: TenantId | None = None
    is_drill: bool = False


MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.incident.opened.v1", IncidentOpened, INCIDENTS_QUEUE),
    MessageType("vouchsafe.incident.cleared.v1", IncidentCleared, INCIDENTS_QUEUE),
)
