"""The messages of incidents."""

from typing import Final, Literal

from shared.catalogue import INCIDENTS_QUEUE
from shared.messages.contracts.base import Contract, MessageType, Resource, TenantId, Text


class IncidentOpened(Contract, frozen=True):
    """A matter for a person's attention. `resource` is an id, never personal data."""

    kind: Text
    severity: Literal["warning", "critical"]
    summary: Text
    resource: Resource
    tenant: TenantId | None = None


MESSAGE_TYPES: Final = (
    MessageType("vouchsafe.incident.opened.v1", IncidentOpened, INCIDENTS_QUEUE),
)
