"""AMQP 1.0 messages as bytes: find what the broker needs, add what it says, touch nothing else.

Source: OASIS AMQP 1.0, part 1 (type encodings) and part 3 (message format). The bare message is
kept as it came; only the header and the message annotations, which belong to the broker, are
written anew, and a dead-lettered message gets two application properties as in Service Bus.
"""

import struct
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

BATCH_FORMAT = 0x80013700
"""Message format of a batch: each data section holds one encoded message ("AMQP 1.0 in Azure
Service Bus and Event Hubs protocol guide")."""

_HEADER, _DELIVERY_ANNOTATIONS, _ANNOTATIONS, _PROPERTIES = 0x70, 0x71, 0x72, 0x73
_APPLICATION_PROPERTIES, _DATA = 0x74, 0x75
_NULL, _TIMESTAMP = b"\x40", 0x83
_UNSIGNED = frozenset({0x43, 0x44, 0x52, 0x53, 0x70, 0x80})
_BINARY = frozenset({0xA0, 0xB0})
# Variable-width types, each with the width of its size: binary, string, symbol.
_VARIABLE = {0xA0: 1, 0xB0: 4, 0xA1: 1, 0xB1: 4, 0xA3: 1, 0xB3: 4}
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


class MalformedMessageError(ValueError):
    """The bytes are no AMQP message (a client sees amqp:decode-error)."""


@dataclass(frozen=True, slots=True)
class Content:
    """An encoded message taken apart at its section borders; times in seconds."""

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
class Stamp:
    """What the broker says about a delivery; times in seconds since the epoch."""

    sequence: int
    enqueued_at: float
    delivery_count: int
    locked_until: float | None = None
    state: int = 0


def end_of(data: bytes, at: int) -> int:
    """Where the value that starts at `at` ends. Raises IndexError past the end of `data`."""
    while data[at] == 0:  # A described value: descriptor, then value.
        if data[at + 1] == 0:
            raise MalformedMessageError("a descriptor is itself described")
        at = end_of(data, at + 1)
    code = data[at]
    match code >> 4:
        case 0x4:
            return at + 1
        case 0x5 | 0x6 | 0x7 | 0x8 | 0x9:
            return at + 1 + (1 << ((code >> 4) - 5))
        case 0xA | 0xC | 0xE:
            return at + 2 + data[at + 1]
        case 0xB | 0xD | 0xF:
            return at + 5 + int.from_bytes(data[at + 1 : at + 5])
    raise MalformedMessageError(f"unknown type code 0x{code:02x}")


