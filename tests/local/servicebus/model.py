"""The queue model under test, with shorthand for common calls."""

from dataclasses import replace
from itertools import count
from typing import Any

from infra.local.servicebus.messages import QueueSettings
from infra.local.servicebus.queue import Queue

LOCK, WINDOW, TTL, MAX = 10.0, 20.0, 100.0, 3


USUAL = QueueSettings(
    "q",
    lock_duration=LOCK,
    max_delivery_count=MAX,
    default_ttl=TTL,
    duplicate_window=WINDOW,
    dead_letter_on_expiration=True,
)


def new_queue(**special: Any) -> Queue[str]:
    settings = replace(USUAL, **special)
    numbers = count()
    dead = Queue[str](QueueSettings("q/$deadletterqueue", max_delivery_count=None), str)
    return Queue[str](settings, lambda: f"t{next(numbers)}", dead)


def drain(queue: Queue[str], now: float, session_id: str | None = None) -> list[str]:
    found = []
    while (message := queue.receive(now, session_id)) is not None:
        found.append(message.content)
    return found


def dead(queue: Queue[str], now: float) -> list[tuple[str, str]]:
    assert queue.dead_letters is not None
    found = []
    while (message := queue.dead_letters.receive_and_delete(now)) is not None:
        assert message.dead_letter is not None
        found.append((message.content, message.dead_letter[0]))
    return found


def lock(queue: Queue[str], now: float = 0.0, session_id: str | None = None) -> str:
    message = queue.receive(now, session_id)
    assert message is not None
    assert message.token is not None
    return message.token
