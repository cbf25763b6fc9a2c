"""Request-response links: $cbs takes tokens, {queue}/$management takes operations.

Source: "AMQP 1.0 in Azure Service Bus: request-response-based operations" and OASIS AMQP CBS. The
SDK's token request has no reply-to address. The response goes to the link of the same session with
the same node as its source.
"""

import time
from abc import abstractmethod
from typing import Any

from proton import Message as AmqpMessage
from proton import MessageException, Receiver, Sender

from infra.local.servicebus import management, sas
from infra.local.servicebus.endpoint import ClientConnection, LinkEndpoint
from infra.local.servicebus.entity import Entity
from infra.local.servicebus.errors import AmqpError
from infra.local.servicebus.incoming import IncomingLink

_STATUS_UNAUTHORIZED = 401

type ManagementReply = tuple[dict[str, Any], dict[Any, Any] | None]
"""Application properties and body."""


class ReplyLink(LinkEndpoint):
    """An outgoing link with $cbs or a $management node as its source."""

    def __init__(self, link: Sender, connection: ClientConnection, path: str) -> None:
        super().__init__(link, connection)
        self.path = path
        self._sender = link

    def send(self, message: AmqpMessage) -> None:
        """Send a response, already settled."""
        delivery = self._sender.delivery(self._sender.delivery_tag())
        self._sender.send(message.encode())
        self._sender.advance()
        delivery.settle()


class RequestLink(IncomingLink):
    """An incoming link with $cbs or a $management node as its target."""

    def __init__(self, link: Receiver, connection: ClientConnection, path: str) -> None:
        super().__init__(link, connection)
        self.path = path

    def receive(self, data: bytes, message_format: int) -> None:  # noqa: ARG002 - of the base class
        """Decode a request and send the response. Raises `AmqpError` without a way to respond."""
        request = AmqpMessage()
        try:
            request.decode(data)
        except MessageException as error:
            raise AmqpError("amqp:decode-error", str(error)) from error
        reply_link = self._reply_link()
        properties, body = self.respond(request)
        reply_link.send(AmqpMessage(correlation_id=request.id, properties=properties, body=body))

    @abstractmethod
    def respond(self, request: AmqpMessage) -> ManagementReply:
        """Carry out a request."""

    def _reply_link(self) -> ReplyLink:
        for endpoint in self.connection.endpoints:
            if (
                isinstance(endpoint, ReplyLink)
                and endpoint.path == self.path
                and endpoint.link.session == self.link.session
            ):
                return endpoint
        raise AmqpError("amqp:not-allowed", f"no link of this session receives from {self.path}")


class CbsLink(RequestLink):
    """Takes tokens, which let a connection attach to entities."""

    def respond(self, request: AmqpMessage) -> ManagementReply:
        """Check the token of a put-token request."""
        properties: dict[str, object] = request.properties or {}
        operation = properties.get("operation")
        if operation != "put-token":
            return {
                "status-code": management.NOT_IMPLEMENTED,
                "status-description": f"{operation} is not implemented by the local broker.",
            }, None
        audience = str(properties.get("name", ""))
        try:
            sas.verify(str(request.body), audience, time.time())
            self.connection.authorize(audience)
        except (sas.UnauthorizedError, ValueError) as error:  # ValueError: a malformed URI.
            return {
                "status-code": _STATUS_UNAUTHORIZED,
                "status-description": f"amqp:unauthorized-access: {error}",
            }, None
        return {"status-code": management.OK, "status-description": "OK"}, None


class ManagementLink(RequestLink):
    """Takes the operations on one entity."""

    def __init__(
        self, link: Receiver, connection: ClientConnection, path: str, entity: Entity
    ) -> None:
        super().__init__(link, connection, path)
        self._entity = entity

    def respond(self, request: AmqpMessage) -> ManagementReply:
        """Run the operation that the request names."""
        properties: dict[str, object] = request.properties or {}
        name = properties.get("associated-link-name")
        response = management.run(
            str(properties.get("operation", "")),
            management.ManagementRequest(
                queue=self._entity.queue,
                body=request.body if isinstance(request.body, dict) else {},
                holder=self._endpoint_named(str(name)) if name else None,
                now=time.time(),
            ),
        )
        self._entity.serve_soon()
        answer: dict[str, Any] = {
            "statusCode": response.status,
            "statusDescription": response.description,
        }
        if response.condition is not None:
            answer["errorCondition"] = response.condition
        return answer, response.body

    def _endpoint_named(self, name: str) -> LinkEndpoint | None:
        """Find the link endpoint of this name, the receiver that a session's lock belongs to."""
        named = (endpoint for endpoint in self.connection.endpoints if endpoint.link.name == name)
        return next(named, None)
