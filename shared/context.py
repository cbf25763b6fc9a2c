"""The origin of the work at hand: the request or message at the beginning.

The edge sets the origin once, and the writer of an event reads it, so that no rule hands it on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Context:
    """The origin of the work. `correlation_id` is the same for every consequence of a request or
    event.

    `client_address` is the address of the client whose HTTP request is being answered.
    """

    correlation_id: str | None = None
    client_address: str | None = None


NOWHERE: Final = Context()

_current: ContextVar[Context] = ContextVar("context", default=NOWHERE)


def current() -> Context:
    """Return the context of the present task; an empty context outside of requests and messages."""
    return _current.get()


@contextmanager
def during(context: Context) -> Iterator[None]:
    """Make `context` the current context until the end of the block."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
