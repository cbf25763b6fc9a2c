"""CloudEvents, their contracts, and the outbox that sends them."""

from shared.messages.cloudevents import Event, decode, encode
from shared.messages.outbox import Outbox
from shared.messages.outbox_rows import OutgoingEntry
from shared.messages.parking import Received, parked

__all__ = ["Event", "Outbox", "OutgoingEntry", "Received", "decode", "encode", "parked"]
