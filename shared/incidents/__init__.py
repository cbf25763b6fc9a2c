"""Incidents: matters that a person of the vendor must look at, each opened once."""

from shared.incidents.rules import incident_id, incident_message
from shared.incidents.service import Incidents

__all__ = ["Incidents", "incident_id", "incident_message"]
