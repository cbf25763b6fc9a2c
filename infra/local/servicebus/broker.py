"""The broker: the queues of one namespace by address, and the listener for client connections."""

import asyncio
import itertools
import secrets
from collections.abc import Iterable
from dataclasses import replace

from infra.local.servicebus.connection import AmqpConnection
from infra.local.servicebus.entity import Entity
from infra.local.servicebus.message_format import AnnotatedMessage
from infra.local.servicebus.messages import QueueSettings
from infra.local.servicebus.queue import Queue
from infra.local.servicebus.sqlite_journal import SqliteJournal
from infra.local.servicebus.turn import Turn

HOST = "127.0.0.1"
DEAD_LETTERS = "/$deadletterqueue"


class Broker:
    """The queues of one namespace; all work happens in one event loop.

    With a journal, the queues start with the journal's messages, and every change is in the journal
    before a client hears of the change.
    """

    def __init__(
        self, queues: Iterable[QueueSettings], journal: SqliteJournal | None = None
    ) -> None:
        self._turn = Turn(_do_nothing if journal is None else journal.commit)
        self._connections: set[AmqpConnection] = set()
        self._entities: dict[str, Entity] = {}
        # Sixteen ASCII characters: proton accepts the tag, and the SDK reads the tag as a UUID.
        prefix, numbers = secrets.token_hex(4), itertools.count(1)

        def new_token() -> str:
            return f"{prefix}{next(numbers) & 0xFFFFFFFF:08x}"

        for settings in queues:
            dead = Queue[AnnotatedMessage](
                _dead_letter_settings(settings), new_token, None, journal
            )
            queue = Queue[AnnotatedMessage](settings, new_token, dead, journal)
            if journal is not None:
                journal.restore(dead)
                journal.restore(queue)
            address = settings.name.lower()
            main = Entity(address, queue, self._turn)
            main.dead_letters = Entity(address + DEAD_LETTERS, dead, self._turn)
            self._entities[main.address] = main
            self._entities[main.dead_letters.address] = main.dead_letters

    def entity(self, address: str) -> Entity | None:
        """The queue or dead-letter queue at an address in lower case."""
        return self._entities.get(address)

    async def serve(self, port: int, stop: asyncio.Event, ready: "asyncio.Future[int]") -> None:
        """Listen on loopback until `stop`, and tell `ready` the port. Raises OSError when busy."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: AmqpConnection(self._entities, self._turn, self._connections), HOST, port
        )
        for entity in self._entities.values():
            self._turn.serve_soon(entity.serve)
        self._turn.finish()
        ready.set_result(server.sockets[0].getsockname()[1])
        await stop.wait()
        server.close()
        for connection in list(self._connections):
            connection.close()
        await server.wait_closed()
        self._turn.finish()


def _do_nothing() -> None:
    """Commit nothing: without a journal the queues end with the broker."""


def _dead_letter_settings(settings: QueueSettings) -> QueueSettings:
    """The settings of a dead-letter queue.

    A dead-letter queue has no sessions, no expiry, no maximum delivery count and no duplicate
    detection.
    """
    return replace(
        settings,
        name=settings.name + DEAD_LETTERS,
        max_delivery_count=None,
        default_ttl=None,
        duplicate_window=None,
        dead_letter_on_expiration=False,
        requires_session=False,
    )
