"""Parking: the copy of a message that can never succeed.

A copy always fits its queue. What does not fit, or has no type that the bus's SDK can send, is in a
blob of the container `parked`, which has the whole message.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from shared.catalogue import PARKED_CONTAINER, PARKED_MESSAGES_QUEUE
from shared.errors import RefusalError
from shared.ids import rfc3339
from shared.ports import OutgoingMessage, Value

# "Service Bus quotas", learn.microsoft.com: a message has 256 KiB in the Standard tier, its
# properties 64 KiB, those of parking among them.
_MAX_BODY: Final = 160 * 1024
_KEPT_OF_BODY: Final = 32 * 1024
_MAX_PROPERTIES: Final = 32 * 1024
_MAX_TEXT: Final = 1024
_MAX_NAME: Final = 128
_MAX_REMARK: Final = 2048
_INT32: Final = 2**31
_CONTENT_TYPE: Final = re.compile("[ -~]{1,255}")
_OURS: Final = "parked-"


@dataclass(frozen=True, slots=True)
class Received:
    """A message from a queue, with the properties as the host's JSON has them.

    `sequence_number` is the queue's own number; `id` is the sender's, and may be missing or
    repeated.
    """

    queue: str
    sequence_number: int
    id: str
    body: bytes
    session: str | None
    content_type: str | None
    delivery_count: int
    properties: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Whole:
    """A blob with a whole message, in JSON, the body in base64."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Kept:
    """The properties that a copy keeps, and the names of the others."""

    values: Mapping[str, Value]
    as_text: tuple[str, ...]
    left_out: tuple[str, ...]


def parked(message: Received, reason: RefusalError, now: datetime) -> OutgoingMessage:
    """Make the copy of `message` for `parked-messages`: body, properties, and the reason.

    The reason travels as application properties `parked-…`, so that the body stays unchanged and
    can be replayed. A property that is no text, number or truth value is its JSON, and is named in
    `parked-properties-as-text`. A long body is cut, and a property that does not fit is left out
    and named in `parked-properties-left-out`; `parked-blob` then names the blob of `whole_of`. The
    second copy of a message that was delivered and parked twice is a duplicate.
    """
    kept, whole = _kept(message.properties), whole_of(message)
    is_cut = len(message.body) > _MAX_BODY
    ours: dict[str, Value] = {
        "parked-reason": reason.code,
        "parked-detail": _cut(reason.detail),
        "parked-remedy": _cut(reason.remedy),
        "parked-queue": message.queue,
        "parked-message-id": _cut(message.id),
        "parked-session-id": _cut(message.session or ""),
        "parked-delivery-count": message.delivery_count,
        "parked-at": rfc3339(now),
    }
    if kept.as_text:
        ours["parked-properties-as-text"] = _names(kept.as_text)
    if kept.left_out:
        ours["parked-properties-left-out"] = _names(kept.left_out)
    if is_cut:
        ours["parked-body-bytes"] = len(message.body)
    if whole is not None:
        ours["parked-blob"] = f"{PARKED_CONTAINER.name}/{whole.name}"
    return OutgoingMessage(
        PARKED_MESSAGES_QUEUE.name,
        f"{message.queue}|{message.sequence_number}",
        message.body[:_KEPT_OF_BODY] if is_cut else message.body,
        content_type=_content_type(message) or "application/octet-stream",
        properties={**kept.values, **ours},
    )


def whole_of(message: Received) -> Whole | None:
    """Return the blob for a message whose copy is cut; None where the copy is whole."""
    is_whole = len(message.body) <= _MAX_BODY and not _kept(message.properties).left_out
    if is_whole and _content_type(message) == message.content_type:
        return None
    content = json.dumps(
        {
            "queue": message.queue,
            "sequenceNumber": message.sequence_number,
            "messageId": message.id,
            "sessionId": message.session,
            "contentType": message.content_type,
            "properties": message.properties,
            "body": base64.b64encode(message.body).decode(),
        },
        default=str,
    ).encode()
    # A queue that is made anew counts from the beginning, so the number alone is not enough.
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Whole(f"{message.queue}/{message.sequence_number}-{digest}.json", content)


def parked_entry(event: OutgoingMessage, reason: RefusalError, now: datetime) -> OutgoingMessage:
    """Make the copy for `parked-messages` of the app's own log entry, given as an event.

    The entry never was on the queue `access-events`, and so has no sequence number: the event's id
    takes the number's place.
    """
    received = Received(
        queue=event.queue,
        sequence_number=0,
        id=event.id,
        body=event.body,
        session=None,
        content_type=event.content_type,
        delivery_count=0,
        properties={},
    )
    return replace(parked(received, reason, now), id=f"{event.queue}|{event.id}")


def _kept(properties: Mapping[str, object]) -> _Kept:
    values: dict[str, Value] = {}
    as_text, left_out, size = [], [], 0
    for name, given in properties.items():
        if name.startswith(_OURS):
            # Of an earlier parking; the new reason takes the place.
            continue
        value = sendable(given)
        length = len(name.encode(errors="replace")) + len(str(value).encode(errors="replace"))
        if not _is_name(name) or size + length > _MAX_PROPERTIES:
            left_out.append(name)
            continue
        size += length
        values[name] = value
        if value is not given:
            as_text.append(name)
    return _Kept(values, tuple(as_text), tuple(left_out))


def sendable(value: object) -> Value:
    """Return a value that the SDK sends as it is, or JSON. The SDK's integers have 32 bits."""
    match value:
        case bool():
            return value
        case int() if -_INT32 <= value < _INT32:
            return value
        case float() if math.isfinite(value):
            return value
        case str() if _is_unicode(value):
            return value
        case str():
            return value.encode(errors="replace").decode()
    return json.dumps(value, default=str)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _MAX_NAME and _is_unicode(name)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in text)


def _content_type(message: Received) -> str | None:
    given = message.content_type
    return given if given is not None and _CONTENT_TYPE.fullmatch(given) else None


def _names(names: tuple[str, ...]) -> str:
    return _cut(", ".join(_shortened(names)), _MAX_REMARK)


def _shortened(names: tuple[str, ...]) -> Iterator[str]:
    return (_cut(name, _MAX_NAME) for name in names)


def _cut(text: str, most: int = _MAX_TEXT) -> str:
    return text[:most].encode(errors="replace").decode()
