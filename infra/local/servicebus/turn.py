"""One turn of the event loop: serve the queues, commit their changes, then write to the clients."""

from collections.abc import Callable

type Work = Callable[[], None]


class Turn:
    """The work to finish before the event loop waits again.

    `commit` makes the changes of the queues durable. A client hears of a change only after the
    commit. A callback that is given twice runs once.
    """

    def __init__(self, commit: Work) -> None:
        self._commit = commit
        self._queues: dict[Work, None] = {}
        self._connections: dict[Work, None] = {}

    def serve_soon(self, serve: Work) -> None:
        """Have a queue served in this turn."""
        self._queues[serve] = None

    def write_soon(self, write: Work) -> None:
        """Have a connection write its output in this turn."""
        self._connections[write] = None

    def finish(self) -> None:
        """Run the work of this turn, and the work that follows from the work."""
        while self._queues or self._connections:
            while self._queues:
                self._queues.popitem()[0]()
            self._commit()
            if self._connections:
                self._connections.popitem()[0]()
