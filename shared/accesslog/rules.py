"""What an entry of the access log says: pure rules."""

from datetime import datetime
from typing import Literal

from shared.accesslog.entries import attributed, check
from shared.messages import encode, queues
from shared.messages.contracts import AccessRecorded, Actor
from shared.ports import OutgoingMessage
from shared.rows import Stored


class Entry(Stored, frozen=True):
    """One entry. `resource` is an id such as `assets/01J…`, never a name that tells of a person."""

    id: str
    time: datetime
    actor: Actor
    action: str
    resource: str
    outcome: Literal["allowed", "denied", "failed"]
    purpose: str | None = None
    ticket: str | None = None
    grant_id: str | None = None
    reason: str | None = None
    client_address: str | None = None
    correlation_id: str | None = None


def entry_of(recorded: AccessRecorded, identifier: str, time: datetime) -> Entry:
    """The entry that keeps `recorded`; `identifier` makes it the same entry however often sent."""
    return Entry(
        id=identifier,
        time=time,
        actor=recorded.actor,
        action=recorded.action,
        resource=recorded.resource,
        outcome=recorded.outcome,
        purpose=recorded.purpose,
        ticket=recorded.ticket,
        grant_id=recorded.grant_id,
        reason=recorded.reason,
        client_address=recorded.client_address,
        correlation_id=recorded.correlation_id,
    )


def entry_message(recorded: AccessRecorded, identifier: str, now: datetime) -> OutgoingMessage:
    """The message that brings `recorded` to the log; it goes through the outbox of the change.

    Raises what `entries.check` does, so that nothing is done that the log would refuse.
    """
    recorded = attributed(recorded)
    check(recorded)
    return encode(queues.ACCESS_EVENTS, recorded, identifier=identifier, now=now)
