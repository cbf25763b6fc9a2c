"""Read tar, gzip, bzip2 and xz in bounded memory, without trust in their headers."""

import bz2
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Final, Protocol

from shared.scanning.scanner import RefusedArchiveError
from shared.scanning.streams import GzipDecompressor
from shared.scanning.windows import Window

# Bytes of headers for one member of a tar. Names, PAX records and maps of sparse files are read
# into memory, at the length that the archive claims.
_MAX_HEADERS: Final = 1024 * 1024
_BLOCK: Final = tarfile.BLOCKSIZE
# The field with the size of a member, and the greatest size in octal digits: POSIX pax, ustar.
_SIZE: Final = slice(124, 136)
_MAX_OCTAL: Final = 8**11 - 1
_CHECKSUM: Final = slice(148, 156)
_INPUT: Final = 64 * 1024
# The dictionary of `xz -9` takes 64 MiB; the rest is a margin.
_XZ_MEMORY: Final = 72 * 1024 * 1024


class Readable(Protocol):
    """A stream that is read from start to end."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; b"" at the end."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class BrokenArchiveError(ValueError):
    """An archive that contradicts its own header."""


def is_tar(head: bytes) -> bool:
    """Tell whether a file that begins with `head` is a tar: by its mark, or in old tars by
    checksum.
    """
    if head[257:262] == b"ustar":
        return True
    if head[:1] == b"\0" and not head[_CHECKSUM].partition(b"\0")[0].strip():
        # Without a name and a sum: chance makes the sum of signed numbers zero.
        return False
    try:
        tarfile.TarInfo.frombuf(head[:_BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def tar_members(file: IO[bytes]) -> Iterator[Readable]:
    """Yield each file in a tar, to be read before the next file. Raises BrokenArchiveError.

    A tar may hide content between the members and after the last member. So the headers must end
    the tar, or nothing but zeros may follow. Raises RefusedArchiveError, "archive-contradictory",
    for a member of which programs take different parts.
    """
    headers = _Headers(file)
    try:
        archive = tarfile.TarFile(fileobj=headers)  # type: ignore[arg-type]
        while (member := archive.next()) is not None:
            for_all_members = archive.pax_headers
            # `tarfile` keeps members and headers as long as the archive is open.
            archive.members = []  # type: ignore[attr-defined]  # typeshed leaves it out
            archive.pax_headers = {}
            headers.left = _MAX_HEADERS
            if member.sparse is not None:
                raise RefusedArchiveError("archive-unsupported")
            if member.size < 0:
                raise BrokenArchiveError("a member of negative size")
            _check_size(file, member, for_all_members)
            # An unknown type is taken out as a file: POSIX pax, ustar, typeflag.
            if member.isreg() or member.type not in tarfile.SUPPORTED_TYPES:
                yield Window(file, member.offset_data, member.size)
    except (tarfile.TarError, RecursionError) as error:
        raise BrokenArchiveError("a header that cannot be read") from error
    file.seek(archive.offset)
    while block := file.read(_INPUT):
        if block.count(0) != len(block):
            raise BrokenArchiveError("something follows the last member")


def _check_size(
    file: IO[bytes], member: tarfile.TarInfo, for_all_members: Mapping[str, str]
) -> None:
    """Refuse a size that extended headers override, but for a size too large for the header."""
    if "size" in for_all_members:
        raise RefusedArchiveError("archive-contradictory")
    file.seek(member.offset_data - _BLOCK)
    stated = tarfile.nti(file.read(_BLOCK)[_SIZE])  # type: ignore[attr-defined]  # typeshed leaves it out
    if member.sparse is None and stated != member.size <= _MAX_OCTAL:
        raise RefusedArchiveError("archive-contradictory")


def gunzip(file: Readable) -> Readable:
    """Return the content of every member of a gzip file. The headers are not kept in memory."""
    return _Unpacked(file, GzipDecompressor)


def bzip2(file: Readable) -> Readable:
    """Return the content of a bzip2 file."""
    return _Unpacked(file, bz2.BZ2Decompressor)


def xz(file: Readable, memory: int = _XZ_MEMORY) -> Readable:
    """Return the content of an xz file. Takes up to `memory` bytes of memory and no more."""
    return _Unpacked(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory))


class _Headers:
    """A tar as `tarfile` reads it: headers up to a limit."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.left = _MAX_HEADERS
        self.tell = file.tell

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if offset < 0:
            raise BrokenArchiveError("negative offset")
        return self._file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.left:
            raise RefusedArchiveError("archive-too-large")
        self.left -= size
        return self._file.read(size)


class _Unpacked:
    """The content of one or more compressed streams in a file, unpacked piece by piece."""

    def __init__(self, file: Readable, start: Callable[[], _Decompressor]) -> None:
        self._file = file
        self._start = start
        self._stream = start()

    def read(self, size: int, /) -> bytes:
        while True:
            packed = b""
            if self._stream.eof:
                # Streams may be padded with zeros: "The .xz File Format" section 2.2.
                packed = self._stream.unused_data.lstrip(b"\0")
                while not packed:
                    data = self._file.read(_INPUT)
                    if not data:
                        return b""
                    packed = data.lstrip(b"\0")
                self._stream = self._start()
            elif self._stream.needs_input:
                packed = self._file.read(_INPUT)
                if not packed:
                    raise BrokenArchiveError("the stream is cut off")
            if piece := self._unpack(packed, size):
                return piece

    def _unpack(self, packed: bytes, size: int) -> bytes:
        try:
            return self._stream.decompress(packed, size)
        except lzma.LZMAError as error:
            if "emory usage limit" in str(error):
                raise RefusedArchiveError("archive-too-large") from error
            raise BrokenArchiveError("a damaged stream") from error
        except (OSError, zlib.error) as error:
            # bz2 raises OSError for bad data; no file is read here.
            raise BrokenArchiveError("a damaged stream") from error
