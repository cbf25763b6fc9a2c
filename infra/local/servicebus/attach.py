"""Attaching links to nodes: queues, dead-letter queues, a queue's $management, and $cbs."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from proton import Data, Receiver, Sender, Terminus, symbol

from infra.local.servicebus.endpoint import ClientConnection, LinkEndpoint
from infra.local.servicebus.entity import Entity
from infra.local.servicebus.errors import AmqpError
from infra.local.servicebus.incoming import QueueTargetLink
from infra.local.servicebus.outgoing import SESSION_FILTER, QueueSourceLink
from infra.local.servicebus.requests import (
    CbsLink,
    ManagementLink,
    ReplyLink,
    RequestLink,
)

_CBS, _MANAGEMENT, _DEAD_LETTERS = "$cbs", "/$management", "/$deadletterqueue"
_TIMEOUT = symbol("com.microsoft:timeout")
# Seconds that the service waits for a session when the client names no timeout.
_DEFAULT_TIMEOUT = 65.0


def path_of(address: str) -> str:
    """The entity path of a link address or a token audience, in lower case, without a host.

    Raises ValueError for a malformed URI.
    """
    return (urlsplit(address).path if "://" in address else address).strip("/").lower()


def attach(
    link: Sender | Receiver, connection: ClientConnection, entities: Mapping[str, Entity]
) -> LinkEndpoint:
    """Open the broker's end of a link, or refuse the attach with Service Bus's condition.

    `entities` has every queue and dead-letter queue by address in lower case.
    """
    try:
        return _attach(link, connection, entities)
    except AmqpError as error:
        endpoint = LinkEndpoint(link, connection)
        endpoint.refuse(error)
        return endpoint


def _attach(
    link: Sender | Receiver, connection: ClientConnection, entities: Mapping[str, Entity]
) -> LinkEndpoint:
    terminus = link.remote_source if isinstance(link, Sender) else link.remote_target
    if terminus.type == Terminus.COORDINATOR:
        raise AmqpError("amqp:not-implemented", "The local broker has no transactions.")
    try:
        path = path_of(terminus.address or "")
    except ValueError as error:
        raise AmqpError("amqp:invalid-field", f"The address is no URI: {error}.") from error
    if path == _CBS:
        return _request_or_reply(link, connection, path, None)
    if not connection.is_authorized(path):
        raise AmqpError(
            "amqp:unauthorized-access", f"Unauthorized access. 'Send' or 'Listen' on '{path}'."
        )
    entity = entities.get(path.removesuffix(_MANAGEMENT))
    if entity is None:
        raise AmqpError(
            "amqp:not-found", f"The messaging entity '{terminus.address}' could not be found."
        )
    if path.endswith(_MANAGEMENT):
        return _request_or_reply(link, connection, path, entity)
    if isinstance(link, Receiver):
        return _incoming(link, connection, path, entity)
    return _outgoing(link, connection, entity)


def _request_or_reply(
    link: Sender | Receiver, connection: ClientConnection, path: str, entity: Entity | None
) -> LinkEndpoint:
    if isinstance(link, Sender):
        reply_link = ReplyLink(link, connection, path)
        reply_link.answer()
        return reply_link
    request_link: RequestLink = (
        CbsLink(link, connection, path)
        if entity is None
        else ManagementLink(link, connection, path, entity)
    )
    request_link.open()
    return request_link


def _incoming(
    link: Receiver, connection: ClientConnection, path: str, entity: Entity
) -> LinkEndpoint:
    if path.endswith(_DEAD_LETTERS):
        raise AmqpError("amqp:not-allowed", "Messages cannot be sent to a dead-letter queue.")
    incoming = QueueTargetLink(link, connection, entity)
    incoming.open()
    return incoming


def _outgoing(link: Sender, connection: ClientConnection, entity: Entity) -> LinkEndpoint:
    wants_session, session_id = _session_filter(link)
    if entity.queue.settings.requires_session and not wants_session:
        raise AmqpError(
            "amqp:not-allowed",
            "It is not possible for an entity that requires sessions to create a non-sessionful "
            "message receiver.",
        )
    if wants_session and not entity.queue.settings.requires_session:
        raise AmqpError(
            "amqp:not-allowed",
            "A sessionful message receiver cannot be created on an entity that does not require "
            "sessions.",
        )
    outgoing = QueueSourceLink(link, connection, entity)
    if not wants_session:
        outgoing.open()
    elif session_id is not None:
        outgoing.open_session(session_id)
    else:
        milliseconds = (link.remote_properties or {}).get(_TIMEOUT)
        timeout = milliseconds / 1000 if isinstance(milliseconds, int) else _DEFAULT_TIMEOUT
        outgoing.open_when_available(timeout)
    return outgoing


def _session_filter(link: Sender) -> tuple[bool, str | None]:
    """Read the session filter: (False, None) without a filter, (True, None) for any session.

    Raises `AmqpError` for an unknown filter and for a malformed value.
    """
    filters = _filters(link.remote_source.filter)
    if unknown := sorted(str(name) for name in filters.keys() - {SESSION_FILTER}):
        raise AmqpError(
            "amqp:not-implemented", f"The local broker has no filter {', '.join(unknown)}."
        )
    if not filters:
        return False, None
    value = filters[SESSION_FILTER]
    value = getattr(value, "value", value)  # Some clients send a described value.
    if value is not None and not isinstance(value, str):
        raise AmqpError("amqp:invalid-field", "The session filter is neither text nor null.")
    return True, value


def _filters(data: Data) -> dict[object, object]:
    """The filter-set of a source (OASIS AMQP 1.0, part 3, section 3.5.8); empty without one."""
    data.rewind()
    try:
        filters = data.get_object() if data.next() is not None else None
    except (TypeError, ValueError) as error:  # A key that is a map, or text that is not UTF-8.
        raise AmqpError("amqp:invalid-field", f"The filter-set: {error}.") from error
    if filters is None:
        return {}
    if not isinstance(filters, dict):
        raise AmqpError("amqp:invalid-field", "The filter-set is no map.")
    return filters
