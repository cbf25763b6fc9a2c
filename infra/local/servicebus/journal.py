"""What a queue tells of every change that must outlive the broker."""

from typing import Protocol

from infra.local.servicebus.messages import Message


class Journal[C](Protocol):
    """Takes the changes of all queues; a queue is named by its settings' name."""

    def save_message(self, queue: str, message: Message[C]) -> None:
        """A message is new or has changed."""

    def remove_message(self, queue: str, sequence: int) -> None:
        """A message has left the queue."""

    def save_message_id(self, queue: str, message_id: str, until: float) -> None:
        """A message id counts as seen until then (seconds since the epoch)."""

    def remove_message_id(self, queue: str, message_id: str) -> None:
        """A message id no longer counts as seen."""

    def save_session_state(
        self, queue: str, session_id: str, state: bytes | None, at: float
    ) -> None:
        """The state of a session was set, or cleared."""


class NoJournal[C]:
    """Keeps nothing: the queues end with the broker."""

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
