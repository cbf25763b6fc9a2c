"""Read the entries of a zip, and refuse a zip whose entries and directory disagree.

Some programs read a zip by the directory at the end, and others by the local headers from the
start. Each program must find the scanned content. So every entry must say the same in both places,
no entry may lie outside the directory, and every packed byte must be a byte of a listed entry. The
harmless differences of common writers are allowed; a comment at each names the writer.

Source: .ZIP File Format Specification (APPNOTE.TXT) 6.3.10, sections 4.3.7 to 4.3.9 and 4.6.9.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Final

from shared.scanning.scanner import RefusedArchiveError
from shared.scanning.windows import Window
from shared.scanning.zip_directory import (
    CONTRADICTORY,
    WHOLE32,
    Directory,
    ListedEntry,
    extra_fields,
    find_directory,
    read_directory,
    with_zip64,
)

ZIP_ENTRY: Final = b"PK\x03\x04"
STARTS: Final = (ZIP_ENTRY, b"PK\x05\x06", b"PK\x07\x08", b"PK00PK\x03\x04")
"""First bytes of a zip: an entry, an empty directory, or the first of several parts."""

STORED: Final = 0
DEFLATED: Final = 8
_LOCAL: Final = struct.Struct("<4s5H3L2H")
ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_FOLLOWED: Final = 0x8
_UTF8: Final = 0x800
_DESCRIPTOR_MARK: Final = b"PK\x07\x08"
_MAX_DESCRIPTOR: Final = 24
_UNICODE_PATH: Final = 0x7075
_PIECE: Final = 64 * 1024
_SEARCHED: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """An entry whose local header and listing agree. Offsets and sizes are in bytes."""

    listed: ListedEntry
    header: int
    """Offset of the local header."""
    start: int
    """Offset of the packed content."""
    end: int
    """Offset behind the content, and behind the descriptor that may follow."""
    followed: bool
    """True where the sizes follow the content."""


def has_directory(file: IO[bytes]) -> bool:
    """Tell whether a non-empty zip directory stands at the end of `file`.

    The mark of a directory's end occurs in pictures by chance; a directory in place does not.
    Raises RefusedArchiveError for more than one possible directory.
    """
    directory = find_directory(file)
    return directory is not None and directory.count > 0


def read_entries(
    file: IO[bytes], most: int
) -> tuple[Sequence[ZipEntry], Sequence[tuple[int, int]]]:
    """Return the entries of a zip, in the order of the file, and the gaps around the entries.

    A gap goes from an offset up to an offset.

    Raises RefusedArchiveError: "archive-contradictory" where two readings differ, and
    "archive-too-large" for more than `most` entries.
    """
    size = file.seek(0, io.SEEK_END)
    directory = find_directory(file)
    if directory is None:
        raise RefusedArchiveError("archive-broken")
    # Each entry of a directory takes at least 46 bytes.
    if directory.count > most or (directory.end - directory.start) // 46 > max(most, 100) * 100:
        raise RefusedArchiveError("archive-too-large")
    listed = read_directory(file, directory)
    if len(listed) > most:
        raise RefusedArchiveError("archive-too-large")
    entries = []
    position = 0
    gaps = []
    in_order = sorted(listed, key=lambda one: one.place)
    limits = [one.place + directory.shift for one in in_order[1:]] + [directory.start]
    for one, limit in zip(in_order, limits, strict=False):
        entry = _entry(file, one, directory.shift, limit)
        if entry.header < position:
            # Two listings of one entry, or an entry within another entry.
            raise RefusedArchiveError(CONTRADICTORY)
        gaps.append((position, entry.header))
        position = entry.end
        entries.append(entry)
    if position > directory.start:
        raise RefusedArchiveError(CONTRADICTORY)
    gaps += [
        (position, directory.start),
        (directory.end, directory.end_record),
        (directory.comment, size),
    ]
    gaps = [(start, end) for start, end in gaps if start < end]
    _check_gaps(file, gaps)
    _check_unshifted(file, entries, directory)
    return entries, gaps


class Content:
    """The unpacked content of an entry. Raises RefusedArchiveError at a contradiction.

    The content is yielded to its real end, also where the stated size is shorter.
    """

    def __init__(self, file: IO[bytes], entry: ZipEntry) -> None:
        self._listed = entry.listed
        self._packed = Window(file, entry.start, entry.listed.packed)
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS) if _is_deflated(entry) else None
        self._size = 0
        self._crc = 0
        self._input = b""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; b"" at the end."""
        piece = self._packed.read(size) if self._stream is None else self._inflate(size)
        self._crc = zlib.crc32(piece, self._crc)
        self._size += len(piece)
        if not piece:
            self._check()
        return piece

    def _inflate(self, size: int) -> bytes:
        stream = self._stream
        while stream is not None and not stream.eof:
            packed = self._input or self._packed.read(_PIECE)
            try:
                piece = stream.decompress(packed, size)
            except zlib.error as error:
                raise RefusedArchiveError("archive-broken") from error
            self._input = stream.unconsumed_tail
            if piece:
                return piece
            if not packed and not stream.eof:
                raise RefusedArchiveError("archive-broken")
        return b""

    def _check(self) -> None:
        """Check the end of the content: nothing packed may be left, and the sums must hold."""
        left = self._stream is not None and (self._stream.unused_data or self._packed.read(1))
        if left or self._size != self._listed.size:
            raise RefusedArchiveError(CONTRADICTORY)
        if self._crc != self._listed.crc:
            raise RefusedArchiveError("archive-broken")


