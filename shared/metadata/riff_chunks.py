"""Find the texts and the XMP in a stream of WAV, AVI or AIFF.

Sources: Multimedia Programming Interface and Data Specifications 1.0, "RIFF" and "INFO list chunk";
EBU Tech 3285 (`bext`); AES46 (`cart`); Apple, Audio Interchange File Format 1.3; XMP Specification
part 3, "AVI" and "WAV".
"""

import struct
from typing import Final

from shared.metadata.steps import Steps
from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import CUT, Metadata, MetadataBuilder, merged
from shared.metadata.xmp_packets import MAX_PACKET, Packets, unwrapped

_HEADER: Final = 8
_TYPE: Final = 4
_FORMS: Final = (b"RIFF", b"RIFX", b"FORM", b"RF64")
_MAX_TEXT: Final = 1024 * 1024
_MAX_CHUNKS: Final = 1_000_000
# Lists whose chunks are texts: INFO, and EXIF in AVI (DCF, "Exif audio and video files").
_LISTS: Final = (b"INFO", b"exif")
_WITHOUT_TEXT: Final = (b"movi", b"rec ", b"wavl")
# Labels and notes begin with the number of a point, and a text of a length further on.
_LABELS: Final = {b"labl": 4, b"note": 4, b"ltxt": 20}
_TEXTS: Final = {
    b"NAME": "AIFF:NAME",
    b"AUTH": "AIFF:AUTH",
    b"(c) ": "AIFF:copyright",
    b"ANNO": "AIFF:ANNO",
    b"iXML": "RIFF:iXML",
    b"axml": "RIFF:axml",
    b"aXML": "RIFF:aXML",
    b"strn": "RIFF:strn",
    b"IDIT": "RIFF:IDIT",
    b"ISMP": "RIFF:ISMP",
}
_BROADCAST: Final = (
    ("Description", 0, 256),
    ("Originator", 256, 32),
    ("OriginatorReference", 288, 32),
)
_HISTORY: Final = 602
_CART: Final = (
    *(("Title", 4, 64), ("Artist", 68, 64), ("CutID", 132, 64), ("ClientID", 196, 64)),
    *(("Category", 260, 64), ("Classification", 324, 64), ("OutCue", 388, 64)),
    *(("UserDef", 684, 64),),
)
_CART_TEXT: Final = 2048
_ID3: Final = (b"id3 ", b"ID3 ")
_XMP: Final = b"_PMX"


class ChunkWalker(Steps):
    """Find the texts and packets of WAV, AVI or AIFF, and skip the samples unread.

    `id3` are the tags in ID3 chunks.
    """

    def __init__(self) -> None:
        super().__init__(_HEADER + _TYPE)
        self.packets = Packets()
        self.id3: list[bytes] = []
        self._found = MetadataBuilder()
        self._cut = False
        self._order = "<"
        self._chunks = 0
        self._list = b""
        self._list_end = 0
        self._content = b""
        self._size = 0

    @property
    def complete(self) -> bool:
        """Tell whether the file ends at the end of a chunk, or of the padding."""
        return not (self.broken or self._kept) and self.place - self.arrived <= 1

    def metadata(self) -> Metadata:
        """Return the texts."""
        notes = [Metadata(note=CUT)] if self._cut else []
        return merged([self._found.metadata(), *notes])

    def step(self, piece: bytes) -> None:
        """Take a header, or the content of a chunk."""
        if self._content:
            kind, self._content = self._content, b""
            self._take(kind, piece)
            self.want(_HEADER, skip=self._size % 2)
            return
        kind, size = struct.unpack_from(f"{self._order}4sI", piece)
        if kind in _FORMS or kind == b"LIST":
            if len(piece) < _HEADER + _TYPE:
                self.want_more(piece, _HEADER + _TYPE)
                return
            self._enter(kind, size, piece[_HEADER:])
            return
        if self.place == _HEADER + _TYPE == len(piece):
            # No form begins the file.
            self.broken = True
            return
        self._chunk(kind, size)

    def _enter(self, kind: bytes, size: int, form: bytes) -> None:
        if kind in (b"FORM", b"RIFX"):
            self._order = ">"
        if kind == b"LIST":
            self._list = form
            self._list_end = self.place - _TYPE + size
            if form in _WITHOUT_TEXT:
                self.want(_HEADER, skip=max(size - _TYPE, 0) + size % 2)
                return
        self.want(_HEADER)

    def _chunk(self, kind: bytes, size: int) -> None:
        self._chunks += 1
        if self.place > self._list_end:
            self._list = b""
        is_text = (
            self._list in _LISTS
            or kind in _TEXTS
            or kind in (b"bext", b"cart", b"DISP", _XMP, *_LABELS, *_ID3)
        )
        if self._chunks > _MAX_CHUNKS:
            self._cut = True
            self.want(1, skip=1 << 62)
        elif is_text and 0 < size <= max(_MAX_TEXT, MAX_PACKET):
            self._content, self._size = kind, size
            self.want(size)
        else:
            self._cut |= is_text and size > 0
            self.want(_HEADER, skip=size + size % 2)

    def _take(self, kind: bytes, content: bytes) -> None:
        if kind == _XMP:
            self.packets.add(unwrapped(content))
        elif kind in _ID3:
            self.id3.append(content)
        elif kind == b"bext":
            self._record("RIFF:bext", _BROADCAST, content)
            self._add("RIFF:bext/CodingHistory", content[_HISTORY:])
        elif kind == b"cart":
            self._record("RIFF:cart", _CART, content)
            self._add("RIFF:cart/TagText", content[_CART_TEXT:])
        elif kind in _LABELS:
            self._add(f"RIFF:{_named(kind)}", content[_LABELS[kind] :])
        elif kind == b"DISP":
            self._add("RIFF:DISP", content[4:] if content[:4] == b"\1\0\0\0" else b"")
        else:
            self._add(_TEXTS.get(kind) or f"RIFF:{_named(kind)}", content)

    def _record(self, field: str, places: tuple[tuple[str, int, int], ...], content: bytes) -> None:
        for name, start, size in places:
            self._add(f"{field}/{name}", content[start : start + size])

    def _add(self, field: str, raw: bytes) -> None:
        text, _, rest = raw.partition(b"\0")
        # Behind the first NUL stand zeros, or what an older and longer text left.
        self._found.text(field, *decoded(raw.replace(b"\0", b" ") if rest.strip(b"\0") else text))


def _named(kind: bytes) -> str:
    return kind.decode("latin-1").strip()
