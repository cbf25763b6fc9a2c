"""AMQP 1.0 values as bytes: find the end of a value, read a value, write a value.

Source: OASIS AMQP 1.0, part 1 (types).
"""

import struct
import uuid
from collections.abc import Iterator

TIMESTAMP = 0x83
"""The type code of a timestamp."""

_UNSIGNED = frozenset({0x43, 0x44, 0x52, 0x53, 0x70, 0x80})
_BINARY = frozenset({0xA0, 0xB0})
MAX_NESTED = 32
"""The deepest nesting of values in a message; Microsoft's SDKs stop at 64."""

_LISTS, _MAPS = frozenset({0x45, 0xC0, 0xD0}), frozenset({0xC1, 0xD1})
_NO_KEYS = _LISTS | _MAPS | {0x00, 0xE0, 0xF0}
# Variable-width types, each with the width of its size: binary, string, symbol.
_VARIABLE = {0xA0: 1, 0xB0: 4, 0xA1: 1, 0xB1: 4, 0xA3: 1, 0xB3: 4}


class MalformedMessageError(ValueError):
    """The bytes are not an AMQP message; a client sees amqp:decode-error."""


def end_of(data: bytes, at: int) -> int:
    """Return the end of the value that starts at `at`. Raises IndexError past the end of `data`."""
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


def require_decodable(data: bytes, at: int, depth: int = 0) -> int:
    """Return the end of the value at `at`, once every value inside was looked at.

    Raises `MalformedMessageError` for a value that clients refuse to decode: nested deeper than
    `MAX_NESTED`, or a map with a key that is no simple value.
    """
    if depth > MAX_NESTED:
        raise MalformedMessageError(f"values are nested deeper than {MAX_NESTED}")
    end = end_of(data, at)
    while data[at] == 0:
        at = require_decodable(data, at + 1, depth + 1)
    code = data[at]
    if code in _LISTS or code in _MAPS:
        for number, (start, _) in enumerate(items(data, at)):
            if code in _MAPS and number % 2 == 0 and data[start] in _NO_KEYS:
                raise MalformedMessageError("a key of a map is no simple value")
            require_decodable(data, start, depth + 1)
    return end


def items(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each item of the list or map at `at`: a map's keys and values in turn.

    Raises `MalformedMessageError` after the last item when the items do not fill the list or map.
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
    """Read a null, unsigned number, text, binary or UUID; return a different type's bytes."""
    code, end = data[at], end_of(data, at)
    value = data[at + 1 : end]
    if code == 0x40:
        return None
    if code in _UNSIGNED:
        return int.from_bytes(value)
    if code in _VARIABLE:
        value = value[_VARIABLE[code] :]
        return value if code in _BINARY else value.decode()
    return uuid.UUID(bytes=bytes(value)) if code == 0x98 else data[at:end]


def descriptor(data: bytes, at: int) -> tuple[object, int]:
    """Return the descriptor of the described value at `at`, and the start of the value."""
    if data[at] != 0:
        raise MalformedMessageError("expected a described value")
    return scalar(data, at + 1), end_of(data, at + 1)


def symbol(name: str) -> bytes:
    """Encode a symbol of at most 255 characters."""
    return b"\xa3" + bytes((len(name),)) + name.encode("ascii")


def text(value: str) -> bytes:
    """Encode a string."""
    encoded = value.encode()
    return b"\xb1" + struct.pack(">I", len(encoded)) + encoded


def long(value: int) -> bytes:
    """Encode a signed number of 64 bits."""
    return b"\x81" + struct.pack(">q", value)


def timestamp(seconds: float) -> bytes:
    """Encode a time, given in seconds since the epoch."""
    return bytes((TIMESTAMP,)) + struct.pack(">q", round(seconds * 1000))
