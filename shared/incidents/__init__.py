"""Incidents: matters that a person of the vendor must look at, each opened once.

`Incidents.open_once` opens an incident that reports no change of state, and `Incidents.clear` tells
that the matter is over. `incident_message` and `cleared_message` make the same messages for the
outbox of a change. See docs/decisions/0014. `shared.incidents.records` keeps the records.
"""

from shared.incidents.rules import cleared_message, incident_id, incident_message
from shared.incidents.service import Incidents

__all__ = ["Incidents", "cleared_message", "incident_id", "incident_message"]
