"""The operations of {queue}/$management, each carried out on the queue model.

Source: "AMQP 1.0 in Azure Service Bus: request-response-based operations". The broker refuses an
unknown operation by name.
"""

import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proton import UNDESCRIBED, Array, Data, symbol, timestamp

from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.errors import MessageNotFoundError, OperationRefusedError
from infra.local.servicebus.incoming import check_size, enqueue
from infra.local.servicebus.message_format import AnnotatedMessage, encode_queued, parse
from infra.local.servicebus.queue import Queue
from infra.local.servicebus.settlement import settle_token

OK, NO_CONTENT, BAD_REQUEST, NOT_FOUND, GONE, NOT_IMPLEMENTED = 200, 204, 400, 404, 410, 501
# Clients send the end of .NET's calendar, or a millisecond less, for "any time".
_ANY_TIME = 253_402_300_799.999


@dataclass(frozen=True, slots=True)
class ManagementRequest:
    """One request: the queue, the body, and the client's receiver for a request about a session."""

    queue: Queue[AnnotatedMessage]
    body: Mapping[Any, Any]
    holder: Hashable
    now: float


@dataclass(frozen=True, slots=True)
class ManagementResponse:
    """The response: a status code as in HTTP, a description, an AMQP condition, and a body."""

    status: int = OK
    description: str = "OK"
    condition: symbol | None = None
    body: dict[Any, Any] | None = None


def run(operation: str, request: ManagementRequest) -> ManagementResponse:
    """Carry out an operation by name."""
    known = _OPERATIONS.get(operation)
    if known is None:
        return ManagementResponse(
            NOT_IMPLEMENTED,
            f"{operation} is not implemented by the local broker.",
            symbol("amqp:not-implemented"),
        )
    try:
        return known(request)
    except MessageNotFoundError as missing:
        return ManagementResponse(NOT_FOUND, str(missing), symbol(missing.condition))
    except OperationRefusedError as refusal:
        return ManagementResponse(GONE, str(refusal), symbol(refusal.condition))
    except (KeyError, TypeError, ValueError, MalformedMessageError) as error:
        return ManagementResponse(
            BAD_REQUEST,
            f"{operation}: bad request: {error!r}",
            symbol("com.microsoft:argument-error"),
        )


def _renew_lock(request: ManagementRequest) -> ManagementResponse:
    ends = [request.queue.renew(token, request.now) for token in _tokens(request)]
    expirations = [_timestamp(end) for end in ends]
    return ManagementResponse(body={"expirations": _array(Data.TIMESTAMP, expirations)})


def _renew_session_lock(request: ManagementRequest) -> ManagementResponse:
    end = request.queue.sessions.renew(_session(request), request.holder, request.now)
    return ManagementResponse(body={"expiration": _timestamp(end)})


def _get_session_state(request: ManagementRequest) -> ManagementResponse:
    state = request.queue.sessions.state(_session(request), request.holder, request.now)
    return ManagementResponse(body={"session-state": state})


def _set_session_state(request: ManagementRequest) -> ManagementResponse:
    state = request.body["session-state"]
    request.queue.sessions.set_state(
        _session(request), request.holder, request.now, None if state is None else bytes(state)
    )
    return ManagementResponse(body={})


def _update_disposition(request: ManagementRequest) -> ManagementResponse:
    status = request.body["disposition-status"]
    for token in _tokens(request):
        settle_token(request.queue, token, status, request.body, request.now)
    return ManagementResponse(body={})


def _schedule(request: ManagementRequest) -> ManagementResponse:
    """Schedule messages; a message whose time has passed is enqueued at once."""
    encodings = [bytes(entry["message"]) for entry in request.body["messages"]]
    for encoding in encodings:
        check_size(encoding)
    contents = [parse(encoding) for encoding in encodings]
    if any(content.not_before is None for content in contents):
        raise ValueError("a message has no x-opt-scheduled-enqueue-time")
    numbers = enqueue(request.queue, contents, request.now)
    return ManagementResponse(body={"sequence-numbers": _array(Data.LONG, numbers)})


def _cancel_scheduled(request: ManagementRequest) -> ManagementResponse:
    request.queue.cancel_scheduled(_sequences(request))
    return ManagementResponse(body={})


def _receive_deferred(request: ManagementRequest) -> ManagementResponse:
    session = request.body.get("session-id")
    # Receiver settle mode `first`: the broker deletes each message as the broker sends the message.
    remove = int(request.body["receiver-settle-mode"]) == 0
    found = request.queue.receive_deferred(
        _sequences(request),
        request.now,
        session_id=None if session is None else str(session),
        owner=request.holder,
        remove=remove,
    )
    entries = []
    for message in found:
        entry: dict[str, Any] = {"message": encode_queued(message)}
        if message.token is not None:
            entry["lock-token"] = uuid.UUID(bytes_le=message.token.encode("ascii"))
        entries.append(entry)
    return ManagementResponse(body={"messages": entries})


def _list_sessions(request: ManagementRequest) -> ManagementResponse:
    if not request.queue.settings.requires_session:
        raise OperationRefusedError("Sessions are listed of a queue that requires sessions.")
    changed = int(request.body["last-updated-time"]) / 1000
    skip, top = int(request.body["skip"]), int(request.body["top"])
    ids = request.queue.session_ids(None if changed > _ANY_TIME else changed)[skip : skip + top]
    if not ids:
        return ManagementResponse(
            NO_CONTENT, "No sessions.", symbol("com.microsoft:session-not-found")
        )
    names = _array(Data.STRING, ids)
    return ManagementResponse(body={"skip": skip + len(ids), "sessions-ids": names})


def _peek(request: ManagementRequest) -> ManagementResponse:
    start, count = int(request.body["from-sequence-number"]), int(request.body["message-count"])
    found = request.queue.peek(start, count, request.now, request.body.get("session-id"))
    if not found:
        return ManagementResponse(NO_CONTENT, "No messages.")
    entries = [{"message": encode_queued(message)} for message in found]
    return ManagementResponse(body={"messages": entries})


def _tokens(request: ManagementRequest) -> list[str]:
    """Decode lock tokens: UUIDs with the first three fields little-endian."""
    tokens = [
        token if isinstance(token, uuid.UUID) else uuid.UUID(str(token))
        for token in request.body["lock-tokens"]
    ]
    return [token.bytes_le.decode("ascii", "replace") for token in tokens]


def _sequences(request: ManagementRequest) -> list[int]:
    return [int(sequence) for sequence in request.body["sequence-numbers"]]


def _session(request: ManagementRequest) -> str:
    return str(request.body["session-id"])


def _array(of: int, values: Sequence[int] | Sequence[str]) -> Array:
    return Array(UNDESCRIBED, of, *values)  # type: ignore[arg-type]  # proton's hint leaves it out


def _timestamp(seconds: float) -> timestamp:
    return timestamp(round(seconds * 1000))


_OPERATIONS: dict[str, Callable[[ManagementRequest], ManagementResponse]] = {
    "com.microsoft:renew-lock": _renew_lock,
    "com.microsoft:renew-session-lock": _renew_session_lock,
    "com.microsoft:get-session-state": _get_session_state,
    "com.microsoft:set-session-state": _set_session_state,
    "com.microsoft:update-disposition": _update_disposition,
    "com.microsoft:peek-message": _peek,
    "com.microsoft:schedule-message": _schedule,
    "com.microsoft:cancel-scheduled-message": _cancel_scheduled,
    "com.microsoft:receive-by-sequence-number": _receive_deferred,
    "com.microsoft:get-message-sessions": _list_sessions,
}
