"""Find and read the directory at the end of a zip.

Programs disagree on the directory that counts: the first end record from the end of the file, the
end record whose comment ends with the file, the directory at the stated place, or before the end
record. A zip with more than one possible directory is refused. Python's own reader takes the first
possibility without a word, and is not used here for that reason.

Source: .ZIP File Format Specification (APPNOTE.TXT) 6.3.10, sections 4.3.12 to 4.3.16 and 4.5.3.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from shared.scanning.scanner import RefusedArchiveError

# The end record has the counts, the size and the place of the directory, and a comment of at most
# 64 KiB follows.
_END: Final = struct.Struct("<4s4H2LH")
_END_MARK: Final = b"PK\x05\x06"
# Info-ZIP's unzip looks for the end record in the last 66,000 bytes, rounded up to blocks.
_SEARCHED: Final = 80 * 1024
_LOCATOR: Final = struct.Struct("<4sLQL")
_LOCATOR_MARK: Final = b"PK\x06\x07"
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_END64_MARK: Final = b"PK\x06\x06"
_LISTED: Final = struct.Struct("<4s6H3L5H2L")
_LISTED_MARK: Final = b"PK\x01\x02"
_SIGNATURE_MARK: Final = b"PK\x05\x05"
_WHOLE16: Final = 0xFFFF
WHOLE32: Final = 0xFFFFFFFF
"""The value of a field of 32 bits whose number stands in the ZIP64 extra field."""
# Room for the greatest number of members; the directory is read at once.
_MAX_DIRECTORY: Final = 4 * 1024 * 1024
ZIP64: Final = 0x0001
"""The extra field with sizes of 64 bits."""

CONTRADICTORY: Final = "archive-contradictory"


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """An entry as the directory lists the entry. Sizes are in bytes."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    place: int
    """Offset of the entry's local header by the directory."""
    extra: bytes


@dataclass(frozen=True, slots=True)
class Directory:
    """The place of a directory in a file: from `start` up to `end`."""

    start: int
    end: int
    """Offset behind the directory's last entry."""
    end_record: int
    """Offset of the end record, or of the end record of 64 bits before."""
    comment: int
    """Offset of the comment."""
    shift: int
    """Number of bytes before the zip, which the directory's places do not count."""
    count: int


def find_directory(file: IO[bytes]) -> Directory | None:
    """Return the one directory of a zip at the end of `file`, or None.

    Raises RefusedArchiveError: "archive-contradictory" for a second possible directory, and
    "archive-unsupported" for a part of a zip in several parts.
    """
    size = file.seek(0, io.SEEK_END)
    start = max(0, size - _SEARCHED)
    tail = _read(file, start, size - start)
    marks = list(_marks(tail))
    found = None
    for at in reversed(marks):
        found = _directory_of(file, start + at, tail[at : at + _END.size])
        if found is not None:
            break
    if found is None:
        return None
    for at in marks:
        if start + at == found.comment - _END.size:
            continue
        record = tail[at : at + _END.size]
        ends_file = start + at + _END.size + _END.unpack(record)[7] == size
        behind = start + at >= found.start
        if ends_file or (behind and _is_possible(file, start + at, record)):
            raise RefusedArchiveError(CONTRADICTORY)
    return found


def read_directory(file: IO[bytes], directory: Directory) -> list[ListedEntry]:
    """Return the entries that the directory lists. Raises RefusedArchiveError."""
    length = directory.end - directory.start
    if length > _MAX_DIRECTORY:
        raise RefusedArchiveError("archive-too-large")
    data = _read(file, directory.start, length)
    listed, position = [], 0
    while data.startswith(_LISTED_MARK, position) and position + _LISTED.size <= length:
        entry, position = _listed(data, position)
        listed.append(entry)
    if position > length:
        raise RefusedArchiveError("archive-broken")
    if position < length and not data.startswith(_SIGNATURE_MARK, position):
        raise RefusedArchiveError(CONTRADICTORY if listed else "archive-broken")
    # Old programs count to 65,535 and begin anew.
    if len(listed) & _WHOLE16 != directory.count & _WHOLE16:
        raise RefusedArchiveError(CONTRADICTORY)
    return listed


def extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each extra field, up to a broken or padding field."""
    position = 0
    while position + 4 <= len(extra):
        number, length = struct.unpack_from("<2H", extra, position)
        position += 4
        if position + length > len(extra):
            return
        yield number, extra[position : position + length]
        position += length


def with_zip64(extra: bytes, values: tuple[int, ...]) -> tuple[int, ...]:
    """Return `values` (sizes of 32 bits, in the order of the ZIP64 field), the whole ones replaced.

    Raises RefusedArchiveError, "archive-contradictory", for a ZIP64 field that states further
    values that differ: some programs take these. A second ZIP64 field is as bad.
    """
    fields = [content for number, content in extra_fields(extra) if number == ZIP64]
    if not fields:
        return values
    content = fields[0]
    stated = [
        int.from_bytes(content[start : start + 8], "little")
        for start in range(0, len(content) - 7, 8)
    ]
    asked = [index for index, value in enumerate(values) if value == WHOLE32]
    # A careful program states every size, also where 32 bits are enough.
    order = asked if len(stated) <= len(asked) else list(range(len(values)))
    if len(fields) > 1 or len(stated) < len(asked) or len(stated) > len(values):
        raise RefusedArchiveError(CONTRADICTORY)
    resolved = list(values)
    for index, value in zip(order, stated, strict=False):
        if values[index] == WHOLE32:
            resolved[index] = value
        elif value not in (0, values[index]):
            # A zero is room that a writer kept for a size that fits 32 bits after all.
            raise RefusedArchiveError(CONTRADICTORY)
    return tuple(resolved)


def _marks(tail: bytes) -> Iterator[int]:
    at = tail.find(_END_MARK)
    while 0 <= at <= len(tail) - _END.size:
        yield at
        at = tail.find(_END_MARK, at + 1)


def _directory_of(file: IO[bytes], at: int, record: bytes) -> Directory | None:
    """Return the directory of the end record `record` at `at`, if a directory stands in place."""
    _, disk, first_disk, here, count, length, place, _ = _END.unpack(record)
    end = at
    large = _end64(file, at)
    if large is not None:
        end, large_values = large
        small = (disk, first_disk, here, count, length, place)
        wholes = (_WHOLE16,) * 4 + (WHOLE32,) * 2
        if any(
            one not in (whole, other)
            for one, other, whole in zip(small, large_values, wholes, strict=True)
        ):
            raise RefusedArchiveError(CONTRADICTORY)
        disk, first_disk, here, count, length, place = large_values
    start = _start(file, length, place, end)
    if start is None:
        # An empty zip is nothing but an end record, and a comment.
        if at or count or length or disk:
            return None
        start = 0
    if disk or first_disk or here != count:
        raise RefusedArchiveError("archive-unsupported")
    return Directory(start, start + length, end, at + _END.size, start - place, count)


def _start(file: IO[bytes], length: int, place: int, end: int) -> int | None:
    """Return the start of a directory of `length` bytes before `end`; `place` is as stated."""
    standing = [
        one
        for one in dict.fromkeys((end - length, place))
        if length and 0 <= one <= end - length and _read(file, one, 4) == _LISTED_MARK
    ]
    if len(standing) > 1:
        raise RefusedArchiveError(CONTRADICTORY)
    return standing[0] if standing else None


def _is_possible(file: IO[bytes], at: int, record: bytes) -> bool:
    """Tell whether a program may take `record`, behind the directory, for the end of the zip."""
    if _END.unpack(record)[1:7] == (0,) * 6:
        return True
    try:
        return _directory_of(file, at, record) is not None
    except RefusedArchiveError:
        return True


def _end64(file: IO[bytes], at: int) -> tuple[int, tuple[int, ...]] | None:
    """Return the place and the values of the end record of 64 bits, if the end record has one."""
    locator = _read(file, at - _LOCATOR.size, _LOCATOR.size)
    if not locator.startswith(_LOCATOR_MARK):
        return None
    _, _, stated, _ = _LOCATOR.unpack(locator)
    # The stated place does not count bytes before the zip.
    near = at - _LOCATOR.size - _END64.size
    found = {}
    for place in (stated, near):
        record = _read(file, place, _END64.size) if place + _END64.size <= at else b""
        if record.startswith(_END64_MARK):
            found[place] = record
    if len(found) > 1:
        raise RefusedArchiveError(CONTRADICTORY)
    for place, record in found.items():
        return place, _END64.unpack(record)[4:]
    raise RefusedArchiveError("archive-broken")


def _listed(data: bytes, position: int) -> tuple[ListedEntry, int]:
    fields = _LISTED.unpack_from(data, position)
    _, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size = fields[
        :13
    ]
    start = position + _LISTED.size
    name = data[start : start + name_size]
    extra = data[start + name_size : start + name_size + extra_size]
    size, packed, place = with_zip64(extra, (size, packed, fields[16]))
    following = start + name_size + extra_size + comment_size
    return ListedEntry(name, flags, method, crc, packed, size, place, extra), following


def _read(file: IO[bytes], offset: int, size: int) -> bytes:
    if offset < 0:
        return b""
    file.seek(offset)
    return file.read(size)
