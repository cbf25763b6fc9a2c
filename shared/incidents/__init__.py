"""Incidents: matters that a person of the vendor must look at, each opened once.

`Incidents.open_once` opens an incident that reports no change of state. `incident_message` makes
the message of an incident for the outbox of a change. See docs/decisions/0014.
"""

from shared.incidents.rules import incident_id, incident_message
from shared.incidents.service import Incidents

__all__ = ["Incidents", "incident_id", "incident_message"]
