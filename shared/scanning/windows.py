"""A part of a file that is read in place."""

from typing import IO


class Window:
    """`size` bytes of `file` from `start` on, as a stream; nothing is copied."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._left = size

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; b"" at the end."""
        self._file.seek(self._start)
        data = self._file.read(min(size, self._left))
        self._start += len(data)
        self._left -= len(data)
        return data
