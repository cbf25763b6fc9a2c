"""The journal of the queues: every change that must outlive the broker."""

from typing import Protocol

from infra.local.servicebus.messages import Message


class Journal[C](Protocol):
    """Takes the changes of every queue; `queue` is the name in the queue's settings."""

    def save_message(self, queue: str, message: Message[C]) -> None:
        """Save a new or changed message."""

    def remove_message(self, queue: str, sequence: int) -> None:
        """Remove a message that left the queue."""

    def save_message_id(self, queue: str, message_id: str, until: float) -> None:
        """Save a message id for duplicate detection, until a time in seconds since the epoch."""

    def remove_message_id(self, queue: str, message_id: str) -> None:
        """Remove a message id whose window has ended."""

    def save_session_state(
        self, queue: str, session_id: str, state: bytes | None, at: float
    ) -> None:
        """Save the state of a session, or remove the state when `state` is None."""


class NoJournal[C]:
    """A journal that saves nothing: the queues end with the broker."""

    def save_message(self, queue: str, message: Message[C]) -> None:
        """Do nothing."""

    def remove_message(self, queue: str, sequence: int) -> None:
        """Do nothing."""

    def save_message_id(self, queue: str, message_id: str, until: float) -> None:
        """Do nothing."""

    def remove_message_id(self, queue: str, message_id: str) -> None:
        """Do nothing."""

    def save_session_state(
        self, queue: str, session_id: str, state: bytes | None, at: float
    ) -> None:
        """Do nothing."""
