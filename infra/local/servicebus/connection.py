"""One client connection: an asyncio protocol that drives a proton engine."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from proton import (
    Collector,
    Connection,
    Delivery,
    Endpoint,
    Event,
    Link,
    Receiver,
    Sender,
    Session,
    Transport,
    TransportException,
)

from infra.local.servicebus.attach import attach, path_of
from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.endpoint import LinkEndpoint
from infra.local.servicebus.entity import Entity
from infra.local.servicebus.framing import MAX_FRAME, IncomingFrames
from infra.local.servicebus.sasl import Sasl
from infra.local.servicebus.turn import Turn

_LOG = logging.getLogger(__name__)


class AmqpConnection(asyncio.Protocol):
    """Moves bytes between a socket and proton, and hands proton's events to the link endpoints.

    `entities` has every queue and dead-letter queue by address. The connection is in `connections`
    while the socket is open.
    """

    def __init__(
        self, entities: Mapping[str, Entity], turn: Turn, connections: set["AmqpConnection"]
    ) -> None:
        self._entities = entities
        self._turn = turn
        self._connections = connections
        self._frames = IncomingFrames()
        self._sasl = Sasl()
        self._endpoints: dict[Link, LinkEndpoint] = {}
        self._authorized: set[str] = set()
        self._can_write = True
        self._heartbeat: asyncio.TimerHandle | None = None
        self._collector = Collector()
        self._connection = Connection()
        self._connection.collect(self._collector)
        self._engine = Transport(Transport.SERVER)
        self._engine.max_frame_size = MAX_FRAME
        self._engine.bind(self._connection)

    # -- for the link endpoints -------------------------------------------------------------------

    @property
    def endpoints(self) -> Iterable[LinkEndpoint]:
        """The link endpoints of the connection."""
        return self._endpoints.values()

    def write_soon(self) -> None:
        """Note that proton has output for the client."""
        self._turn.write_soon(self.flush)

    def authorize(self, audience: str) -> None:
        """Let the connection use the entities of a valid token's audience."""
        self._authorized.add(path_of(audience))

    def is_authorized(self, path: str) -> bool:
        """Tell whether the client put a token for this entity path or for a parent path."""
        return any(
            granted in ("", path) or path.startswith(granted + "/") for granted in self._authorized
        )

    def next_message_format(self, link_name: str) -> int:
        """The message format of the link's next delivery."""
        return self._frames.next_message_format(link_name)

    # -- asyncio ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP only
        self._socket = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Feed proton and finish the turn."""
        try:
            if not self._sasl.is_done:
                data = self._negotiate(data)
            self._push(self._frames.feed(data))
        except (MalformedMessageError, TransportException) as error:
            _LOG.warning("closing a connection that does not speak AMQP 1.0: %s", error)
            self._socket.abort()
            return
        self.write_soon()
        self._turn.finish()

    def _negotiate(self, data: bytes) -> bytes:
        answer, rest = self._sasl.feed(data)
        self._socket.write(answer)
        if self._sasl.has_failed:
            self._socket.close()
            return b""
        if self._sasl.is_trusted:
            self.authorize("")
        return rest

    def pause_writing(self) -> None:
        """Leave output with proton until the client reads."""
        self._can_write = False

    def resume_writing(self) -> None:
        """Write the output that waits in proton."""
        self._can_write = True
        self._beat()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the link endpoints; messages locked without a session stay locked."""
        _ = exc  # A clean close and a broken connection mean the same to the queues.
        self._connections.discard(self)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self._close_endpoints(lambda _: True)
        self._turn.finish()

    def close(self) -> None:
        """Close the connection as the broker stops."""
        self._connection.close()
        self.flush()
        self._socket.close()

    def flush(self) -> None:
        """Write proton's output, and set the timer of the next heartbeat."""
        if self._socket.is_closing():
            return
        deadline = self._engine.tick(asyncio.get_running_loop().time())
        while self._can_write and (pending := self._engine.pending()) > 0:
            self._socket.write(bytes(self._engine.peek(pending) or b""))
            self._engine.pop(pending)
        self._dispatch()
        if self._engine.pending() < 0:
            self._socket.close()
        elif deadline:
            if self._heartbeat is not None:
                self._heartbeat.cancel()
            self._heartbeat = asyncio.get_running_loop().call_at(deadline, self._beat)

    def _beat(self) -> None:
        self.write_soon()
        self._turn.finish()

    # -- proton -----------------------------------------------------------------------------------

    def _push(self, data: bytes) -> None:
        while data:
            capacity = self._engine.capacity()
            if capacity <= 0:
                return  # Proton has closed the input.
            self._engine.push(data[:capacity])
            data = data[capacity:]
            self._dispatch()

    def _dispatch(self) -> None:
        while (event := self._collector.peek()) is not None:
            match event.context:
                case Delivery() as delivery:
                    self._on_delivery(delivery)
                case Sender() | Receiver() as link:
                    self._on_link(event, link)
                case Session() as session:
                    self._on_session(event, session)
                case Connection() as connection:
                    self._on_connection(event, connection)
            self._collector.pop()

    def _on_connection(self, event: Event, connection: Connection) -> None:
        if event.type == Event.CONNECTION_REMOTE_OPEN:
            connection.container = "servicebus-local"
            connection.open()
        elif event.type == Event.CONNECTION_REMOTE_CLOSE:
            self._close_endpoints(lambda _: True)
            connection.close()

    def _on_session(self, event: Event, session: Session) -> None:
        if event.type == Event.SESSION_REMOTE_OPEN:
            session.open()
        elif event.type == Event.SESSION_REMOTE_CLOSE:
            self._close_endpoints(lambda endpoint: endpoint.link.session == session)
            session.close()

    def _on_link(self, event: Event, link: Sender | Receiver) -> None:
        if event.type == Event.LINK_FLOW:
            endpoint = self._endpoints.get(link)
            if endpoint is not None:
                endpoint.on_flow()
        elif event.type == Event.LINK_REMOTE_OPEN:
            if link.state & Endpoint.LOCAL_UNINIT:
                self._endpoints[link] = attach(link, self, self._entities)
        elif event.type in (Event.LINK_REMOTE_CLOSE, Event.LINK_REMOTE_DETACH):
            endpoint = self._endpoints.pop(link, None)
            if endpoint is not None:
                endpoint.on_close()
            if not link.state & Endpoint.LOCAL_CLOSED:
                link.close()

    def _on_delivery(self, delivery: Delivery) -> None:
        endpoint = self._endpoints.get(delivery.link)
        if endpoint is not None:
            endpoint.on_delivery(delivery)

    def _close_endpoints(self, are_closed: Callable[[LinkEndpoint], bool]) -> None:
        for link, endpoint in list(self._endpoints.items()):
            if are_closed(endpoint):
                del self._endpoints[link]
                endpoint.on_close()
