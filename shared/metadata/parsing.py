"""Read a file's own metadata in a worker process, within limits of memory and time.

Exiv2's time grows with the square of an XMP packet's size, and Exiv2 copies a value of EXIF for
each tag that points to the value. A picture with much metadata therefore waits for a patient worker
process (see `worker_process`). Nearly every picture has little metadata, and uses a quick worker.
A third worker renders thumbnails, so that no thumbnail holds up an upload.
"""

import atexit
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from shared.metadata.block_sizes import largest_block, metadata_size
from shared.metadata.worker import PACKET, PDF, PICTURE
from shared.metadata.worker.result import (
    MAX_LENGTH,
    MAX_PEOPLE,
    TOO_LARGE,
    DocumentId,
    Metadata,
    MetadataText,
    NamedPerson,
    Thumbnail,
)
from shared.metadata.worker_process import WorkerProcess

__all__ = [
    "MAX_LENGTH",
    "MAX_PEOPLE",
    "PICTURES",
    "READER",
    "RENDERED",
    "DocumentId",
    "Metadata",
    "MetadataText",
    "NamedPerson",
    "Thumbnail",
    "read",
    "read_document",
    "read_packet",
    "render",
]

READER: Final = 4
"""The version of the readers. A change that finds more texts in a file counts the version up."""

PICTURES: Final = frozenset(
    {
        "image/avif",
        "image/heic",
        "image/heic-sequence",
        "image/heif",
        "image/heif-sequence",
        "image/jp2",
        "image/jpeg",
        "image/jxl",
        "image/png",
        "image/tiff",
        "image/vnd.adobe.photoshop",
        "image/webp",
        "image/x-adobe-dng",
        "image/x-canon-cr2",
        "image/x-canon-cr3",
        "image/x-fuji-raf",
        "image/x-nikon-nef",
        "image/x-olympus-orf",
        "image/x-panasonic-rw2",
        "image/x-pentax-pef",
        "image/x-sony-arw",
    }
)
"""The media types whose metadata Exiv2 reads; of GIF and BMP Exiv2 reads only the dimensions."""

RENDERED: Final = frozenset(
    {
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/jp2",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/vnd.adobe.photoshop",
        "image/webp",
    }
)
"""The media types that Pillow reads, and `render` renders."""

# Bytes of one block of a picture that may be read into memory. Exiv2 copies some blocks three
# times.
_MAX_BLOCK: Final = 16 * 1024 * 1024
# Bytes of metadata that count as little. The worst cost of so many bytes was measured at 95 MiB and
# a tenth of a second.
_LITTLE: Final = 64 * 1024
# Bytes of a file that is handed over as a copy in memory; a larger file is, or goes, on disk.
_MAX_COPY: Final = 4 * 1024 * 1024

_quick: Final = WorkerProcess()
_patient: Final = WorkerProcess()
_renderer: Final = WorkerProcess()
atexit.register(_quick.close)
atexit.register(_patient.close)
atexit.register(_renderer.close)


def read(source: IO[bytes] | bytes) -> Metadata:
    """Return the metadata of a picture.

    `source` is the picture, or a real file that holds the picture. A large file is read in place
    and not into memory (a `SpooledTemporaryFile` is then rolled over to disk). Useful for the media
    types in `PICTURES`. Blocks: call on a worker thread. Broken metadata raises no error but gets a
    note, because a picture on display is an asset nevertheless. Raises OSError if no process can be
    started.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    if largest_block(file) > _MAX_BLOCK:
        return Metadata(note=TOO_LARGE)
    return _read(PICTURE, file, _quick if metadata_size(file) <= _LITTLE else _patient)


def read_packet(packet: bytes) -> Metadata:
    """Return the metadata of a bare XMP packet, in any wrapping; otherwise as `read`."""
    return _read(PACKET, io.BytesIO(packet), _quick if len(packet) <= _LITTLE else _patient)


def read_document(kind: bytes, source: IO[bytes] | bytes) -> Metadata:
    """Return the metadata of a document of a `kind` of `metadata.worker`; otherwise as `read`."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    little = kind != PDF and file.seek(0, io.SEEK_END) <= _LITTLE
    return _read(kind, file, _quick if little else _patient)


def render(source: IO[bytes] | bytes) -> Thumbnail:
    """Return the thumbnail of a picture, for the media types in `RENDERED`; otherwise as `read`."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    with _handed_over(file) as descriptor:
        return _renderer.render(descriptor)


def _read(kind: bytes, file: IO[bytes], reader: WorkerProcess) -> Metadata:
    with _handed_over(file) as descriptor:
        return reader.read(kind, descriptor)


@contextmanager
def _handed_over(file: IO[bytes]) -> Iterator[int]:
    """Open a descriptor of the whole file: of the file itself, or of a copy of a small file."""
    if file.seek(0, io.SEEK_END) > _MAX_COPY and not isinstance(file, io.BytesIO):
        file.flush()
        yield file.fileno()
        return
    file.seek(0)
    with _unnamed() as copy:
        shutil.copyfileobj(file, copy, _MAX_COPY)
        copy.flush()
        yield copy.fileno()


def _unnamed() -> IO[bytes]:
    """Open a new file without a name: in memory where the system can (Linux), or on disk."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("metadata"), "wb")
    return tempfile.TemporaryFile()
