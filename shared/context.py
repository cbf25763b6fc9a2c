"""Where the work at hand comes from: the request or message that it goes back to.

It is set once, at the edge, and read where an event is written, so that no rule has to hand it on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Context:
    """`correlation_id` is the same for all that one request or event led to.

    `client_address` is the address of the client whose HTTP request is being answered.
    """

    correlation_id: str | None = None
    client_address: str | None = None


NOWHERE: Final = Context()

_current: ContextVar[Context] = ContextVar("context", default=NOWHERE)


def current() -> Context:
    """The context of the present task; an empty one outside of requests and messages."""
    return _current.get()


@contextmanager
def during(context: Context) -> Iterator[None]:
    """Let `context` be the current one until the end of the block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
