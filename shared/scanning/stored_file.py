"""Read a stored blob as a file, by ranges: for a blob that is too large to be kept on the disk."""

import asyncio
import io
from typing import IO, TYPE_CHECKING, Final

from shared.errors import UnavailableError
from shared.ports import BlobInfo, Blobs
from shared.scanning.scanner import RefusedArchiveError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BUFFER: Final = 256 * 1024
_SECONDS: Final = 120.0
# How often the bytes of a blob are read, and how many bytes a small part of a blob may cost.
_TIMES: Final = 4
_FREE: Final = 256 * 1024 * 1024


def open_stored(blobs: Blobs, blob: BlobInfo, loop: asyncio.AbstractEventLoop) -> IO[bytes]:
    """Open the given version of a blob, for a thread beside the thread of `loop`.

    Reading raises UnavailableError, BlobChangedError and BlobArchivedError, and
    RefusedArchiveError, "archive-too-large", for a file that is read over and over again.
    """
    return io.BufferedReader(_Ranges(blobs, blob, loop), _BUFFER)


class _Ranges(io.RawIOBase):
    def __init__(self, blobs: Blobs, blob: BlobInfo, loop: asyncio.AbstractEventLoop) -> None:
        self._blobs = blobs
        self._blob = blob
        self._loop = loop
        self._place = 0
        self._left = blob.size * _TIMES + _FREE

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._blob.size}[whence]
        if start + offset < 0:
            raise ValueError("negative offset")
        self._place = start + offset
        return self._place

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        size = min(len(view), self._blob.size - self._place)
        if size <= 0:
            return 0
        self._left -= size
        if self._left < 0:
            raise RefusedArchiveError("archive-too-large")
        reading = self._blobs.read_range(self._blob, self._place, size)
        try:
            data = asyncio.run_coroutine_threadsafe(reading, self._loop).result(_SECONDS)
        except TimeoutError as error:
            raise UnavailableError("storage") from error
        view[: len(data)] = data
        self._place += len(data)
        return len(data)
