"""Find XMP in a stream of film: MP4 and its relatives (ISO/IEC 14496-12), and QuickTime."""

import struct
from typing import Final

from shared.metadata.xmp_packets import MAX_PACKET, Packets, unwrapped

_XMP_UUID: Final = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_CONTAINERS: Final = (b"moov", b"udta", b"trak")
_HEADER: Final = 8
# Limits for a hostile file: the number of boxes, and the depth of the boxes.
_MAX_BOXES: Final = 1_000_000
_MAX_DEPTH: Final = 4
_FOR_EVER: Final = 1 << 62


class BoxWalker:
    """Find the XMP packets of a film, and skip the samples unread.

    The packets stand in a `uuid` box of XMP's own, or in QuickTime's `moov/udta/XMP_` (XMP
    Specification part 3, MPEG-4 and QuickTime).
    """

    def __init__(self) -> None:
        self.packets = Packets()
        self._broken = False
        self._position = 0
        # The next byte that is wanted, the bytes kept before the next byte, and the number to keep.
        self._next = 0
        self._kept = bytearray()
        self._wanted = _HEADER
        self._in_packet = False
        self._ends: list[int] = []
        self._boxes = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        end = self._position + len(chunk)
        while self._next < end and not self._broken:
            start = self._next - self._position
            more = chunk[start : start + self._wanted - len(self._kept)]
            self._kept += more
            self._next += len(more)
            if len(self._kept) == self._wanted:
                self._packet() if self._in_packet else self._box()
        self._position = end

    @property
    def complete(self) -> bool:
        """Tell whether the film ends at the end of the boxes."""
        ends = [end for end in (self._next, *self._ends) if end != _FOR_EVER]
        return not (self._broken or self._kept) and all(end == self._position for end in ends)

    def _packet(self) -> None:
        self.packets.add(unwrapped(bytes(self._kept)))
        self._in_packet = False
        self._await_box()

    def _box(self) -> None:
        """Read a box's header, as far as the header has arrived."""
        length, kind = struct.unpack_from(">I4s", self._kept)
        long, uuid = (8 if length == 1 else 0), (16 if kind == b"uuid" else 0)
        self._wanted = _HEADER + long + uuid
        if len(self._kept) < self._wanted:
            return
        self._boxes += 1
        if long:
            (length,) = struct.unpack_from(">Q", self._kept, _HEADER)
        outer = self._ends[-1] if self._ends else _FOR_EVER
        end = min(outer, self._next - self._wanted + length) if length else outer
        if end < self._next or self._boxes > _MAX_BOXES:
            self._broken = True
            return
        is_xmp = kind == b"XMP_" or (uuid and self._kept[-16:] == _XMP_UUID)
        if kind in _CONTAINERS and len(self._ends) < _MAX_DEPTH:
            self._ends.append(end)
        elif is_xmp and 0 < end - self._next <= MAX_PACKET:
            self._in_packet = True
            self._kept.clear()
            self._wanted = end - self._next
            return
        else:
            self.packets.cut |= bool(is_xmp and end > self._next)
            self._next = end
        self._await_box()

    def _await_box(self) -> None:
        self._kept.clear()
        self._wanted = _HEADER
        # A container without room for a further box has ended: QuickTime may end a container with
        # four zeros.
        while self._ends and self._ends[-1] - self._next < _HEADER:
            self._next = max(self._next, self._ends.pop())