def check_readable(entry: ZipEntry) -> None:
    """Raise RefusedArchiveError for an encrypted entry, or another method of compression."""
    if entry.listed.flags & ENCRYPTED:
        raise RefusedArchiveError("archive-encrypted")
    if entry.listed.method not in (STORED, DEFLATED):
        raise RefusedArchiveError("archive-unsupported")


def _is_deflated(entry: ZipEntry) -> bool:
    return entry.listed.method == DEFLATED


def _entry(file: IO[bytes], listed: ListedEntry, shift: int, limit: int) -> ZipEntry:
    """Compare a local header with the listing. `limit` is the offset of the following part."""
    header = listed.place + shift
    if header < 0:
        raise RefusedArchiveError("archive-broken")
    file.seek(header)
    fixed = file.read(_LOCAL.size)
    if len(fixed) < _LOCAL.size or not fixed.startswith(ZIP_ENTRY):
        raise RefusedArchiveError("archive-broken")
    _, _, flags, method, _, _, crc, packed, size, name_size, extra_size = _LOCAL.unpack(fixed)
    name, extra = file.read(name_size), file.read(extra_size)
    size, packed = with_zip64(extra, (size, packed))
    followed = bool(flags & _FOLLOWED)
    # Where the sizes follow the content, a local header has zeros, or room for 64 bits.
    unknown = (0, WHOLE32) if followed else ()
    if (
        (flags ^ listed.flags) & ENCRYPTED
        or method != listed.method
        or crc not in (listed.crc, *unknown[:1])
        or packed not in (listed.packed, *unknown)
        or size not in (listed.size, *unknown)
        or not _is_same_name(name, flags, listed)
        or not _is_same_path(name, extra, listed)
        or (method == STORED and not flags & ENCRYPTED and listed.packed != listed.size)
    ):
        raise RefusedArchiveError(CONTRADICTORY)
    start = header + _LOCAL.size + name_size + extra_size
    end = start + listed.packed
    if end > limit:
        raise RefusedArchiveError(CONTRADICTORY)
    if followed:
        end += _descriptor(file, end, limit, listed, known=packed == listed.packed and packed > 0)
    return ZipEntry(listed, header, start, end, followed)


def _descriptor(file: IO[bytes], at: int, limit: int, listed: ListedEntry, *, known: bool) -> int:
    """Return the length of the descriptor at `at`: with and without a mark, of 32 or 64 bits.

    `known` allows an entry without a descriptor, whose local header has the sizes after all.
    """
    file.seek(at)
    data = file.read(min(_MAX_DESCRIPTOR, limit - at))
    for mark in (_DESCRIPTOR_MARK, b""):
        for form, mask in (("<LQQ", 2**64 - 1), ("<LLL", WHOLE32)):
            stated = struct.pack(form, listed.crc, listed.packed & mask, listed.size & mask)
            if data.startswith(mark + stated):
                return len(mark + stated)
    if data.startswith(_DESCRIPTOR_MARK) or (data and not known):
        raise RefusedArchiveError(CONTRADICTORY)
    return 0


def _is_same_name(name: bytes, flags: int, listed: ListedEntry) -> bool:
    """Tell whether two names are the same, but for a slash or the writer's character set."""
    if b"\0" in name or b"\0" in listed.name:
        return False
    if name.replace(b"\\", b"/") == listed.name.replace(b"\\", b"/"):
        return True
    if not (flags ^ listed.flags) & _UTF8:
        return False
    return _text(name, flags) == _text(listed.name, listed.flags)


def _text(name: bytes, flags: int) -> str:
    return name.decode("utf-8" if flags & _UTF8 else "cp437", "replace")


def _is_same_path(name: bytes, extra: bytes, listed: ListedEntry) -> bool:
    """Tell whether the Unicode paths, which some programs take for the name, agree with the name.

    Info-ZIP and 7-Zip write the path for a name that the older character set cannot spell.
    """
    local, central = _unicode_path(extra, name), _unicode_path(listed.extra, listed.name)
    if local is not None and central is not None and local != central:
        return False
    path = central if central is not None else local
    if path is None or path == listed.name:
        return True
    return not path.isascii() and path.rpartition(b".")[2] == listed.name.rpartition(b".")[2]


def _unicode_path(extra: bytes, name: bytes) -> bytes | None:
    """Return the path of a valid Unicode path field: APPNOTE.TXT section 4.6.9."""
    for number, content in extra_fields(extra):
        checked = b"\1" + struct.pack("<L", zlib.crc32(name))
        if number == _UNICODE_PATH and content.startswith(checked):
            return content[len(checked) :]
    return None


def _check_gaps(file: IO[bytes], gaps: Sequence[tuple[int, int]]) -> None:
    """Refuse a zip with an entry in a gap. Programs that read from the start take the entry."""
    for start, end in gaps:
        window = Window(file, start, end - start)
        tail = b""
        while piece := window.read(_SEARCHED):
            if ZIP_ENTRY in tail + piece:
                raise RefusedArchiveError(CONTRADICTORY)
            tail = piece[-len(ZIP_ENTRY) + 1 :]


def _check_unshifted(file: IO[bytes], entries: Sequence[ZipEntry], directory: Directory) -> None:
    """Refuse a zip whose listed places are entries as well, where bytes before the zip count.

    Some programs take the listed places as they are.
    """
    if not directory.shift:
        return
    headers = {entry.header for entry in entries}
    for entry in entries:
        place = entry.listed.place
        if place in headers:
            continue
        file.seek(place)
        if file.read(len(ZIP_ENTRY)) == ZIP_ENTRY:
            raise RefusedArchiveError(CONTRADICTORY)
