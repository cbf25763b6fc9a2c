"""The layers of a Photoshop file, whose names and texts no reader reads.

Source: "Adobe Photoshop File Formats Specification", file header, and layer and mask information.
"""

import struct
from typing import IO, Final

_HEADER: Final = 26
_LARGE: Final = 2


def has_layers(file: IO[bytes]) -> bool:
    """Tell whether a Photoshop file has layers; False for any other file."""
    file.seek(0)
    header = file.read(_HEADER)
    if header[:4] != b"8BPS" or len(header) < _HEADER:
        return False
    # The sections of the colours and of the resources, each behind its length.
    for _ in range(2):
        length = file.read(4)
        if len(length) < 4:
            return False
        file.seek(struct.unpack(">I", length)[0], 1)
    size = 8 if header[5] == _LARGE else 4
    return any(file.read(size)) and any(file.read(size))
