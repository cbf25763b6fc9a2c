"""Take the attachments out of a winmail.dat, which Outlook sends. Source: [MS-OXTNEF]."""

import struct
from collections.abc import Iterator
from typing import IO, Final

from shared.scanning.carriers.parts import Gathered, Part, region

# The level, the kind and the length of an attribute; a checksum of two bytes follows the data.
_ATTRIBUTE: Final = struct.Struct("<BII")
_LEVELS: Final = (1, 2)
# attAttachData, attMsgProps, attAttachment.
_KINDS: Final = (0x0006800F, 0x00069003, 0x00069005)
_MAX: Final = 100_000


def attachments(file: IO[bytes], start: int, size: int) -> Iterator[Part]:
    """Yield the attachments of the TNEF that begins at `start`, up to the first damage."""
    gathered = Gathered()
    position = start + 6
    for _ in range(_MAX):
        file.seek(position)
        header = file.read(_ATTRIBUTE.size)
        if len(header) < _ATTRIBUTE.size:
            break
        level, kind, length = _ATTRIBUTE.unpack(header)
        position += _ATTRIBUTE.size
        if level not in _LEVELS:
            break
        if kind in _KINDS:
            yield from gathered.add(region(file, position, min(size, position + length)))
        position += length + 2
    yield from gathered.rest()
