"""Large files of several shapes, made on demand and the same every time."""

import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MIB: Final = 1024**2
GIB: Final = 1024**3
_BLOCK: Final = 4 * 1024 * 1024
# The beginning of every JFIF file: start of image, then the JFIF segment (ITU-T T.871).
_JPEG: Final = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def film(file: Path, size: int = GIB) -> Path:
    """Write bytes of no known type, as little compressible as a film."""
    return _write(file, b"", size)


def giant_picture(file: Path, size: int = GIB) -> Path:
    """Write a file that begins as a JPEG does, and is far larger than any JPEG."""
    return _write(file, _JPEG, size)


def archive(file: Path, size: int = GIB) -> Path:
    """Write a sound zip file with a member of `size` bytes, stored without compression."""
    with zipfile.ZipFile(file, "w") as made, made.open("film.bin", "w", force_zip64=True) as member:
        for block in _noise(size):
            member.write(block)
    return file


def _write(file: Path, head: bytes, size: int) -> Path:
    with file.open("wb") as made:
        made.write(head)
        for block in _noise(size - len(head)):
            made.write(block)
    return file


def _noise(size: int) -> Iterator[bytes]:
    """Yield `size` bytes: a random block again and again, each time turned by a byte more."""
    block = random.Random(1).randbytes(_BLOCK)
    number = 0
    while size > 0:
        turned = block[number:] + block[:number]
        yield turned[:size]
        size -= _BLOCK
        number += 1
