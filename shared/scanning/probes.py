"""Two harmless archives that an engine cannot look into, to see whether it says so."""

import io
import struct
import zipfile
from functools import cache

# Deeper than any engine follows: clamd.conf(5), MaxRecursion.
_LEVELS = 101
_ENCRYPTED = 0x1
_FLAGS_AT = ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8))


@cache
def nested_archive() -> bytes:
    """A zip within a zip, many times over; about 10 kB."""
    data = b"x"
    for _ in range(_LEVELS):
        data = _zip(data)
    return data


@cache
def encrypted_archive() -> bytes:
    """A zip whose member is marked as encrypted."""
    data = bytearray(_zip(bytes(28)))
    for signature, offset in _FLAGS_AT:
        struct.pack_into("<H", data, data.index(signature) + offset, _ENCRYPTED)
    return bytes(data)


def _zip(member: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), member)
    return buffer.getvalue()
