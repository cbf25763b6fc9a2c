"""What a file's own metadata says, read within limits of memory and time.

Exiv2 needs time that grows with the square of an XMP packet, and copies the values of EXIF as often
as tags point to them. So a picture of much metadata waits for a process of those (see `reader`),
and those of little, which are nearly all, do not wait behind it.
"""

import atexit
import io
import os
import shutil
import tempfile
from typing import IO, Final

from shared.metadata.blocks import largest_block, metadata_size
from shared.metadata.reader import Reader
from shared.metadata.worker import PDF, PICTURE
from shared.metadata.worker.found import (
    MAX_LENGTH,
    MAX_PEOPLE,
    TOO_LARGE,
    Document,
    Metadata,
    Person,
)

__all__ = [
    "MAX_LENGTH",
    "MAX_PEOPLE",
    "PICTURES",
    "Document",
    "Metadata",
    "Person",
    "read",
    "read_document",
]

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
"""The media types whose metadata Exiv2 reads; of GIF and BMP it reads the size alone."""

# Bytes of one block of a picture that may be read into memory, of which some are copied thrice.
_MAX_BLOCK: Final = 16 * 1024 * 1024
# Bytes of metadata that count as little. The worst that so many can be made to cost was measured
# at 95 MiB and a tenth of a second.
_LITTLE: Final = 64 * 1024
# Bytes of a file that is handed over as a copy in memory; a larger one is, or goes, on disk.
_MAX_COPY: Final = 4 * 1024 * 1024

_quick: Final = Reader()
_patient: Final = Reader()
atexit.register(_quick.close)
atexit.register(_patient.close)


def read(source: IO[bytes] | bytes) -> Metadata:
    """Return what a picture, or a bare XMP packet, says.

    `source` is the picture, or a real file that holds it, which is read in place and not into
    memory where it is large (a `SpooledTemporaryFile` is then rolled over to disk). Worth calling
    for the media types in `PICTURES`. Blocks; call it on a worker thread. Broken metadata raises
    nothing: it is noted, because a picture that shows is an asset all the same. Raises OSError
    where no process can be started.
    """
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    if largest_block(file) > _MAX_BLOCK:
        return Metadata(note=TOO_LARGE)
    return _read(PICTURE, file, _quick if metadata_size(file) <= _LITTLE else _patient)


def read_document(kind: bytes, source: IO[bytes] | bytes) -> Metadata:
    """Read a document of a `kind` of `metadata.worker`; otherwise as `read`."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    little = kind != PDF and file.seek(0, io.SEEK_END) <= _LITTLE
    return _read(kind, file, _quick if little else _patient)


def _read(kind: bytes, file: IO[bytes], reader: Reader) -> Metadata:
    if file.seek(0, io.SEEK_END) > _MAX_COPY and not isinstance(file, io.BytesIO):
        file.flush()
        return reader.read(kind, file.fileno())
    file.seek(0)
    with _unnamed() as copy:
        shutil.copyfileobj(file, copy, _MAX_COPY)
        copy.flush()
        return reader.read(kind, copy.fileno())


def _unnamed() -> IO[bytes]:
    """A new file without a name: in memory where the system (Linux) has such, or on disk."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("metadata"), "wb")
    return tempfile.TemporaryFile()
