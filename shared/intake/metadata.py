"""The people that a picture's own metadata names, read within limits of memory and time.

A picture whose metadata is small is read in this process. Exiv2 needs time that grows with the
square of an XMP packet, and copies the values of EXIF as often as tags point to them, so much
metadata is read by a process of its own (see `people`), which its limits end and not the instance.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Final

from shared.intake import people
from shared.intake.blocks import largest_block, metadata_size
from shared.intake.people import MAX_LENGTH, MAX_PEOPLE, TOO_LARGE, Metadata, Person, read_picture

__all__ = ["MAX_LENGTH", "MAX_PEOPLE", "SUPPORTED", "Metadata", "Person", "read"]

SUPPORTED: Final = frozenset(
    {
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/heic",
        "image/heif",
        "image/jp2",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/vnd.adobe.photoshop",
        "image/webp",
        "image/x-canon-cr3",
    }
)
"""The media types whose metadata is read."""

# Bytes of one block of a picture that may be read into memory, of which some are copied thrice.
_MAX_BLOCK: Final = 16 * 1024 * 1024
# Bytes of metadata that are read in this process. The worst that so many can be made to cost was
# measured at 95 MiB and a tenth of a second.
_MAX_HERE: Final = 64 * 1024
# Seconds after which a process that reads one picture is ended. It ends itself after fewer of
# computing; this is for one that does not come to compute.
_GIVE_UP: Final = 60.0
_ENVIRONMENT: Final = frozenset({"LD_LIBRARY_PATH", "PATH", "PYTHONHOME"})

# One picture at a time: Exiv2 is not safe to share, and so only one process has its memory.
_lock: Final = threading.Lock()


def read(source: IO[bytes] | bytes) -> Metadata:
    """Return the people that a picture names in its metadata.

    `source` is the picture, or a real file that holds it, which is read in place and not into
    memory (a `SpooledTemporaryFile` is rolled over to disk). Worth calling for the media types in
    `SUPPORTED`. Blocks; call it on a worker thread. Broken metadata raises nothing: it is noted,
    because a picture that shows is an asset all the same. Raises OSError where no process can be
    started.
    """
    if isinstance(source, bytes) and len(source) > _MAX_HERE:
        with tempfile.TemporaryFile() as copy:
            copy.write(source)
            return read(copy)
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    if largest_block(file) > _MAX_BLOCK:
        return Metadata(note=TOO_LARGE)
    here = metadata_size(file) <= _MAX_HERE
    with _lock:
        if isinstance(source, bytes):
            return read_picture(source)
        descriptor = source.fileno()
        source.flush()
        return read_picture(f"/dev/fd/{descriptor}") if here else _read_apart(descriptor)


def _read_apart(descriptor: int) -> Metadata:
    """Read the open file `descriptor` in a process of its own.

    What that process says of a failure may quote names, and goes nowhere. Of the environment, which
    holds secrets, it gets what Python itself may need.
    """
    environment = {name: os.environ[name] for name in _ENVIRONMENT & os.environ.keys()}
    try:
        answer = subprocess.run(  # noqa: S603 - our own program, on a file that is open here
            [sys.executable, "-P", str(Path(people.__file__)), f"/dev/fd/{descriptor}"],
            env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_GIVE_UP,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return Metadata(note=TOO_LARGE)
    said = json.loads(answer.stdout)
    return Metadata(tuple(Person(*person) for person in said["people"]), said["note"])
