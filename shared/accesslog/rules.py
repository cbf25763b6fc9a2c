"""What brings an entry to the log: pure rules."""

from datetime import datetime

from shared.accesslog.entries import attributed, check
from shared.messages import encode, queues
from shared.messages.contracts import AccessRecorded
from shared.ports import OutgoingMessage


def entry_message(recorded: AccessRecorded, identifier: str, now: datetime) -> OutgoingMessage:
    """The message that brings `recorded` to the log; it goes through the outbox of the change.

    Raises what `entries.check` does, so that nothing is done that the log would refuse.
    """
    recorded = attributed(recorded)
    check(recorded)
    return encode(queues.ACCESS_EVENTS, recorded, identifier=identifier, now=now)
