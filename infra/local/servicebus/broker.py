"""The broker: queues by address, the connections, and the turn that serves them."""

import asyncio
import itertools
import secrets
from collections.abc import Iterable
from dataclasses import replace

from infra.local.servicebus.connection import AmqpConnection
from infra.local.servicebus.entity import Entity
from infra.local.servicebus.messages import QueueSettings
from infra.local.servicebus.queue import Queue
from infra.local.servicebus.store import Store
from infra.local.servicebus.wire import Content

HOST = "127.0.0.1"
DEAD_LETTERS = "/$deadletterqueue"


class Broker:
    """All queues of the one namespace; everything happens in one event loop.

    With a store, the queues go on with what it holds, and what they tell clients is in it.
    """

    def __init__(self, queues: Iterable[QueueSettings], store: Store | None = None) -> None:
        self._store = store
        self.connections: set[AmqpConnection] = set()
        self._entities: dict[str, Entity] = {}
        self._touched: dict[Entity, None] = {}
        self._writers: dict[AmqpConnection, None] = {}
        # Sixteen ASCII characters: what proton takes as a tag and the SDK reads as a UUID.
        prefix, numbers = secrets.token_hex(4), itertools.count(1)

        def new_token() -> str:
            return f"{prefix}{next(numbers) & 0xFFFFFFFF:08x}"

        for settings in queues:
            dead = Queue[Content](_dead_letter_settings(settings), new_token, None, store)
            queue = Queue[Content](settings, new_token, dead, store)
            if store is not None:
                store.restore(dead)
                store.restore(queue)
            address = settings.name.lower()
            main = Entity(address, queue, self)
            main.dead_letters = Entity(address + DEAD_LETTERS, dead, self)
            self._entities[main.address] = main
            self._entities[main.dead_letters.address] = main.dead_letters

    def entity(self, address: str) -> Entity | None:
        """The queue or dead-letter queue at an address in lower case."""
        return self._entities.get(address)

    def touch(self, entity: Entity) -> None:
        """Have an entity served in this turn."""
        self._touched[entity] = None

    def wrote(self, connection: AmqpConnection) -> None:
        """Have a connection flushed in this turn."""
        self._writers[connection] = None

    def flush(self) -> None:
        """End a turn: serve what was touched, write what there is to say, until all is quiet."""
        while self._touched or self._writers:
            while self._touched:
                self._touched.popitem()[0].serve()
            if self._store is not None:
                self._store.commit()
            if self._writers:
                self._writers.popitem()[0].flush()

    async def serve(self, port: int, stop: asyncio.Event, ready: "asyncio.Future[int]") -> None:
        """Listen on loopback until `stop`; `ready` gets the port. Raises OSError when busy."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: AmqpConnection(self), HOST, port)
        for entity in self._entities.values():
            self.touch(entity)
        self.flush()
        ready.set_result(server.sockets[0].getsockname()[1])
        await stop.wait()
        server.close()
        for connection in list(self.connections):
            connection.close()
        await server.wait_closed()
        self.flush()


def _dead_letter_settings(settings: QueueSettings) -> QueueSettings:
    """A dead-letter queue has no sessions, no expiry, no limit of deliveries, no duplicates."""
    return replace(
        settings,
        name=settings.name + DEAD_LETTERS,
        max_delivery_count=None,
        default_ttl=None,
        duplicate_window=None,
        dead_letter_on_expiration=False,
        requires_session=False,
    )
