"""What a client may attach to: queues, dead-letter queues, their $management, and $cbs."""

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from proton import Data, Link, Receiver, Sender, Terminus, symbol

from infra.local.servicebus.endpoint import Endpoint
from infra.local.servicebus.incoming import IncomingLink
from infra.local.servicebus.messages import RefusedError
from infra.local.servicebus.outgoing import SESSION_FILTER, OutgoingLink
from infra.local.servicebus.requests import CbsLink, ManagementLink, ReplyLink

if TYPE_CHECKING:
    from infra.local.servicebus.connection import AmqpConnection
    from infra.local.servicebus.entity import Entity

_CBS, _MANAGEMENT, _DEAD_LETTERS = "$cbs", "/$management", "/$deadletterqueue"
_TIMEOUT = symbol("com.microsoft:timeout")
# How long the service waits for a session when the client names no timeout.
_DEFAULT_PATIENCE = 65.0


class AttachError(Exception):
    """The attach is refused; carries the AMQP error condition."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition


def path_of(address: str) -> str:
    """The entity path of a link address or token audience, in lower case, without a host.

    Raises ValueError when it looks like a URI and is none.
    """
    return (urlsplit(address).path if "://" in address else address).strip("/").lower()


def attach(link: Link, connection: "AmqpConnection") -> Endpoint:
    """Open the broker's end of a link, or refuse it with the condition Service Bus would give."""
    endpoint = Endpoint(link, connection)
    try:
        return _attach(link, connection)
    except AttachError as error:
        endpoint.refuse(error.condition, str(error))
    except RefusedError as refusal:
        endpoint.refuse(refusal.condition, str(refusal))
    return endpoint


def _attach(link: Link, connection: "AmqpConnection") -> Endpoint:
    terminus = link.remote_source if link.is_sender else link.remote_target
    if terminus.type == Terminus.COORDINATOR:
        raise AttachError("amqp:not-implemented", "The local broker has no transactions.")
    try:
        path = path_of(terminus.address or "")
    except ValueError as error:
        raise AttachError("amqp:invalid-field", f"The address is no URI: {error}.") from error
    if path == _CBS:
        return _request_or_reply(link, connection, path, None)
    if not connection.is_authorized(path):
        raise AttachError(
            "amqp:unauthorized-access", f"Unauthorized access. 'Send' or 'Listen' on '{path}'."
        )
    entity = connection.broker.entity(path.removesuffix(_MANAGEMENT))
    if entity is None:
        raise AttachError(
            "amqp:not-found", f"The messaging entity '{terminus.address}' could not be found."
        )
    if path.endswith(_MANAGEMENT):
        return _request_or_reply(link, connection, path, entity)
    if link.is_receiver:
        return _sender_of_client(cast("Receiver", link), connection, path, entity)
    return _receiver_of_client(cast("Sender", link), connection, entity)


def _request_or_reply(
    link: Link, connection: "AmqpConnection", path: str, entity: "Entity | None"
) -> Endpoint:
    endpoint: ReplyLink | CbsLink | ManagementLink
    if link.is_sender:
        endpoint = ReplyLink(cast("Sender", link), connection, path)
    elif entity is None:
        endpoint = CbsLink(cast("Receiver", link), connection, path)
    else:
        endpoint = ManagementLink(cast("Receiver", link), connection, path, entity)
    endpoint.open()
    return endpoint


def _sender_of_client(
    link: Receiver, connection: "AmqpConnection", path: str, entity: "Entity"
) -> Endpoint:
    if path.endswith(_DEAD_LETTERS):
        raise AttachError("amqp:not-allowed", "Messages cannot be sent to a dead-letter queue.")
    incoming = IncomingLink(link, connection, entity)
    incoming.open()
    return incoming


def _receiver_of_client(link: Sender, connection: "AmqpConnection", entity: "Entity") -> Endpoint:
    wants_session, session_id = _session_filter(link)
    if entity.queue.settings.requires_session and not wants_session:
        raise AttachError(
            "amqp:not-allowed",
            "It is not possible for an entity that requires sessions to create a non-sessionful "
            "message receiver.",
        )
    if wants_session and not entity.queue.settings.requires_session:
        raise AttachError(
            "amqp:not-allowed",
            "A sessionful message receiver cannot be created on an entity that does not require "
            "sessions.",
        )
    outgoing = OutgoingLink(link, connection, entity)
    if not wants_session:
        outgoing.open()
    elif session_id is not None:
        outgoing.open_session(session_id)
    else:
        milliseconds = (link.remote_properties or {}).get(_TIMEOUT)
        patience = milliseconds / 1000 if isinstance(milliseconds, int) else _DEFAULT_PATIENCE
        outgoing.open_when_available(patience)
    return outgoing


def _session_filter(link: Sender) -> tuple[bool, str | None]:
    """Whether a session is asked for, and which. Raises `AttachError` for any other filter."""
    filters = _filters(link.remote_source.filter)
    if others := sorted(str(name) for name in filters.keys() - {SESSION_FILTER}):
        raise AttachError(
            "amqp:not-implemented", f"The local broker has no filter {', '.join(others)}."
        )
    if not filters:
        return False, None
    value = filters[SESSION_FILTER]
    value = getattr(value, "value", value)  # Some clients describe the filter's value.
    if value is not None and not isinstance(value, str):
        raise AttachError("amqp:invalid-field", "The session filter is neither text nor null.")
    return True, value


def _filters(data: Data) -> dict[Any, Any]:
    """The filter-set of a source (OASIS AMQP 1.0, part 3, section 3.5.8), empty when none."""
    data.rewind()
    try:
        filters = data.get_object() if data.next() is not None else None
    except (TypeError, ValueError) as error:  # A key that is a map, a text that is no UTF-8.
        raise AttachError("amqp:invalid-field", f"The filter-set: {error}.") from error
    if filters is None:
        return {}
    if not isinstance(filters, dict):
        raise AttachError("amqp:invalid-field", "The filter-set is no map.")
    return filters
