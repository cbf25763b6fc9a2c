"""The identity of an incident, and the messages of incidents: pure rules."""

import hashlib
from datetime import datetime

from shared.catalogue import INCIDENTS_QUEUE
from shared.messages.cloudevents import encode
from shared.messages.contracts import IncidentCleared, IncidentOpened
from shared.ports import OutgoingMessage


def incident_id(incident: IncidentOpened, once: str) -> str:
    """Return the id of an incident: the same for the same kind, tenant, resource and `once`.

    `once` is the span within which the incident is opened once, such as a day (YYYY-MM-DD) or the
    id of the faulty object.
    """
    return _digest(incident.kind, incident.tenant or "", incident.resource, once)


def matter_id(matter: IncidentOpened | IncidentCleared) -> str:
    """Return the id of a matter: the same for the same kind, tenant and resource.

    The id ties the messages of one matter together: each opening, and the end. A drill is a matter
    of its own.
    """
    drill = "drill" if matter.is_drill else ""
    return _digest(matter.kind, matter.tenant or "", matter.resource, drill)


def front_id(matter: IncidentOpened | IncidentCleared) -> str:
    """Return the id of the matters that a storm may be made of: those of a kind and a tenant."""
    drill = "drill" if matter.is_drill else ""
    return _digest(matter.kind, matter.tenant or "", drill)


def incident_message(incident: IncidentOpened, once: str, now: datetime) -> OutgoingMessage:
    """Make the message that opens `incident`, for the outbox of the change behind the incident.

    The id is `incident_id`, so that a second message for the same incident is a duplicate.
    """
    identifier = incident_id(incident, once)
    return encode(INCIDENTS_QUEUE.name, incident, identifier=identifier, now=now)


def cleared_message(cleared: IncidentCleared, identifier: str, now: datetime) -> OutgoingMessage:
    """Make the message that a matter is over, for the outbox of the change that ended the matter.

    `identifier` is the dedupe key. The record of the incident is resolved with the reason, unless a
    person has taken the incident on.
    """
    return encode(INCIDENTS_QUEUE.name, cleared, identifier=identifier, now=now)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
