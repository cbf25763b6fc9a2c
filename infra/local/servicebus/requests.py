"""Request-response links: $cbs takes tokens, {queue}/$management takes operations.

Source: "AMQP 1.0 in Azure Service Bus: request-response-based operations" and OASIS AMQP CBS. The
SDK's token request names no reply address; the answer goes to the link of the same session that
receives from the same node.
"""

import time
from typing import TYPE_CHECKING, Any

from proton import Message, MessageException, Receiver, Sender

from infra.local.servicebus import management, sas
from infra.local.servicebus.endpoint import Endpoint
from infra.local.servicebus.incoming import ReceivingLink, RejectedError

if TYPE_CHECKING:
    from infra.local.servicebus.connection import AmqpConnection
    from infra.local.servicebus.entity import Entity

_STATUS_UNAUTHORIZED = 401


class ReplyLink(Endpoint):
    """A link a client receives answers on."""

    def __init__(self, link: Sender, connection: "AmqpConnection", path: str) -> None:
        super().__init__(link, connection)
        self.path = path
        self._sender = link

    def open(self) -> None:
        """Answer the attach."""
        self._sender.snd_settle_mode = self._sender.remote_snd_settle_mode
        self._sender.rcv_settle_mode = self._sender.remote_rcv_settle_mode
        self.answer()

    def send(self, message: Message) -> None:
        """Send an answer, settled: nobody waits for its outcome."""
        delivery = self._sender.delivery(self._sender.delivery_tag())
        self._sender.send(message.encode())
        self._sender.advance()
        delivery.settle()


class _RequestLink(ReceivingLink):
    def __init__(self, link: Receiver, connection: "AmqpConnection", path: str) -> None:
        super().__init__(link, connection)
        self.path = path

    def take(self, data: bytes, message_format: int) -> None:  # noqa: ARG002 - of the base class
        """Decode a request, answer it. Raises `RejectedError` when it cannot be answered."""
        request = Message()
        try:
            request.decode(data)
        except MessageException as error:
            raise RejectedError("amqp:decode-error", str(error)) from error
        reply = self.connection.reply_link(self.link.session, self.path)
        if reply is None:
            raise RejectedError(
                "amqp:not-allowed", f"no link of this session receives from {self.path}"
            )
        properties, body = self.respond(request)
        reply.send(Message(correlation_id=request.id, properties=properties, body=body))

    def respond(self, request: Message) -> tuple[dict[str, Any], Any]:
        """Application properties and body of the answer."""
        raise NotImplementedError


class CbsLink(_RequestLink):
    """Takes the tokens that let a connection attach to entities."""

    def respond(self, request: Message) -> tuple[dict[str, Any], Any]:
        """Check a put-token request."""
        properties = request.properties or {}
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
        except (sas.UnauthorizedError, ValueError) as error:  # ValueError: a URI that is none.
            return {
                "status-code": _STATUS_UNAUTHORIZED,
                "status-description": f"amqp:unauthorized-access: {error}",
            }, None
        return {"status-code": management.OK, "status-description": "OK"}, None


class ManagementLink(_RequestLink):
    """Takes the operations on one entity."""

    def __init__(
        self, link: Receiver, connection: "AmqpConnection", path: str, entity: "Entity"
    ) -> None:
        super().__init__(link, connection, path)
        self._entity = entity

    def respond(self, request: Message) -> tuple[dict[str, Any], Any]:
        """Run the operation that the request names."""
        properties = request.properties or {}
        name = properties.get("associated-link-name")
        call = management.Call(
            queue=self._entity.queue,
            body=request.body if isinstance(request.body, dict) else {},
            holder=self.connection.endpoint_named(str(name)) if name else None,
            now=time.time(),
        )
        result = management.run(str(properties.get("operation", "")), call)
        self._entity.touch()
        answer: dict[str, Any] = {
            "statusCode": result.status,
            "statusDescription": result.description,
        }
        if result.condition is not None:
            answer["errorCondition"] = result.condition
        return answer, result.body
