"""AMQP 1.0 messages as bytes: parse, set the broker's properties, leave the bare message alone.

Source: OASIS AMQP 1.0, part 3 (message format). The bare message stays byte for byte. Only the
header and the message annotations belong to the broker and are encoded again. A dead-lettered
message gets two application properties, as in Service Bus.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from infra.local.servicebus.encoding import (
    TIMESTAMP,
    MalformedMessageError,
    descriptor,
    end_of,
    items,
    long,
    require_decodable,
    scalar,
    symbol,
    text,
    timestamp,
)
from infra.local.servicebus.messages import Message

BATCH_FORMAT = 0x80013700
"""The message format of a batch: each data section holds one encoded message.

Source: "AMQP 1.0 in Azure Service Bus and Event Hubs protocol guide".
"""

_HEADER, _DELIVERY_ANNOTATIONS, _ANNOTATIONS, _PROPERTIES = 0x70, 0x71, 0x72, 0x73
_APPLICATION_PROPERTIES, _DATA = 0x74, 0x75
_NULL = b"\x40"
_MESSAGE_ID, _GROUP_ID, _TTL = 0, 10, 2
_SCHEDULED = "x-opt-scheduled-enqueue-time"
_BROKER_ANNOTATIONS = frozenset(
    {
        "x-opt-enqueued-time",
        "x-opt-sequence-number",
        "x-opt-enqueue-sequence-number",
        "x-opt-locked-until",
        "x-opt-message-state",
    }
)


@dataclass(frozen=True, slots=True)
class AnnotatedMessage:
    """An annotated message, parsed into encoded sections; `ttl` and `not_before` are in seconds.

    `not_before` is x-opt-scheduled-enqueue-time, in seconds since the epoch.
    """

    header: tuple[bytes, ...]
    annotations: tuple[bytes, ...]
    properties: bytes
    application_properties: bytes
    body: bytes
    message_id: object = None
    session_id: str | None = None
    ttl: float | None = None
    not_before: float | None = None


@dataclass(frozen=True, slots=True)
class BrokerProperties:
    """The broker properties of a delivery; times in seconds since the epoch."""

    sequence: int
    enqueued_at: float
    delivery_count: int
    locked_until: float | None = None
    state: int = 0


def parse(data: bytes) -> AnnotatedMessage:
    """Parse an encoded message. Raises `MalformedMessageError`."""
    try:
        return _parse(bytes(data))
    except (IndexError, ValueError) as error:  # ValueError: not UTF-8, or a key without a value.
        raise MalformedMessageError(f"the message makes no sense: {error}") from error


def _parse(data: bytes) -> AnnotatedMessage:
    sections: dict[object, tuple[int, int, int]] = {}
    at = 0
    while at < len(data):
        code, value = descriptor(data, at)
        if not isinstance(code, int) or not _HEADER <= code <= 0x78:
            raise MalformedMessageError(f"unknown message section {code!r}")
        if code >= _DATA:
            break
        end = require_decodable(data, value)
        sections[code] = (at, value, end)
        at = end
    if _skip_body(data, at) != len(data):
        raise MalformedMessageError("the message ends early")

    def fields(code: int) -> list[tuple[int, int]]:
        return list(items(data, sections[code][1])) if code in sections else []

    def whole(code: int) -> bytes:
        start, _, end = sections.get(code, (0, 0, 0))
        return data[start:end]

    header = [data[start:end] for start, end in fields(_HEADER)[:4]]
    header += [_NULL] * (4 - len(header))
    pairs = [data[start:end] for start, end in fields(_ANNOTATIONS)]
    annotations = _pairs_without(pairs, _BROKER_ANNOTATIONS)
    # Check the application properties at once: a message in a queue can always be dead-lettered.
    _pairs_without([data[a:b] for a, b in fields(_APPLICATION_PROPERTIES)], frozenset())
    properties = [scalar(data, start) for start, _ in fields(_PROPERTIES)]
    properties += [None] * (_GROUP_ID + 1 - len(properties))
    ttl, group = scalar(header[_TTL], 0), properties[_GROUP_ID]
    return AnnotatedMessage(
        header=tuple(header),
        annotations=tuple(annotations),
        properties=whole(_PROPERTIES),
        application_properties=whole(_APPLICATION_PROPERTIES),
        body=data[at:],
        message_id=properties[_MESSAGE_ID],
        session_id=group if isinstance(group, str) else None,
        ttl=ttl / 1000 if isinstance(ttl, int) else None,
        not_before=_not_before(annotations),
    )


def _not_before(annotations: list[bytes]) -> float | None:
    for key, value in zip(annotations[::2], annotations[1::2], strict=True):
        if scalar(key, 0) == _SCHEDULED and value != _NULL:
            if value[0] != TIMESTAMP:
                raise MalformedMessageError(f"{_SCHEDULED} is no timestamp")
            return int.from_bytes(value[1:], signed=True) / 1000
    return None


def _skip_body(data: bytes, at: int) -> int:
    while at < len(data):
        at = require_decodable(data, at)
    return at


def unbatch(data: bytes) -> list[bytes]:
    """Return the encoded messages inside a batch. Raises `MalformedMessageError`."""
    try:
        return list(_data_sections(data))
    except (IndexError, ValueError) as error:  # ValueError: a descriptor that is not UTF-8.
        raise MalformedMessageError(f"the batch makes no sense: {error}") from error


def _data_sections(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        code, value = descriptor(data, at)
        at = end_of(data, value)
        if code == _DATA:
            inner = scalar(data, value)
            if not isinstance(inner, bytes):
                raise MalformedMessageError("a data section of the batch holds no binary")
            yield inner


def dead_lettered(content: AnnotatedMessage, reason: str, description: str) -> AnnotatedMessage:
    """Set the two dead-letter application properties of Service Bus."""
    added = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
    return with_properties(content, {key: text(value) for key, value in added.items()})


def with_properties(content: AnnotatedMessage, added: Mapping[str, bytes]) -> AnnotatedMessage:
    """Set application properties, each an encoded value by name."""
    raw = content.application_properties
    pairs = [raw[a:b] for a, b in items(raw, descriptor(raw, 0)[1])] if raw else []
    pairs = _pairs_without(pairs, frozenset(added))
    for key, value in added.items():
        pairs += [text(key), value]
    return replace(
        content, application_properties=_section(_APPLICATION_PROPERTIES, b"\xd1", pairs)
    )


def pack(content: AnnotatedMessage) -> bytes:
    """Encode a message without broker properties; `parse` reads the result."""
    return b"".join(
        (
            _section(_HEADER, b"\xd0", list(content.header)),
            _section(_ANNOTATIONS, b"\xd1", list(content.annotations)),
            content.properties,
            content.application_properties,
            content.body,
        )
    )


def encode(content: AnnotatedMessage, stamp: BrokerProperties) -> bytes:
    """Encode a message for a receiver: new header and annotations, unchanged bare message."""
    header = [*content.header, b"\x70" + struct.pack(">I", stamp.delivery_count)]
    annotations = [
        *content.annotations,
        symbol("x-opt-enqueued-time"),
        timestamp(stamp.enqueued_at),
        symbol("x-opt-sequence-number"),
        long(stamp.sequence),
        symbol("x-opt-enqueue-sequence-number"),
        long(stamp.sequence),
        symbol("x-opt-message-state"),
        b"\x71" + struct.pack(">i", stamp.state),
    ]
    if stamp.locked_until is not None:
        annotations += [symbol("x-opt-locked-until"), timestamp(stamp.locked_until)]
    return b"".join(
        (
            _section(_HEADER, b"\xd0", header),
            _section(_ANNOTATIONS, b"\xd1", annotations),
            content.properties,
            content.application_properties,
            content.body,
        )
    )


def encode_queued(message: Message[AnnotatedMessage]) -> bytes:
    """Encode a queued message for a receiver, with the dead-letter reason if there is a reason."""
    content = message.content
    if message.dead_letter is not None:
        content = dead_lettered(content, *message.dead_letter)
    return encode(
        content,
        BrokerProperties(
            sequence=message.sequence,
            enqueued_at=message.enqueued_at,
            delivery_count=message.delivery_count,
            locked_until=message.locked_until if message.token else None,
            state=message.wire_state,
        ),
    )


def _section(code: int, constructor: bytes, parts: list[bytes]) -> bytes:
    encoded = b"".join(parts)
    size = struct.pack(">II", len(encoded) + 4, len(parts))
    return b"\x00\x53" + bytes((code,)) + constructor + size + encoded


def _pairs_without(pairs: list[bytes], unwanted: frozenset[str]) -> list[bytes]:
    kept: list[bytes] = []
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if scalar(key, 0) not in unwanted:
            kept += [key, value]
    return kept
