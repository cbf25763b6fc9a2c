"""Read a stream of bytes in steps: the wanted bytes are kept, and the bytes before are skipped."""

from abc import ABC, abstractmethod


class Steps(ABC):
    """A reader of a file's blocks from the stream of the file's bytes.

    A reader takes one step for each wanted piece, and holds no more than the piece. `broken` marks
    a file whose blocks contradict each other.
    """

    def __init__(self, wanted: int) -> None:
        """`wanted` are the bytes of the first piece."""
        self.broken = False
        # The bytes that have arrived, and the place of the next wanted byte.
        self.arrived = 0
        self.place = 0
        self._kept = bytearray()
        self._wanted = wanted

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        end = self.arrived + len(chunk)
        while self.place < end and not self.broken:
            start = self.place - self.arrived
            more = chunk[start : start + self._wanted - len(self._kept)]
            self._kept += more
            self.place += len(more)
            if len(self._kept) == self._wanted:
                piece = bytes(self._kept)
                self._kept.clear()
                self.step(piece)
        self.arrived = end

    @property
    def is_within_piece(self) -> bool:
        """Tell whether the stream has ended within a piece, or before a wanted place."""
        return bool(self._kept) or self.place > self.arrived

    @abstractmethod
    def step(self, piece: bytes) -> None:
        """Take the wanted piece, and call `want` or `want_more`."""

    def want(self, size: int, skip: int = 0) -> None:
        """Skip bytes, and then want a piece of `size` bytes, at least one byte."""
        self.place += skip
        self._wanted = size

    def want_more(self, piece: bytes, size: int) -> None:
        """Want the same piece again, with the bytes behind, `size` bytes in all."""
        self._kept[:] = piece
        self._wanted = size
