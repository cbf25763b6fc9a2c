"""The process of limited means in which files are parsed, one after another.

Its standard input is a socket. A request is one byte, what the file is, and with it the open file
(SCM_RIGHTS); the answer is its length in four bytes, and JSON. It ends when the other end closes
the socket or dies, and whenever a file takes too much; it goes by itself, and says so in its last
answer, when it has grown.
"""

import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from shared.metadata.worker import FAILED, MARKUP, OUT_OF_MEMORY, PACKAGE, PDF, PICTURE
from shared.metadata.worker.documents import read_pdf
from shared.metadata.worker.found import Metadata
from shared.metadata.worker.markup import read_markup, read_package
from shared.metadata.worker.pictures import read_picture

_READERS: Final[Mapping[bytes, Callable[[str], Metadata]]] = {
    PICTURE: read_picture,
    PDF: read_pdf,
    MARKUP: read_markup,
    PACKAGE: read_package,
}

# Bytes on the heap, and seconds of computing for one file, after which the kernel ends the process.
_MEMORY: Final = 192 * 1024 * 1024
_SECONDS: Final = 5.0
# Bytes above what it had at its start that a process may keep.
_GROWTH: Final = 32 * 1024 * 1024
# Files after which a process goes anyway, as native libraries may leak.
_FILES: Final = 10_000


def main() -> None:
    """Answer requests until there are no more."""
    # Ctrl-C reaches every process of a terminal; the one at the other end says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    limit = _resident() + _GROWTH
    with socket.socket(fileno=0) as other:
        for number in range(1, _FILES + 1):
            kind, descriptors, _, _ = socket.recv_fds(other, 1, 1)
            if not kind:
                return
            [descriptor] = descriptors
            metadata = _read(kind, descriptor)
            last = number == _FILES or _resident() > limit
            answer = json.dumps({**asdict(metadata), "last": last}).encode()
            other.sendall(struct.pack(">I", len(answer)) + answer)
            if last:
                return


def _read(kind: bytes, descriptor: int) -> Metadata:
    """What the open file says. SIGPROF ends the process when that takes too much computing."""
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        return _READERS[kind](f"/dev/fd/{descriptor}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.close(descriptor)


def _resident() -> int:
    """Bytes of memory of this process; 0 where the system has no /proc."""
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
        # What a C++ library throws that is no error of its own comes as a SystemError.
        memory = isinstance(error, MemoryError) or "bad_alloc" in str(error)
        sys.exit(OUT_OF_MEMORY if memory else FAILED)
