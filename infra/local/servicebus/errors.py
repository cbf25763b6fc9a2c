"""AMQP errors that a client sees, with the conditions of Azure Service Bus.

Source: OASIS AMQP 1.0, part 2, section 2.8.14, and "AMQP errors"
(learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-troubleshoot).
"""

from typing import ClassVar


class AmqpError(Exception):
    """An AMQP error: a condition, and a description for people."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


class OperationRefusedError(AmqpError):
    """A queue refuses an operation; each subclass has the condition of one SDK exception."""

    CONDITION: ClassVar[str] = "amqp:not-allowed"

    def __init__(self, description: str) -> None:
        super().__init__(self.CONDITION, description)


class MessageLockLostError(OperationRefusedError):
    """The lock expired, or the broker never issued the lock token."""

    CONDITION = "com.microsoft:message-lock-lost"


class MessageNotFoundError(OperationRefusedError):
    """The queue has no message of the sequence number in the required state."""

    CONDITION = "com.microsoft:message-not-found"


class MessageSizeExceededError(OperationRefusedError):
    """A message is larger than the tier allows."""

    CONDITION = "amqp:link:message-size-exceeded"


class SessionLockLostError(OperationRefusedError):
    """The session lock expired, or a different receiver holds the session."""

    CONDITION = "com.microsoft:session-lock-lost"


class SessionCannotBeLockedError(OperationRefusedError):
    """A different receiver holds the session."""

    CONDITION = "com.microsoft:session-cannot-be-locked"
