"""Entries that go to the log through the outbox: pure rules."""

from datetime import datetime

from shared.accesslog.entries import attributed, check
from shared.messages.contracts import AccessRecorded
from shared.messages.outgoing import OutgoingEntry


def new_entry(recorded: AccessRecorded, identifier: str, now: datetime) -> OutgoingEntry:
    """Make the entry that reports `recorded`, for the outbox of the change that is reported.

    `identifier` becomes the id of the entry's event. Raises what `entries.check` does, so that
    nothing is done that the log would refuse.
    """
    attributed_to = attributed(recorded)
    check(attributed_to)
    return OutgoingEntry(identifier, now, attributed_to)
