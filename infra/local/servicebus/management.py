"""The operations of {queue}/$management that the broker knows, each on the pure queue.

Source: "AMQP 1.0 in Azure Service Bus: request-response-based operations". An operation that is
not here is refused by name; none is silently accepted.
"""

import uuid
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from proton import UNDESCRIBED, Array, Data, symbol, timestamp

from infra.local.servicebus.delivery import encoded, property_change
from infra.local.servicebus.encoding import MalformedMessageError
from infra.local.servicebus.incoming import MAX_MESSAGE_BYTES, enqueue
from infra.local.servicebus.messages import MessageNotFoundError, RefusedError
from infra.local.servicebus.queue import Queue
from infra.local.servicebus.wire import Content, parse

OK, NO_CONTENT, BAD_REQUEST, NOT_FOUND, GONE, NOT_IMPLEMENTED = 200, 204, 400, 404, 410, 501
# What a client sends for "any time": the end of .NET's calendar, or a millisecond before it.
_ANY_TIME = 253_402_300_799.999


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its body, the queue, and the client's receiving link on it, if it named one."""

    queue: Queue[Content]
    body: dict[Any, Any]
    holder: Hashable
    now: float


@dataclass(frozen=True, slots=True)
class Result:
    """Status, as HTTP's, and what goes with it."""

    status: int = OK
    description: str = "OK"
    condition: symbol | None = None
    body: Any = None


class TooLargeError(RefusedError):
    """A message is larger than the tier allows."""

    condition = "amqp:link:message-size-exceeded"


def run(operation: str, call: Call) -> Result:
    """Carry out an operation by name."""
    known = _OPERATIONS.get(operation)
    if known is None:
        return Result(
            NOT_IMPLEMENTED,
            f"{operation} is not implemented by the local broker.",
            symbol("amqp:not-implemented"),
        )
    try:
        return known(call)
    except MessageNotFoundError as missing:
        return Result(NOT_FOUND, str(missing), symbol(missing.condition))
    except RefusedError as refusal:
        return Result(GONE, str(refusal), symbol(refusal.condition))
    except (KeyError, TypeError, ValueError, MalformedMessageError) as error:
        return Result(
            BAD_REQUEST,
            f"{operation}: bad request: {error!r}",
            symbol("com.microsoft:argument-error"),
        )


def _renew_lock(call: Call) -> Result:
    ends = [call.queue.renew(token, call.now) for token in _tokens(call)]
    expirations = [_timestamp(end) for end in ends]
    return Result(body={"expirations": Array(UNDESCRIBED, Data.TIMESTAMP, *expirations)})


def _renew_session_lock(call: Call) -> Result:
    end = call.queue.sessions.renew(_session(call), call.holder, call.now)
    return Result(body={"expiration": _timestamp(end)})


def _get_session_state(call: Call) -> Result:
    state = call.queue.sessions.state(_session(call), call.holder, call.now)
    return Result(body={"session-state": state})


def _set_session_state(call: Call) -> Result:
    state = call.body["session-state"]
    call.queue.sessions.set_state(
        _session(call), call.holder, call.now, None if state is None else bytes(state)
    )
    return Result(body={})


def _update_disposition(call: Call) -> Result:
    """Settle by lock token: how the SDK settles when the receiving link is gone."""
    status = call.body["disposition-status"]
    change = property_change(call.body.get("properties-to-modify"))
    for token in _tokens(call):
        match status:
            case "completed":
                call.queue.complete(token, call.now)
            case "abandoned":
                call.queue.abandon(token, call.now, change)
            case "defered":  # So spelt in the protocol.
                call.queue.defer(token, call.now, change)
            case "suspended":
                reason = str(call.body.get("deadletter-reason") or "")
                description = str(call.body.get("deadletter-description") or "")
                call.queue.dead_letter(token, call.now, reason, description, change)
            case _:
                raise ValueError(f"disposition-status {status!r}")
    return Result(body={})


def _schedule(call: Call) -> Result:
    """Take messages that each say when they become active; one whose time has come is sent."""
    encodings = [bytes(entry["message"]) for entry in call.body["messages"]]
    if any(len(encoding) > MAX_MESSAGE_BYTES for encoding in encodings):
        raise TooLargeError(f"A message is larger than the limit of {MAX_MESSAGE_BYTES} bytes.")
    contents = [parse(encoding) for encoding in encodings]
    if any(content.not_before is None for content in contents):
        raise ValueError("a message has no x-opt-scheduled-enqueue-time")
    numbers = enqueue(call.queue, contents, call.now)
    return Result(body={"sequence-numbers": Array(UNDESCRIBED, Data.LONG, *numbers)})


def _cancel_scheduled(call: Call) -> Result:
    call.queue.cancel_scheduled(_sequences(call))
    return Result(body={})


def _receive_deferred(call: Call) -> Result:
    session = call.body.get("session-id")
    # A receiver that settles first has its messages removed as they are handed over.
    remove = int(call.body["receiver-settle-mode"]) == 0
    found = call.queue.receive_deferred(
        _sequences(call),
        call.now,
        session_id=None if session is None else str(session),
        owner=call.holder,
        remove=remove,
    )
    entries = []
    for message in found:
        entry: dict[str, Any] = {"message": encoded(message)}
        if message.token is not None:
            entry["lock-token"] = uuid.UUID(bytes_le=message.token.encode("ascii"))
        entries.append(entry)
    return Result(body={"messages": entries})


def _list_sessions(call: Call) -> Result:
    if not call.queue.settings.requires_session:
        raise RefusedError("Sessions are listed of a queue that requires sessions.")
    changed = int(call.body["last-updated-time"]) / 1000
    skip, top = int(call.body["skip"]), int(call.body["top"])
    ids = call.queue.session_ids(None if changed > _ANY_TIME else changed)[skip : skip + top]
    if not ids:
        return Result(NO_CONTENT, "No sessions.", symbol("com.microsoft:session-not-found"))
    names = Array(UNDESCRIBED, Data.STRING, *ids)
    return Result(body={"skip": skip + len(ids), "sessions-ids": names})


def _peek(call: Call) -> Result:
    start, count = int(call.body["from-sequence-number"]), int(call.body["message-count"])
    found = call.queue.peek(start, count, call.now, call.body.get("session-id"))
    if not found:
        return Result(NO_CONTENT, "No messages.")
    entries = [{"message": encoded(message)} for message in found]
    return Result(body={"messages": entries})


def _tokens(call: Call) -> list[str]:
    """Lock tokens as the broker issued them: the UUID's bytes, first three fields little-endian."""
    tokens = [
        token if isinstance(token, uuid.UUID) else uuid.UUID(str(token))
        for token in call.body["lock-tokens"]
    ]
    return [token.bytes_le.decode("ascii", "replace") for token in tokens]


def _sequences(call: Call) -> list[int]:
    return [int(sequence) for sequence in call.body["sequence-numbers"]]


def _session(call: Call) -> str:
    return str(call.body["session-id"])


def _timestamp(seconds: float) -> timestamp:
    return timestamp(round(seconds * 1000))


_OPERATIONS: dict[str, Callable[[Call], Result]] = {
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
