"""Take the files out of a disc image (ISO 9660, also with Joliet). Source: ECMA-119.

The files of an image lie in the image as they are, and so the scan of the image sees the files'
bytes. This reader makes each file a part, which is then examined like a member of an archive.
"""

import struct
from collections.abc import Iterator
from typing import IO, Final

from shared.scanning.carriers.parts import Gathered, Part, region
from shared.scanning.scanner import NotExamined, RefusedArchiveError

_SECTOR: Final = 2048
FIRST_DESCRIPTOR: Final = 16 * _SECTOR
"""Offset of the first volume descriptor from the start of the image."""

_MAX_DESCRIPTORS: Final = 64
_MAX_FILES: Final = 100_000
_MAX_DIRECTORY: Final = 16 * 1024 * 1024
_ROOT: Final = 156
_DIRECTORY: Final = 0x02
# Descriptors of a UDF image: ECMA-167 part 2, section 9.
_UDF: Final = (b"NSR02", b"NSR03")
_TREES: Final = (1, 2)


def files(file: IO[bytes], base: int, size: int) -> Iterator[Part]:
    """Yield the files of the image that begins at `base`. Raises RefusedArchiveError.

    Notes a UDF image within the image, whose directories are not read.
    """
    seen: set[tuple[int, int]] = set()
    gathered = Gathered()
    udf = False
    for number in range(_MAX_DESCRIPTORS):
        at = base + FIRST_DESCRIPTOR + number * _SECTOR
        file.seek(at)
        descriptor = file.read(_SECTOR)
        if len(descriptor) < _SECTOR:
            break
        if descriptor[1:6] in _UDF:
            udf = True
        if descriptor[1:6] != b"CD001" or descriptor[0] not in _TREES:
            continue
        (width,) = struct.unpack_from("<H", descriptor, 128)
        if width not in (512, 1024, _SECTOR):
            yield NotExamined("disc-image", f"byte {at}")
            continue
        for start, length in _tree(file, base, width, descriptor[_ROOT : _ROOT + 34], seen):
            yield from gathered.add(region(file, start, min(size, start + length)))
    yield from gathered.rest()
    if udf:
        yield NotExamined("disc-image", f"byte {base}")


def _tree(
    file: IO[bytes], base: int, width: int, root: bytes, seen: set[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the place and the length of each file; each extent once for all trees."""
    waiting = [root]
    while waiting:
        place, length = _extent(waiting.pop())
        if length > _MAX_DIRECTORY:
            raise RefusedArchiveError("archive-too-large")
        file.seek(base + place * width)
        for record in _records(file.read(length)):
            extent = _extent(record)
            if extent in seen or extent[1] == 0:
                continue
            seen.add(extent)
            if len(seen) > _MAX_FILES:
                raise RefusedArchiveError("archive-too-large")
            if record[25] & _DIRECTORY:
                waiting.append(record)
            else:
                yield base + extent[0] * width, extent[1]


def _records(directory: bytes) -> Iterator[bytes]:
    """Yield the records of a directory. A length of zero fills up a sector."""
    position = 0
    while position < len(directory):
        length = directory[position]
        if length == 0:
            position = (position // _SECTOR + 1) * _SECTOR
            continue
        if length >= 34 and position + length <= len(directory):
            yield directory[position : position + length]
        position += length


def _extent(record: bytes) -> tuple[int, int]:
    place, length = struct.unpack_from("<I4xI", record, 2)
    return place, length