def items(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of each item of the list or map at `at` (a map's keys and values in turn).

    Raises `MalformedMessageError` at the end when they are not as long as the whole says it is.
    """
    whole = end_of(data, at)
    match data[at]:
        case 0x45:
            return
        case 0xC0 | 0xC1:
            count, at = data[at + 2], at + 3
        case 0xD0 | 0xD1:
            count, at = int.from_bytes(data[at + 5 : at + 9]), at + 9
        case code:
            raise MalformedMessageError(f"expected a list or a map, got type code 0x{code:02x}")
    for _ in range(count):
        end = end_of(data, at)
        yield at, end
        at = end
    if at != whole:
        raise MalformedMessageError("a list or a map is not as long as it says")


def scalar(data: bytes, at: int) -> object:
    """The value at `at` when it is null, unsigned, text, binary or a UUID; its bytes otherwise."""
    code, end = data[at], end_of(data, at)
    value = data[at + 1 : end]
    if code == 0x40:
        return None
    if code in _UNSIGNED:
        return int.from_bytes(value)
    if code in _VARIABLE:
        value = value[_VARIABLE[code] :]
        return value if code in _BINARY else value.decode()
    return uuid.UUID(bytes=value) if code == 0x98 else data[at:end]


def descriptor(data: bytes, at: int) -> tuple[object, int]:
    """Descriptor of the described value at `at`, and where the value itself starts."""
    if data[at] != 0:
        raise MalformedMessageError("expected a described value")
    return scalar(data, at + 1), end_of(data, at + 1)


def parse(data: bytes) -> Content:
    """Take an encoded message apart. Raises `MalformedMessageError`."""
    try:
        return _parse(bytes(data))
    except (IndexError, ValueError) as error:  # ValueError: no UTF-8, or a key without a value.
        raise MalformedMessageError(f"the message makes no sense: {error}") from error


def _parse(data: bytes) -> Content:
    sections: dict[object, tuple[int, int, int]] = {}
    at = 0
    while at < len(data):
        code, value = descriptor(data, at)
        if not isinstance(code, int) or not _HEADER <= code <= 0x78:
            raise MalformedMessageError(f"unknown message section {code!r}")
        if code >= _DATA:
            break
        end = end_of(data, value)
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
    # Read now, so that a message that could not be dead-lettered never gets into a queue.
    _pairs_without([data[a:b] for a, b in fields(_APPLICATION_PROPERTIES)], frozenset())
    properties = [scalar(data, start) for start, _ in fields(_PROPERTIES)]
    properties += [None] * (_GROUP_ID + 1 - len(properties))
    ttl, group = scalar(header[_TTL], 0), properties[_GROUP_ID]
    return Content(
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
            if value[0] != _TIMESTAMP:
                raise MalformedMessageError(f"{_SCHEDULED} is no timestamp")
            return int.from_bytes(value[1:], signed=True) / 1000
    return None


def _skip_body(data: bytes, at: int) -> int:
    while at < len(data):
        at = end_of(data, at)
    return at


def unbatch(data: bytes) -> list[bytes]:
    """The encoded messages inside a batch. Raises `MalformedMessageError`."""
    try:
        return list(_data_sections(data))
    except (IndexError, ValueError) as error:  # ValueError: a descriptor that is no UTF-8.
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


def dead_lettered(content: Content, reason: str, description: str) -> Content:
    """The content with Service Bus's two dead-letter application properties set."""
    added = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
    return with_properties(content, {key: _text(value) for key, value in added.items()})


def with_properties(content: Content, added: Mapping[str, bytes]) -> Content:
    """The content with application properties set, each an encoded value by its name."""
    raw = content.application_properties
    pairs = [raw[a:b] for a, b in items(raw, descriptor(raw, 0)[1])] if raw else []
    pairs = _pairs_without(pairs, frozenset(added))
    for key, value in added.items():
        pairs += [_text(key), value]
    return replace(
        content, application_properties=_section(_APPLICATION_PROPERTIES, b"\xd1", pairs)
    )


def pack(content: Content) -> bytes:
    """The message as it came, for `parse` to take apart again."""
    return b"".join(
        (
            _section(_HEADER, b"\xd0", list(content.header)),
            _section(_ANNOTATIONS, b"\xd1", list(content.annotations)),
            content.properties,
            content.application_properties,
            content.body,
        )
    )


def encode(content: Content, stamp: Stamp) -> bytes:
    """The message as a receiver gets it: new header and annotations, bare message untouched."""
    header = [*content.header, b"\x70" + struct.pack(">I", stamp.delivery_count)]
    annotations = [
        *content.annotations,
        _symbol("x-opt-enqueued-time"),
        _timestamp(stamp.enqueued_at),
        _symbol("x-opt-sequence-number"),
        _long(stamp.sequence),
        _symbol("x-opt-enqueue-sequence-number"),
        _long(stamp.sequence),
        _symbol("x-opt-message-state"),
        b"\x71" + struct.pack(">i", stamp.state),
    ]
    if stamp.locked_until is not None:
        annotations += [_symbol("x-opt-locked-until"), _timestamp(stamp.locked_until)]
    return b"".join(
        (
            _section(_HEADER, b"\xd0", header),
            _section(_ANNOTATIONS, b"\xd1", annotations),
            content.properties,
            content.application_properties,
            content.body,
        )
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


def _symbol(name: str) -> bytes:
    return b"\xa3" + bytes((len(name),)) + name.encode("ascii")


def _text(value: str) -> bytes:
    encoded = value.encode()
    return b"\xb1" + struct.pack(">I", len(encoded)) + encoded


def _long(value: int) -> bytes:
    return b"\x81" + struct.pack(">q", value)


def _timestamp(seconds: float) -> bytes:
    return bytes((_TIMESTAMP,)) + struct.pack(">q", round(seconds * 1000))
