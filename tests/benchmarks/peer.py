"""A broker that keeps nothing: the real wire, and behind the wire a queue without work.

`python -m tests.benchmarks.peer PORT QUEUE`. Every message sent is accepted and forgotten; every
receiver gets the same message again and again. The real broker's time above the peer's time is the
cost of the queue and of the file.
"""

import asyncio
import itertools
import signal
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from proton import Message as AmqpMessage

from infra.local.servicebus.broker import Broker
from infra.local.servicebus.message_format import AnnotatedMessage, parse
from infra.local.servicebus.messages import Message, MessageState, QueueSettings
from tests.benchmarks.broker import BODY, CONTENT_TYPE

if TYPE_CHECKING:
    from infra.local.servicebus.queue import Queue

LOCK_SECONDS: Final = 60.0


class NoQueue:
    """The part of a queue that sending, receiving and completing need."""

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        self._numbers = itertools.count(1)
        encoded = AmqpMessage(id="always", content_type=CONTENT_TYPE, body=BODY).encode()
        self._message = Message[AnnotatedMessage](
            1, parse(encoded), time.time(), state=MessageState.LOCKED
        )

    def check_session_id(self, _session_id: str | None) -> None:
        """Take anything."""

    def enqueue(self, _content: AnnotatedMessage, _now: float, **_: Any) -> None:
        """Forget it."""

    def receive(self, now: float, _session_id: str | None = None) -> Message[AnnotatedMessage]:
        """Return the message, under a new token."""
        return replace(
            self._message,
            token=f"peer{next(self._numbers):012d}",
            locked_until=now + LOCK_SECONDS,
        )

    def complete(self, _token: str, _now: float) -> None:
        """Nothing to remove."""

    def release(self, _token: str, _now: float) -> None:
        """Nothing to give back."""

    def next_deadline(self) -> None:
        """Nothing ever falls due."""


async def _serve(port: int, name: str) -> None:
    settings = QueueSettings(name)
    broker = Broker([settings])
    entity = broker.entity(name)
    assert entity is not None
    entity.queue = cast("Queue[AnnotatedMessage]", NoQueue(settings))
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await broker.serve(port, stop, loop.create_future())


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2]))
