"""What the queue model is made of: settings, a message, a session, and the refusals."""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How one queue behaves; durations in seconds.

    Source: Microsoft.ServiceBus/namespaces/queues, as the emulator's Config.json spells it.
    """

    name: str
    lock_duration: float = 60.0
    max_delivery_count: int | None = 10
    default_ttl: float | None = None
    duplicate_window: float | None = None
    dead_letter_on_expiration: bool = False
    requires_session: bool = False


class MessageState(Enum):
    """Where a message stands within its queue."""

    READY = auto()
    LOCKED = auto()
    DEFERRED = auto()
    SCHEDULED = auto()


@dataclass(slots=True)
class Message[C]:
    """One queued message. `content` is opaque here; times are seconds since the epoch.

    `lifetime` is its time to live in seconds, which counts from when it becomes active;
    `not_before` is when that is, for a scheduled message. A deferred message that is locked, or
    given back, stays deferred.
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
        """Whether its time to live has ended."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def wire_state(self) -> int:
        """The value of x-opt-message-state: 0 active, 1 deferred, 2 scheduled."""
        return 2 if self.state is MessageState.SCHEDULED else int(self.deferred)


class ReadyMessages:
    """Sequence numbers ready for delivery, lowest first: a returned message keeps its place."""

    def __init__(self) -> None:
        self._heap: list[int] = []

    def push(self, sequence: int) -> None:
        """Make a sequence number ready."""
        heapq.heappush(self._heap, sequence)

    def peek(self) -> int | None:
        """The lowest sequence number, or None."""
        return self._heap[0] if self._heap else None

    def pop(self) -> int:
        """Remove the lowest sequence number; the ready must not be empty."""
        return heapq.heappop(self._heap)


@dataclass(slots=True)
class MessageSession[C]:
    """One session: its ready messages, who holds it until when, what is locked, its state.

    `state_changed_at` is when the state was last set, in seconds since the epoch.
    """

    id: str
    ready: ReadyMessages = field(default_factory=ReadyMessages)
    owner: Hashable | None = None
    locked_until: float = 0.0
    locked: dict[str, Message[C]] = field(default_factory=dict)
    state: bytes | None = None
    state_changed_at: float = 0.0
