"""Read all texts of EXIF, IPTC-IIM and XMP by Exiv2, and the ids of documents from XMP."""

import io
import re
from pathlib import Path
from typing import IO, Final

import exiv2

from shared.metadata.worker import iptc_exif_xmp_fields as fields
from shared.metadata.worker.encodings import decoded
from shared.metadata.worker.jpeg_2000 import add_jpeg_2000
from shared.metadata.worker.jpeg_segments import JpegSegments
from shared.metadata.worker.jpeg_tails import add_tail
from shared.metadata.worker.photoshop_layers import has_layers
from shared.metadata.worker.picture_texts import add_exif, add_iptc, raw_of
from shared.metadata.worker.png_gif_texts import add_png
from shared.metadata.worker.result import NOT_SUPPORTED, Metadata, MetadataBuilder
from shared.metadata.worker.unknown_parts import add_unknown
from shared.metadata.worker.xmp import (
    Complaints,
    add_image_xmp,
    add_packet,
    is_misread,
    read_packets,
)

# Exiv2 gives the XMP of a TIFF's later pages as raw bytes. Limits of the pages that are read, and
# of the bytes of each page's XMP.
_PAGE: Final = re.compile(r"Exif\.(?!Image\.)\w+\.XMLPacket")
_MAX_PAGES: Final = 16
_MAX_PACKET: Final = 1024 * 1024

_UNKNOWN_TYPE: Final = (
    exiv2.ErrorCode.kerFileContainsUnknownImageType,
    exiv2.ErrorCode.kerMemoryContainsUnknownImageType,
    exiv2.ErrorCode.kerUnsupportedImageType,
)


def read_picture(path: str) -> Metadata:
    """Return the metadata of the picture, or of the bare XMP packet, at `path`.

    For one thread at a time: the process has one XMP toolkit of Exiv2, and one log handler.
    """
    with Complaints() as complaints:
        found = MetadataBuilder()
        try:
            _read(path, found)
        except exiv2.Exiv2Error as error:
            if error.code in _UNKNOWN_TYPE:
                return Metadata(note=NOT_SUPPORTED)
            complaints.serious = True
        finally:
            # The XMP toolkit keeps the namespaces of every file for the whole process. One file
            # could give "dc" another meaning for later files, and many files could fill the memory.
            exiv2.XmpParser.terminate()
        found.broken |= complaints.serious
    with Path(path).open("rb") as file:
        segments = _read_segments(file, found)
        places = _read_further(path, file, found) if segments.is_multiple else []
        if segments.pixels is not None:
            add_tail(file, segments.pixels, places, found)
        if segments.is_png:
            file.seek(0)
            add_png(file, found)
        file.seek(0)
        add_jpeg_2000(file, found)
        file.seek(0)
        found.partial |= segments.is_unread or has_layers(file)
    return found.metadata()


def _read_segments(file: IO[bytes], found: MetadataBuilder) -> JpegSegments:
    """Add the texts in the segments of a JPEG that Exiv2 leaves out."""
    segments = JpegSegments(file)
    found.broken |= segments.broken
    found.cut |= segments.cut
    read_packets(segments.packets, found)
    for record in segments.photoshop:
        _read_record(record, found)
    for comment in segments.comments:
        found.text("JPEG:Comment", *decoded(comment))
    for kind, segment in segments.unknown:
        add_unknown(f"JPEG:APP{kind & 0xF}", segment, found)
    return segments


def _read_further(path: str, file: IO[bytes], found: MetadataBuilder) -> list[tuple[int, int]]:
    """Add the metadata of the pictures behind the first: previews, depths, the other eye.

    Return the first byte and the size of each.
    """
    from shared.metadata.worker.further_pictures import further_pictures

    places, is_whole = further_pictures(path)
    found.partial |= not is_whole
    for start, size in places:
        file.seek(start)
        add_inner(file.read(size), found)
    return places


def add_inner(picture: bytes, found: MetadataBuilder) -> None:
    """Add the metadata of a picture within a file, such as a cover."""
    with Complaints() as complaints:
        try:
            _read(picture, found)
        except exiv2.Exiv2Error:
            complaints.serious = True
        finally:
            exiv2.XmpParser.terminate()
    found.partial |= complaints.serious
    file = io.BytesIO(picture)
    segments = _read_segments(file, found)
    if segments.pixels is not None:
        add_tail(file, segments.pixels, [], found)
    if segments.is_png:
        file.seek(0)
        add_png(file, found)


def _read(source: str | bytes, found: MetadataBuilder) -> None:
    image = exiv2.ImageFactory.open(source)
    image.readMetadata()
    add_image_xmp(image, found)
    # Exiv2 makes up EXIF and IPTC for a bare packet.
    if image.imageType() == exiv2.ImageType.xmp:
        return
    _iptc(image, found)
    add_iptc(image.iptcData(), found)
    little = image.byteOrder() != exiv2.ByteOrder.bigEndian
    add_exif(image.exifData(), found, little=little)
    for packet in _exif(image, found):
        add_packet(packet, found)


def _read_record(record: bytes, found: MetadataBuilder) -> None:
    """Add the IPTC of a further record of Photoshop's. A part of a longer record is no record."""
    with Complaints():
        try:
            image = exiv2.ImageFactory.open(record)
            image.readMetadata()
        except exiv2.Exiv2Error:
            return
    _iptc(image, found)
    add_iptc(image.iptcData(), found)


def _iptc(image: exiv2.Image, found: MetadataBuilder) -> None:
    for datum in image.iptcData():
        if field := fields.IPTC.get(datum.key()):
            found.add(_decoded(raw_of(datum.value())), field)


def _exif(image: exiv2.Image, found: MetadataBuilder) -> list[bytes]:
    """Add the people in EXIF, and return the XMP packets within EXIF."""
    packets: list[bytes] = []
    for datum in image.exifData():
        key = datum.key()
        name = key.rpartition(".")[2]
        if field := fields.EXIF.get(name) or fields.MAKER.get(key):
            # A NUL parts the photographer's notice from the editor's (Exif 3.0, Copyright).
            for text in _decoded(raw_of(datum.value())).split("\0"):
                found.add(text, field)
        elif field := fields.EXIF_UTF16.get(name):
            found.add(raw_of(datum.value()).decode("utf-16-le", "replace"), field)
        elif _PAGE.fullmatch(key) and datum.size() <= _MAX_PACKET and len(packets) < _MAX_PAGES:
            packets.append(raw_of(datum.value()))
        elif key == "Exif.Image.XMLPacket" and is_misread(packet := raw_of(datum.value())):
            packets.append(packet)
    return packets


def _decoded(raw: bytes) -> str:
    """Decode `raw`: EXIF and IPTC-IIM demand ASCII or UTF-8, but older writers use Windows-1252."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")
