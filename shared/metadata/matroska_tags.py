"""Find the texts in a stream of Matroska or WebM (RFC 9559), whose blocks are EBML (RFC 8794).

The elements of texts are few, and no element of a text holds further elements. A reader that enters
every element of the first table and skips every further element therefore needs no ends of
elements, and reads files whose writer left the sizes open.
"""

from collections.abc import Mapping
from typing import Final

from shared.metadata.steps import Steps
from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.result import CUT, Metadata, MetadataBuilder, merged
from shared.metadata.xmp_packets import Packets

_ENTERED: Final = frozenset(
    {
        0x18538067,  # Segment
        0x1549A966,  # Info
        *(0x1654AE6B, 0xAE),  # Tracks, TrackEntry
        *(0x1043A770, 0x45B9, 0xB6, 0x80),  # Chapters, EditionEntry, ChapterAtom, ChapterDisplay
        *(0x1941A469, 0x61A7),  # Attachments, AttachedFile
        *(0x1254C367, 0x7373),  # Tags, Tag
    }
)
_SIMPLE_TAG: Final = 0x67C8
_TAG_NAME: Final = 0x45A3
_TAG_STRING: Final = 0x4487
_FIELDS: Final[Mapping[int, str]] = {
    0x7BA9: "Matroska:Info/Title",
    0x7384: "Matroska:Info/SegmentFilename",
    0x536E: "Matroska:Track/Name",
    0x85: "Matroska:Chapter/String",
    0x467E: "Matroska:Attachment/Description",
    0x466E: "Matroska:Attachment/FileName",
    0x4D80: "Matroska:Info/MuxingApp",
    0x5741: "Matroska:Info/WritingApp",
}
_WANTED: Final = frozenset({_TAG_NAME, _TAG_STRING, *_FIELDS})
_FILE_DATA: Final = 0x465C
_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF")
_MAX_COVER: Final = 4 * 1024 * 1024
_MAX_COVERS: Final = 8
_MAX_TEXT: Final = 1024 * 1024
_MAX_ELEMENTS: Final = 1_000_000


class MatroskaWalker(Steps):
    """Find the texts of a Matroska or WebM file, and skip the clusters of blocks unread."""

    def __init__(self) -> None:
        super().__init__(1)
        self.packets = Packets()
        self.covers: list[bytes] = []
        self._found = MetadataBuilder()
        self._cut = False
        self._elements = 0
        self._content = 0
        self._name = ""
        self._values: list[bytes] = []

    @property
    def complete(self) -> bool:
        """Tell whether the file ends at the end of an element."""
        return not self.broken and not self.is_within_piece

    def metadata(self) -> Metadata:
        """Return the texts."""
        self._end_tag()
        notes = [Metadata(note=CUT)] if self._cut else []
        return merged([self._found.metadata(), *notes])

    def step(self, piece: bytes) -> None:
        """Take the first bytes of an element, or the content of an element."""
        if self._content:
            self._text(self._content, piece)
            self._content = 0
            self.want(1)
            return
        # The leading zeros of the first byte tell the length of an id and of a size.
        head = 9 - piece[0].bit_length()
        if head > 4:
            self.broken = True
        elif len(piece) == head:
            self.want_more(piece, head + 1)
        elif len(piece) < head:
            self.want_more(piece, head)
        else:
            size = 9 - piece[head].bit_length()
            if size > 8:
                self.broken = True
            elif len(piece) < head + size:
                self.want_more(piece, head + size)
            else:
                self._element(int.from_bytes(piece[:head]), piece[head:])

    def _element(self, identifier: int, size_bytes: bytes) -> None:
        self._elements += 1
        bits = 7 * len(size_bytes)
        size = int.from_bytes(size_bytes) & ((1 << bits) - 1)
        is_open = size == (1 << bits) - 1
        if self._elements > _MAX_ELEMENTS:
            self._cut = True
            self.want(1, skip=1 << 62)
        elif identifier == _SIMPLE_TAG:
            self._end_tag()
            self.want(1)
        elif identifier in _ENTERED or is_open:
            self.want(1)
        elif (identifier == _FILE_DATA and 0 < size <= _MAX_COVER) or (
            identifier in _WANTED and 0 < size <= _MAX_TEXT
        ):
            self._content = identifier
            self.want(size)
        else:
            self._found.partial |= identifier == _FILE_DATA
            self._cut |= identifier in _WANTED and size > 0
            self.want(1, skip=size)

    def _text(self, identifier: int, raw: bytes) -> None:
        if identifier == _FILE_DATA:
            self._attached(raw)
        elif identifier == _TAG_NAME:
            self._name = raw.decode("utf-8", "replace").rstrip("\0")
        elif identifier == _TAG_STRING:
            self._values.append(raw)
        else:
            self._found.text(_FIELDS[identifier], *decoded(raw))
        if self._name:
            self._end_tag(keep_name=True)

    def _attached(self, file: bytes) -> None:
        """Keep a cover, and mark any other attached file, which no reader opens."""
        if file.startswith(_PICTURES) and len(self.covers) < _MAX_COVERS:
            self.covers.append(file)
        else:
            self._found.partial = True

    def _end_tag(self, *, keep_name: bool = False) -> None:
        """Add the values of a tag, which may stand before the tag's name."""
        for raw in self._values:
            self._found.text(f"Matroska:{self._name or 'Tag'}", *decoded(raw))
        self._values.clear()
        if not keep_name:
            self._name = ""
