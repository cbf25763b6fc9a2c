"""CloudEvents, the contracts, and the outbox."""

from shared.messages.cloudevents import CloudEvent, decode, encode
from shared.messages.outbox import Outbox
from shared.messages.outbox_rows import OutgoingEntry
from shared.messages.parking import Received, parked

__all__ = ["CloudEvent", "Outbox", "OutgoingEntry", "Received", "decode", "encode", "parked"]
