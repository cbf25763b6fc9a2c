"""The data of the queue model: queue settings, messages and message sessions."""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The settings of one queue; durations in seconds.

    Source: Microsoft.ServiceBus/namespaces/queues, as in the emulator's Config.json.
    """

    name: str
    lock_duration: float = 60.0
    max_delivery_count: int | None = 10
    default_ttl: float | None = None
    duplicate_window: float | None = None
    dead_letter_on_expiration: bool = False
    requires_session: bool = False


class MessageState(Enum):
    """The state of a message within its queue."""

    READY = auto()
    LOCKED = auto()
    DEFERRED = auto()
    SCHEDULED = auto()


@dataclass(slots=True)
class Message[C]:
    """One queued message. `content` is opaque to the queue; times are seconds since the epoch.

    `lifetime` is the time to live in seconds, counted from the time when the message becomes
    active. `not_before` is that time for a scheduled message. A deferred message stays deferred
    when a receiver locks or returns the message.
    """

    sequence: int
    content: C
    enqueued_at: float
    session_id: str | None = None
    lifetime: float | None = None
    expires_at: float | None = None
    not_before: float | None = None
    deferred: bool = False
    delivery_count: int = 0
    state: MessageState = MessageState.READY
    token: str | None = None
    locked_until: float = 0.0
    dead_letter: tuple[str, str] | None = None

    def is_expired(self, now: float) -> bool:
        """Tell whether the time to live has ended."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def wire_state(self) -> int:
        """The value of x-opt-message-state: 0 active, 1 deferred, 2 scheduled."""
        return 2 if self.state is MessageState.SCHEDULED else int(self.deferred)


class ReadyMessages:
    """The sequence numbers of ready messages, lowest first: a returned message keeps its place."""

    def __init__(self) -> None:
        self._heap: list[int] = []

    def push(self, sequence: int) -> None:
        """Add a sequence number."""
        heapq.heappush(self._heap, sequence)

    def peek(self) -> int | None:
        """Return the lowest sequence number, or None."""
        return self._heap[0] if self._heap else None

    def pop(self) -> int:
        """Remove and return the lowest sequence number. Raises IndexError without a number."""
        return heapq.heappop(self._heap)


@dataclass(slots=True)
class MessageSession[C]:
    """One message session: ready messages, owner, end of the lock, locked messages, session state.

    `state_changed_at` is the time of the last change of the state, in seconds since the epoch.
    """

    id: str
    ready: ReadyMessages = field(default_factory=ReadyMessages)
    owner: Hashable | None = None
    locked_until: float = 0.0
    locked: dict[str, Message[C]] = field(default_factory=dict)
    state: bytes | None = None
    state_changed_at: float = 0.0
