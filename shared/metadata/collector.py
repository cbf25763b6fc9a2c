"""The metadata of one upload, gathered while its bytes stream past."""

from collections.abc import Mapping
from typing import IO, Final

from shared.metadata.boxes import BoxWalker
from shared.metadata.packets import PacketFinder, Packets
from shared.metadata.reading import PICTURES, Metadata, read, read_document
from shared.metadata.worker import MARKUP, PACKAGE, PDF
from shared.metadata.worker.found import CUT, NOT_SUPPORTED, TOO_LARGE, UNREADABLE, XMP_ONLY, merged

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument"
DOCUMENTS: Final[Mapping[str, bytes]] = {
    "application/pdf": PDF,
    "application/rdf+xml": MARKUP,
    "application/xml": MARKUP,
    "image/svg+xml": MARKUP,
    f"{_OFFICE}.presentationml.presentation": PACKAGE,
    f"{_OFFICE}.spreadsheetml.sheet": PACKAGE,
    f"{_OFFICE}.wordprocessingml.document": PACKAGE,
    f"{_OPEN_DOCUMENT}.presentation": PACKAGE,
    f"{_OPEN_DOCUMENT}.spreadsheet": PACKAGE,
    f"{_OPEN_DOCUMENT}.text": PACKAGE,
}
FILMS: Final = frozenset({"audio/mp4", "video/3gpp", "video/3gpp2", "video/mp4", "video/quicktime"})

# A text has no metadata of its own, though XMP may stand in it.
_PLAIN: Final = frozenset({"text/plain"})


def needs_copy(media_type: str) -> bool:
    """Whether metadata of this type is read at random, from a copy of the file."""
    return media_type in PICTURES or media_type in DOCUMENTS


class Collector:
    """Takes a file's bytes in chunks, and says what its metadata is when all are there.

    Pictures are read by Exiv2, PDF by pypdf, SVG and the properties of Office files by expat, all
    from a copy of the file. A film's boxes are walked for XMP as they pass, whatever its size, and
    any other file is searched for it: a document or a picture for the pictures in it, and what is
    too large to be copied.
    """

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type
        self._walker = BoxWalker() if media_type in FILMS else None
        self._finder = PacketFinder() if self._walker is None else None

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self._walker is not None:
            self._walker.feed(chunk)
        elif self._finder is not None:
            self._finder.feed(chunk)

    def finish(self, copy: IO[bytes] | None) -> Metadata:
        """What the file says, once all bytes were fed. Blocks, and raises OSError, as `read`.

        `copy` is the whole file, where it is kept.
        """
        parts = [self._own(copy)]
        if parts[0].note == NOT_SUPPORTED:
            # A variety of its type that Exiv2 does not know, such as Photoshop's large files.
            parts[0] = Metadata(note=XMP_ONLY)
        found = self._walker or self._finder
        if found is not None and not self._was_read(parts[0], found.packets):
            parts.append(Metadata(note=CUT if found.packets.cut else None))
            for packet in found.packets.found:
                parts.append(read(packet))
                # A hostile file has no more than one packet's time.
                if parts[-1].note == TOO_LARGE:
                    break
        return merged(parts)

    def _was_read(self, metadata: Metadata, packets: Packets) -> bool:
        """Whether the packets are none but the one in its place, which Exiv2 has read."""
        only = len(packets.found) + packets.cut <= 1
        return self._media_type in PICTURES and metadata.has_xmp and only

    def _own(self, copy: IO[bytes] | None) -> Metadata:
        """What the type's own reader says."""
        if needs_copy(self._media_type):
            if copy is None:
                return Metadata(note=TOO_LARGE)
            kind = DOCUMENTS.get(self._media_type)
            return read(copy) if kind is None else read_document(kind, copy)
        if self._media_type in _PLAIN:
            return Metadata()
        broken = self._walker is not None and not self._walker.complete
        return Metadata(note=UNREADABLE if broken else XMP_ONLY)
