"""The identity of an incident: pure rules."""

import hashlib
from datetime import datetime

from shared.catalogue import INCIDENTS_QUEUE
from shared.messages.cloudevents import encode
from shared.messages.contracts import IncidentOpened
from shared.ports import OutgoingMessage


def incident_id(incident: IncidentOpened, once: str) -> str:
    """Return the id of an incident: the same for the same kind, tenant, resource and `once`.

    `once` is the span within which the incident is opened once, such as a day (YYYY-MM-DD) or the
    id of the faulty object.
    """
    parts = (incident.kind, incident.tenant or "", incident.resource, once)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def incident_message(incident: IncidentOpened, once: str, now: datetime) -> OutgoingMessage:
    """Make the message that opens `incident`, for the outbox of the change behind the incident.

    The id is `incident_id`, so that a second message for the same incident is a duplicate.
    """
    identifier = incident_id(incident, once)
    return encode(INCIDENTS_QUEUE.name, incident, identifier=identifier, now=now)
