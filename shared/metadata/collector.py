"""Collect the metadata of one upload from the stream of its bytes."""

from collections.abc import Iterator, Mapping
from typing import IO, Final

from shared.metadata.film_boxes import BoxWalker
from shared.metadata.manifests import ManifestFinder
from shared.metadata.matroska_tags import MatroskaWalker
from shared.metadata.parsing import PICTURES, Metadata, read, read_document, read_packet
from shared.metadata.riff_chunks import ChunkWalker
from shared.metadata.worker import AUDIO, GIF, MARKUP, OLE, PACKAGE, PDF, TEXT
from shared.metadata.worker.result import (
    CUT,
    NOT_SUPPORTED,
    PARTIAL,
    TOO_LARGE,
    UNREADABLE,
    XMP_ONLY,
    merged,
)
from shared.metadata.worker.text_kinds import kind_of
from shared.metadata.xmp_packets import PacketFinder, Packets

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT: Final = "application/vnd.oasis.opendocument"
DOCUMENTS: Final = frozenset(
    {
        f"{_OFFICE}.presentationml.presentation",
        f"{_OFFICE}.spreadsheetml.sheet",
        f"{_OFFICE}.wordprocessingml.document",
        f"{_OPEN_DOCUMENT}.presentation",
        f"{_OPEN_DOCUMENT}.spreadsheet",
        f"{_OPEN_DOCUMENT}.text",
    }
)
"""Documents that are archives of parts."""

_READERS: Final[Mapping[str, bytes]] = {
    **dict.fromkeys(DOCUMENTS, PACKAGE),
    # Office, OpenDocument and EPUB files whose first entries do not tell the type.
    "application/zip": PACKAGE,
    "application/pdf": PDF,
    "application/postscript": TEXT,
    "application/rdf+xml": MARKUP,
    "application/rtf": TEXT,
    "application/x-ole-storage": OLE,
    "application/xml": MARKUP,
    "application/ogg": AUDIO,
    "audio/aac": AUDIO,
    "audio/flac": AUDIO,
    "audio/mpeg": AUDIO,
    "image/gif": GIF,
    "image/svg+xml": MARKUP,
    "text/html": TEXT,
    "text/plain": TEXT,
    "video/x-ms-asf": AUDIO,
}
FILMS: Final = frozenset({"audio/mp4", "video/3gpp", "video/3gpp2", "video/mp4", "video/quicktime"})
_MATROSKA: Final = frozenset({"video/matroska", "video/webm"})
_CHUNKS: Final = frozenset({"audio/aiff", "audio/vnd.wave", "video/x-msvideo"})

_UNKNOWN: Final = "application/octet-stream"
# First bytes of sounds that have tags of APE's, and no registered type.
_SOUNDS: Final = (b"MAC ", b"MP+", b"MPCK", b"OFR ", b"TTA1", b"wvpk")
_HEAD: Final = 8192


def needs_copy(media_type: str) -> bool:
    """Tell whether metadata of this media type is read at random, from a copy of the file."""
    return media_type in PICTURES or media_type in _READERS


class Collector:
    """Take a file's bytes in chunks, and return the metadata after the last chunk.

    A reader in the worker process reads most types, each from a copy of the file. Films, Matroska,
    WAV and AVI are read in the stream, at any size. The stream of every file but a film is searched
    for XMP packets. The search serves the pictures within a document or a picture, and files too
    large for a copy.
    """

    def __init__(self, media_type: str) -> None:
        self._media_type = media_type
        self._head = b""
        self._walker: BoxWalker | MatroskaWalker | ChunkWalker | None = None
        if media_type in FILMS:
            self._walker = BoxWalker()
        elif media_type in _MATROSKA:
            self._walker = MatroskaWalker()
        elif media_type in _CHUNKS:
            self._walker = ChunkWalker()
        self._finder = PacketFinder() if media_type not in FILMS else None
        self._manifest = ManifestFinder()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if len(self._head) < _HEAD:
            self._head += chunk[: _HEAD - len(self._head)]
        self._manifest.feed(chunk)
        if self._walker is not None:
            self._walker.feed(chunk)
        if self._finder is not None:
            self._finder.feed(chunk)

    def finish(self, copy: IO[bytes] | None) -> Metadata:
        """Return the metadata, after the last byte. Blocks, and raises OSError, as `read`.

        `copy` is the whole file, if a copy was kept.
        """
        parts = list(self._walked()) if self._walker is not None else [self._own(copy)]
        if parts[0].note == NOT_SUPPORTED:
            # Exiv2 does not know this variety of the type, such as Photoshop's large files.
            parts[0] = Metadata(note=XMP_ONLY)
        if self._manifest.found:
            parts.append(Metadata(note=PARTIAL))
        packets = self._packets()
        if not self._was_read(parts[0], packets):
            parts.append(Metadata(note=CUT if packets.cut else None))
            for packet in packets.found:
                parts.append(read_packet(packet))
                # A hostile file takes the time of one packet at most.
                if parts[-1].note == TOO_LARGE:
                    break
        return merged(parts)

    def _packets(self) -> Packets:
        """Return the packets of the walker and of the finder, each once."""
        packets = Packets()
        for found in (self._walker, self._finder):
            if found is not None:
                packets.cut |= found.packets.cut
                for packet in found.packets.found:
                    packets.add(packet)
        return packets

    def _was_read(self, metadata: Metadata, packets: Packets) -> bool:
        """Tell whether the file has at most one packet, in the standard place, read by Exiv2."""
        # Exiv2 loses the letters that a packet of a HEIC or AVIF names by number.
        only = len(packets.found) + packets.cut <= 1 and not any(
            b"&#" in packet for packet in packets.found
        )
        return self._media_type in PICTURES and metadata.has_xmp and only

    def _walked(self) -> Iterator[Metadata]:
        """Yield the metadata that was read in the stream."""
        if self._walker is None:
            return
        yield self._walker.metadata()
        if not self._walker.complete:
            yield Metadata(note=UNREADABLE)
        if isinstance(self._walker, BoxWalker | ChunkWalker):
            for tag in self._walker.id3:
                yield read_document(AUDIO, tag)
        if isinstance(self._walker, BoxWalker | MatroskaWalker):
            for cover in self._walker.covers:
                read_cover = read(cover)
                # Exiv2 does not know every type of picture.
                is_known = read_cover.note != NOT_SUPPORTED
                yield read_cover if is_known else Metadata(note=PARTIAL)

    def _own(self, copy: IO[bytes] | None) -> Metadata:
        """Read the metadata by the reader of the file's type."""
        if self._media_type in PICTURES:
            return Metadata(note=TOO_LARGE) if copy is None else read(copy)
        kind = _READERS.get(self._media_type)
        if kind is None and self._head.startswith(_SOUNDS):
            kind = AUDIO
        elif self._media_type == _UNKNOWN:
            kind = _kind_in_any_encoding(self._head)
        if kind is None:
            return Metadata(note=XMP_ONLY)
        return Metadata(note=TOO_LARGE) if copy is None else read_document(kind, copy)


def _kind_in_any_encoding(head: bytes) -> bytes | None:
    """Return the kind of a text in the encoding of a system, which is a text of no type."""
    start = head.lstrip().lower()
    if start.startswith((b"<?xml", b"<svg", b"<x:x", b"<rdf:rdf")):
        return MARKUP
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return TEXT
    return TEXT if kind_of(head) in ("mail", "vcard") else None
