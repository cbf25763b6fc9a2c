"""The interface of a channel."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.notices.contact_rules import Contact
from shared.notices.rules import DeliveryOutcome
from shared.notices.texts.letter import Letter

type HandOver = Callable[[], Awaitable[None]]
"""Commits that the receiver is about to have the message.

Raises RowConflictError where another attempt has handed the message over: the channel then sends
nothing more.
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A notice on the way to a contact.

    `id` is stable: every attempt at the delivery has the same id. `event` is the JSON for machines.
    `secret` signs the message of a webhook. `unsubscribe` is the URL that turns the kind off, None
    for a mandatory kind.
    """

    id: str
    contact: Contact
    letter: Letter
    event: bytes
    sent_at: datetime
    secret: str | None = field(default=None, repr=False)
    unsubscribe: str | None = None


class Channel(Protocol):
    """A way to a contact."""

    async def deliver(self, parcel: Parcel, hand_over: HandOver) -> DeliveryOutcome:
        """Try to deliver once, and call `hand_over` before the receiver has the whole message.

        A failure is an outcome. Raises RowConflictError from `hand_over` alone.
        """
