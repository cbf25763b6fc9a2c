"""Apple's property lists, such as the `.aae` beside a photo that was edited on a phone.

An `.aae` holds the settings of the edit as bytes: a packed property list, or a packed JSON.
"""

import plistlib
import zlib
from typing import IO, Final
from xml.parsers.expat import ExpatError

from shared.metadata.worker.encodings import decoded, is_text
from shared.metadata.worker.result import MetadataBuilder

_MAX_DEPTH: Final = 40
_MAX_UNPACKED: Final = 4 * 1024 * 1024
_BINARY: Final = b"bplist00"
_RAW_DEFLATE: Final = -15
_ERRORS: Final = (
    ExpatError,
    plistlib.InvalidFileException,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    AttributeError,
    RecursionError,
)


def add_property_list(file: IO[bytes], found: MetadataBuilder) -> None:
    """Add every text of the property list. Bytes that are no text or list are marked as partial."""
    try:
        content = plistlib.load(file)
    except _ERRORS:
        found.broken = True
        return
    _add("plist", content, found, _MAX_DEPTH)


def _add(path: str, value: object, found: MetadataBuilder, depth: int) -> None:
    if not depth:
        found.cut = True
    elif isinstance(value, str):
        found.text(path, value)
    elif isinstance(value, dict):
        for key, member in value.items():
            _add(f"plist:{key}", member, found, depth - 1)
    elif isinstance(value, list):
        for member in value:
            _add(path, member, found, depth - 1)
    elif isinstance(value, bytes) and value:
        _add_bytes(path, value, found, depth)


def _add_bytes(path: str, value: bytes, found: MetadataBuilder, depth: int) -> None:
    try:
        unpacker = zlib.decompressobj(_RAW_DEFLATE)
        unpacked = unpacker.decompress(value, _MAX_UNPACKED)
        value = unpacked if unpacker.eof else value
    except zlib.error:
        # The bytes are not packed.
        pass
    if value.startswith(_BINARY):
        try:
            _add(path, plistlib.loads(value), found, depth - 1)
        except _ERRORS:
            found.broken = True
    elif is_text(value):
        found.text(path, *decoded(value))
    else:
        found.partial = True
