"""CloudEvents, their contracts, the queues they travel on, and the outbox that sends them."""

from shared.messages import queues
from shared.messages.cloudevents import Event, decode, encode
from shared.messages.outbox import Outbox
from shared.messages.parking import Received, parked

__all__ = ["Event", "Outbox", "Received", "decode", "encode", "parked", "queues"]
