"""The worker process, limited in memory and time, which parses one file after the next.

Standard input is a socket. A request is one byte, the kind of the file, and the open file
(SCM_RIGHTS). The answer is the length in four bytes, and JSON. The worker ends when the peer closes
the socket or dies, and when a file takes too much. A worker with grown memory marks the answer as
the last, and ends.
"""

import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

from shared.metadata.worker import (
    AUDIO,
    FAILED,
    GIF,
    MARKUP,
    OLE,
    OUT_OF_MEMORY,
    PACKAGE,
    PACKET,
    PDF,
    PICTURE,
    TEXT,
    THUMBNAIL,
)
from shared.metadata.worker.pictures import read_picture
from shared.metadata.worker.result import Metadata, Thumbnail
from shared.metadata.worker.xmp import read_packet

type _Reader = Callable[[str], Metadata | Thumbnail]

_READERS: Final[Mapping[bytes, _Reader]] = {PICTURE: read_picture, PACKET: read_packet}
# Readers whose libraries are loaded for the first file of the kind.
_LATER: Final[Mapping[bytes, tuple[str, str]]] = {
    AUDIO: ("audio_tags", "read_audio"),
    GIF: ("png_gif_texts", "read_gif"),
    MARKUP: ("svg_and_sidecars", "read_markup"),
    OLE: ("ole_properties", "read_ole"),
    PACKAGE: ("office_properties", "read_package"),
    PDF: ("pdf", "read_pdf"),
    TEXT: ("text_files", "read_text"),
    THUMBNAIL: ("thumbnails", "render"),
}

# Bytes on the heap, and seconds of processor time for one file, after which the kernel ends the
# process.
_MEMORY: Final = 192 * 1024 * 1024
_MEMORY_OF_THUMBNAIL: Final = 512 * 1024 * 1024
_SECONDS: Final = 5.0
# Bytes that a process may keep above its memory at the start.
_GROWTH: Final = 32 * 1024 * 1024
# Files after which a process ends in any case, because native libraries may leak.
_FILES: Final = 10_000
_JSON: Final = json.JSONEncoder(ensure_ascii=False)


def main() -> None:
    """Answer requests until the peer closes the socket."""
    # Ctrl-C reaches every process of a terminal; the peer decides when the worker ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY_OF_THUMBNAIL))
    limit = _resident() + _GROWTH
    seen: set[bytes] = set()
    with socket.socket(fileno=0) as other:
        for number in range(1, _FILES + 1):
            kind, descriptors, _, _ = socket.recv_fds(other, 1, 1)
            if not kind:
                return
            [descriptor] = descriptors
            if kind not in _READERS and kind not in seen:
                seen.add(kind)
                before = _resident()
                _later(kind)
                limit += _resident() - before
            found = _read(kind, descriptor)
            last = number == _FILES or _resident() > limit
            answer = _encoded(found, last=last)
            other.sendall(struct.pack(">I", len(answer)))
            other.sendall(answer)
            if last:
                return


def _read(kind: bytes, descriptor: int) -> Metadata | Thumbnail:
    """Read the open file. SIGPROF ends the process when the file takes too much processor time."""
    reader = _READERS.get(kind) or _later(kind)
    memory = _MEMORY_OF_THUMBNAIL if kind == THUMBNAIL else _MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (memory, _MEMORY_OF_THUMBNAIL))
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        return reader(f"/dev/fd/{descriptor}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.close(descriptor)


@cache
def _later(kind: bytes) -> _Reader:
    """Load the reader of a kind, and the reader's libraries."""
    module, name = _LATER[kind]
    reader: _Reader = getattr(import_module(f"shared.metadata.worker.{module}"), name)
    return reader


def _encoded(found: Metadata | Thumbnail, *, last: bool) -> bytearray:
    """Encode the answer."""
    if isinstance(found, Thumbnail):
        rendered = {"jpeg": found.jpeg, "note": found.note, "last": last}
        return bytearray(_JSON.encode(rendered).encode())
    return _encoded_texts(found, last=last)


def _encoded_texts(metadata: Metadata, *, last: bool) -> bytearray:
    """Encode metadata, text by text, so that the texts are in memory twice at most."""
    rest = {
        "people": [[one.identifier, one.field] for one in metadata.people],
        "note": metadata.note,
        "documents": [[one.identifier, one.field] for one in metadata.documents],
        "has_xmp": metadata.has_xmp,
        "last": last,
    }
    answer = bytearray(_JSON.encode(rest).encode()[:-1])
    answer += b', "texts": ['
    for number, one in enumerate(metadata.texts):
        answer += b"," if number else b""
        answer += _JSON.encode([one.field, one.text, *one.readings]).encode()
    answer += b"]}"
    return answer


def _resident() -> int:
    """Return the bytes of memory of this process; 0 where the system has no /proc."""
    status = Path("/proc/self/statm")
    return (
        int(status.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        if status.exists()
        else 0
    )


if __name__ == "__main__":
    try:
        main()
    except (MemoryError, SystemError) as error:
        # A C++ exception outside the library's own errors arrives as a SystemError.
        memory = isinstance(error, MemoryError) or "bad_alloc" in str(error)
        sys.exit(OUT_OF_MEMORY if memory else FAILED)
