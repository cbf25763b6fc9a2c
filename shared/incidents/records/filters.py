"""The filters of the list of incidents."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.incidents.records.rules import IncidentStatus
from shared.messages.contracts import Severity
from shared.ports import Condition


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """The incidents that meet every given condition. `since` and `until` bound `opened_at`."""

    status: IncidentStatus | None = None
    severity: Severity | None = None
    kind: str | None = None
    tenant: str | None = None
    owner: str | None = None
    is_drill: bool | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def conditions(self) -> Sequence[Condition]:
        """The conditions on columns; the times are a range of keys."""
        wanted = {
            "status": self.status,
            "severity": self.severity,
            "kind": self.kind,
            "tenant": self.tenant,
            "owner": self.owner,
            "isDrill": self.is_drill,
        }
        return [
            Condition(column, "eq", value) for column, value in wanted.items() if value is not None
        ]
