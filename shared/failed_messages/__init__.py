"""Failed messages: parked copies and dead letters, for an operator to replay or to discard.

See docs/decisions/0023.
"""

from shared.failed_messages.rules import FailedMessage, MessageFilter
from shared.failed_messages.service import FailedMessages

__all__ = ["FailedMessage", "FailedMessages", "MessageFilter"]
