"""One client connection: an asyncio protocol that drives a proton engine."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from proton import (
    Collector,
    Connection,
    Event,
    Link,
    Session,
    Transport,
    TransportException,
)
from proton import Endpoint as ProtonEndpoint

from infra.local.servicebus.attach import attach, path_of
from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.endpoint import Endpoint
from infra.local.servicebus.framing import MAX_FRAME, IncomingFrames
from infra.local.servicebus.requests import ReplyLink
from infra.local.servicebus.sasl import Sasl

if TYPE_CHECKING:
    from infra.local.servicebus.broker import Broker

_LOG = logging.getLogger(__name__)


class AmqpConnection(asyncio.Protocol):
    """Moves bytes between a socket and proton, and proton's events to the links."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.frames = IncomingFrames()
        self._sasl = Sasl()
        self._endpoints: dict[Link, Endpoint] = {}
        self._authorized: set[str] = set()
        self._can_write = True
        self._heartbeat: asyncio.TimerHandle | None = None
        self._collector = Collector()
        self._connection = Connection()
        self._connection.collect(self._collector)
        self._engine = Transport(Transport.SERVER)
        self._engine.max_frame_size = MAX_FRAME
        self._engine.bind(self._connection)
        self._handlers: dict[object, Callable[[Event], None]] = {
            Event.CONNECTION_REMOTE_OPEN: self._on_connection_open,
            Event.CONNECTION_REMOTE_CLOSE: self._on_connection_close,
            Event.SESSION_REMOTE_OPEN: lambda event: event.session.open(),
            Event.SESSION_REMOTE_CLOSE: self._on_session_close,
            Event.LINK_REMOTE_OPEN: self._on_attach,
            Event.LINK_REMOTE_CLOSE: self._on_detach,
            Event.LINK_REMOTE_DETACH: self._on_detach,
            Event.LINK_FLOW: self._on_flow,
            Event.DELIVERY: self._on_delivery,
        }

    # -- what links ask ---------------------------------------------------------------------------

    def wrote(self) -> None:
        """Note that proton has something to send."""
        self.broker.wrote(self)

    def authorize(self, audience: str) -> None:
        """Let the connection use what a valid token is for."""
        self._authorized.add(path_of(audience))

    def is_authorized(self, path: str) -> bool:
        """Whether a token for this entity path, or something above it, was put."""
        return any(
            granted in ("", path) or path.startswith(granted + "/") for granted in self._authorized
        )

    def reply_link(self, session: Session, path: str) -> ReplyLink | None:
        """The link of a session on which the client receives from a node."""
        for endpoint in self._endpoints.values():
            if (
                isinstance(endpoint, ReplyLink)
                and endpoint.path == path
                and endpoint.link.session == session
            ):
                return endpoint
        return None

    def endpoint_named(self, name: str) -> Endpoint | None:
        """The endpoint whose link has this name."""
        for endpoint in self._endpoints.values():
            if endpoint.link.name == name:
                return endpoint
        return None

    # -- asyncio ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start talking."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP only
        self._socket = transport
        self.broker.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Feed proton and serve what that brings about."""
        try:
            if not self._sasl.is_done:
                data = self._negotiate(data)
            self._push(self.frames.feed(data))
        except (MalformedMessageError, TransportException) as error:
            _LOG.warning("closing a connection that does not speak AMQP 1.0: %s", error)
            self._socket.abort()
            return
        self.wrote()
        self.broker.flush()

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
        """Go on writing."""
        self._can_write = True
        self._beat()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything the client held but its message locks."""
        _ = exc  # Closed or torn: the same to the queues.
        self.broker.connections.discard(self)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        self._close_endpoints(lambda _: True)
        self.broker.flush()

    def close(self) -> None:
        """Close the connection as the broker stops."""
        self._connection.close()
        self.flush()
        self._socket.close()

    def flush(self) -> None:
        """Write what proton has to say, and set its next heartbeat."""
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
        self.wrote()
        self.broker.flush()

    # -- proton -----------------------------------------------------------------------------------

    def _push(self, data: bytes) -> None:
        while data:
            capacity = self._engine.capacity()
            if capacity <= 0:
                return  # Closed for input.
            self._engine.push(data[:capacity])
            data = data[capacity:]
            self._dispatch()

    def _dispatch(self) -> None:
        while (event := self._collector.peek()) is not None:
            handler = self._handlers.get(event.type)
            if handler is not None:
                handler(event)
            self._collector.pop()

    def _on_connection_open(self, event: Event) -> None:
        event.connection.container = "servicebus-local"
        event.connection.open()

    def _on_connection_close(self, event: Event) -> None:
        self._close_endpoints(lambda _: True)
        event.connection.close()

    def _on_session_close(self, event: Event) -> None:
        session = event.session
        self._close_endpoints(lambda endpoint: endpoint.link.session == session)
        session.close()

    def _on_attach(self, event: Event) -> None:
        link = event.link
        if link.state & ProtonEndpoint.LOCAL_UNINIT:
            self._endpoints[link] = attach(link, self)

    def _on_detach(self, event: Event) -> None:
        endpoint = self._endpoints.pop(event.link, None)
        if endpoint is not None:
            endpoint.closed()
        if not event.link.state & ProtonEndpoint.LOCAL_CLOSED:
            event.link.close()

    def _on_flow(self, event: Event) -> None:
        endpoint = self._endpoints.get(event.link)
        if endpoint is not None:
            endpoint.on_flow()

    def _on_delivery(self, event: Event) -> None:
        delivery = event.delivery
        endpoint = self._endpoints.get(delivery.link)
        if endpoint is not None:
            endpoint.on_delivery(delivery)

    def _close_endpoints(self, which: Callable[[Endpoint], bool]) -> None:
        for link, endpoint in list(self._endpoints.items()):
            if which(endpoint):
                del self._endpoints[link]
                endpoint.closed()
