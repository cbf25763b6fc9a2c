"""The AMQP types that the Service Bus SDK cannot read: char, decimal32, decimal64, odd decimal128.

One such value among a message's properties would end the link of the receiver, again at each
delivery, and with the message every message received beside it. The SDK keeps its decoders in a
table by type code. Source: OASIS AMQP 1.0, part 1, sections 1.2 and 1.6.

A twin of this module is in the app. Neither may import the other, as Core Tools run the app without
the local host.
"""

from collections.abc import Callable
from functools import partial

from azure.servicebus._pyamqp import _decode

_CHAR, _DECIMAL128 = 0x73, 0x94
# The width in bytes of the types of fixed width, by the first digit of the type code.
_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}


def read_every_type() -> None:
    """Give the SDK a decoder for each type of fixed width; an unknown type is its bytes."""
    decoders = _decode._DECODE_BY_CONSTRUCTOR  # noqa: SLF001 - the SDK has no other way
    for code in range(0x40, 0xA0):
        if decoders[code] is None:
            decoders[code] = partial(_read, _WIDTHS[code >> 4])
    decoders[_CHAR] = _read_char
    decoders[_DECIMAL128] = partial(_read_decimal, _decode._decode_decimal128)  # noqa: SLF001


def _read(width: int, buffer: memoryview, _depth: int = 0) -> tuple[memoryview, bytes]:
    return buffer[width:], bytes(buffer[:width])


def _read_char(buffer: memoryview, _depth: int = 0) -> tuple[memoryview, str]:
    return buffer[4:], bytes(buffer[:4]).decode("utf-32-be", "replace")


def _read_decimal(
    decode: Callable[[memoryview], tuple[memoryview, object]], buffer: memoryview, _depth: int = 0
) -> tuple[memoryview, object]:
    try:
        return decode(buffer)
    except (ArithmeticError, ValueError):
        return _read(16, buffer)
