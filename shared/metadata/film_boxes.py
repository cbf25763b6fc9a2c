"""Find XMP and texts in a stream of film: MP4 and its relatives, and QuickTime.

Sources: ISO/IEC 14496-12; QuickTime File Format, "User Data Atoms" and "Metadata"; 3GPP TS 26.244
section 8; XMP Specification part 3, "MPEG-4 and QuickTime".
"""

import struct
from typing import Final

from shared.metadata.film_texts import FilmTexts
from shared.metadata.steps import Steps
from shared.metadata.worker.result import Metadata
from shared.metadata.xmp_packets import MAX_PACKET, Packets, unwrapped

_XMP_UUID: Final = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
_CONTAINERS: Final = (b"moov", b"udta", b"trak", b"mdia", b"meta", b"ilst")
# Boxes whose members are texts, or may be texts.
_OF_TEXTS: Final = (b"udta", b"ilst", b"meta")
# Boxes of numbers, places and pictures among texts.
_NO_TEXTS: Final = (b"free", b"skip", b"covr", b"hdlr", b"iloc", b"iinf", b"iref", b"iprp", b"idat")
_HEADER: Final = 8
# Limits for a hostile file: the number of boxes, and the depth of the boxes.
_MAX_BOXES: Final = 1_000_000
_MAX_DEPTH: Final = 6
_MAX_TEXT: Final = 1024 * 1024
MAX_COVER: Final = 4 * 1024 * 1024
"""Bytes of the covers in a box that are read."""
_FOR_EVER: Final = 1 << 62


class BoxWalker(Steps):
    """Find the XMP packets and the texts of a film, and skip the samples unread.

    The packets stand in a `uuid` box of XMP's own, or in QuickTime's `moov/udta/XMP_`.
    """

    def __init__(self) -> None:
        super().__init__(_HEADER)
        self.packets = Packets()
        self._texts = FilmTexts()
        self._open: list[tuple[bytes, int]] = []
        self._boxes = 0
        self._cut = False
        # The kind of the box whose content is wanted, and whether the version of `meta` may follow.
        self._content = b""
        self._at_meta = False

    @property
    def complete(self) -> bool:
        """Tell whether the film ends at the end of the boxes."""
        ends = [end for _, end in self._open if end != _FOR_EVER]
        if self.place != _FOR_EVER:
            ends.append(self.place)
        return not self.broken and not self._kept and all(end == self.arrived for end in ends)

    @property
    def covers(self) -> list[bytes]:
        """The pictures of the film, still unread."""
        return self._texts.covers

    @property
    def id3(self) -> list[bytes]:
        """The tags of ID3 in the film."""
        return self._texts.id3

    def metadata(self) -> Metadata:
        """Return the texts."""
        return self._texts.metadata(cut=self._cut)

    def step(self, piece: bytes) -> None:
        """Take a header, or the content of a box."""
        if not self._content:
            self._box(piece)
            return
        kind, self._content = self._content, b""
        if kind in (b"XMP_", b"uuid"):
            self.packets.add(unwrapped(piece))
        else:
            self._texts.add(self._open[-1][0], kind, piece)
        self._await_box()

    def _box(self, header: bytes) -> None:
        """Read a box's header, as far as the header has arrived."""
        length, kind = struct.unpack_from(">I4s", header)
        if self._at_meta and length == 0:
            # The version and flags of `meta`, which QuickTime leaves out.
            self._at_meta = False
            self.want_more(header[4:], _HEADER)
            return
        self._at_meta = False
        long, uuid = (8 if length == 1 else 0), (16 if kind == b"uuid" else 0)
        whole = _HEADER + long + uuid
        if len(header) < whole:
            self.want_more(header, whole)
            return
        self._boxes += 1
        if long:
            (length,) = struct.unpack_from(">Q", header, _HEADER)
        outer, outer_end = self._open[-1] if self._open else (b"", _FOR_EVER)
        end = min(outer_end, self.place - whole + length) if length else outer_end
        if end < self.place or self._boxes > _MAX_BOXES:
            self.broken = True
            return
        is_cover = (outer, kind) == (b"ilst", b"covr")
        is_xmp = kind == b"XMP_" or (uuid and header[-16:] == _XMP_UUID)
        if kind in _CONTAINERS and len(self._open) < _MAX_DEPTH:
            self._open.append((kind, end))
            self._at_meta = kind == b"meta"
        elif is_xmp or is_cover or _is_text(outer, kind):
            size = end - self.place
            limit = MAX_PACKET if is_xmp else MAX_COVER if is_cover else _MAX_TEXT
            if 0 < size <= limit:
                self._content = kind
                self.want(size)
                return
            self.packets.cut |= bool(is_xmp and size)
            self._cut |= bool(not is_xmp and size)
            self.place = end
        else:
            self.place = end
        self._await_box()

    def _await_box(self) -> None:
        self.want(_HEADER)
        # A container without room for a further box has ended: QuickTime may end a container with
        # four zeros.
        while self._open and self._open[-1][1] - self.place < _HEADER:
            self.place = max(self.place, self._open.pop()[1])


def _is_text(outer: bytes, kind: bytes) -> bool:
    return (outer in _OF_TEXTS and kind not in _NO_TEXTS) or (outer, kind) == (b"mdia", b"hdlr")
