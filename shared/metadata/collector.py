"""Collect the metadata of one upload from the stream of its bytes."""

from collections.abc import Mapping
from typing import IO, Final

from shared.metadata.film_xmp import BoxWalker
from shared.metadata.parsing import PICTURES, Metadata, read, read_document, read_packet
from shared.metadata.worker import MARKUP, PACKAGE, PDF
from shared.metadata.worker.result import (
    CUT,
    NOT_SUPPORTED,
    TOO_LARGE,
    UNREADABLE,
    XMP_ONLY,
    merged,
)
from shared.metadata.xmp_packets import PacketFinder, Packets

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

# A text has no metadata of its own, but may hold XMP.
_PLAIN: Final = frozenset({"text/plain"})


def needs_copy(media_type: str) -> bool:
    """Tell whether metadata of this media type is read at random, from a copy of the file."""
    return media_type in PICTURES or media_type in DOCUMENTS


class Collector:
    """Take a file's bytes in chunks, and return the metadata after the last chunk.

    Exiv2 reads pictures, pypdf reads PDF, and expat reads SVG and the properties of Office files,
    each from a copy of the file. XMP in the boxes of a film is found in the stream, for a film of
    any size. The stream of every further file is searched for XMP packets. The search serves the
    pictures within a document or a picture, and files too large for a copy.
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
        """Return the metadata, after the last byte. Blocks, and raises OSError, as `read`.

        `copy` is the whole file, if a copy was kept.
        """
        parts = [self._own(copy)]
        if parts[0].note == NOT_SUPPORTED:
            # Exiv2 does not know this variety of the type, such as Photoshop's large files.
            parts[0] = Metadata(note=XMP_ONLY)
        found = self._walker or self._finder
        if found is not None and not self._was_read(parts[0], found.packets):
            parts.append(Metadata(note=CUT if found.packets.cut else None))
            for packet in found.packets.found:
                parts.append(read_packet(packet))
                # A hostile file takes the time of one packet at most.
                if parts[-1].note == TOO_LARGE:
                    break
        return merged(parts)

    def _was_read(self, metadata: Metadata, packets: Packets) -> bool:
        """Tell whether the file has at most one packet, in the standard place, read by Exiv2."""
        only = len(packets.found) + packets.cut <= 1
        return self._media_type in PICTURES and metadata.has_xmp and only

    def _own(self, copy: IO[bytes] | None) -> Metadata:
        """Read the metadata by the reader of the file's type."""
        if needs_copy(self._media_type):
            if copy is None:
                return Metadata(note=TOO_LARGE)
            kind = DOCUMENTS.get(self._media_type)
            return read(copy) if kind is None else read_document(kind, copy)
        if self._media_type in _PLAIN:
            return Metadata()
        broken = self._walker is not None and not self._walker.complete
        return Metadata(note=UNREADABLE if broken else XMP_ONLY)
