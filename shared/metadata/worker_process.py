"""Start, ask and end the worker process that parses files (`shared.metadata.worker`).

A parser that crashes, hangs or takes too much costs the metadata of one file, and leaves the
calling process unharmed. A start takes a tenth of a second, and one worker parses many files.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import Any, Final

from shared.metadata.worker import FAILED, THUMBNAIL
from shared.metadata.worker.result import (
    RENDERED_TOO_LARGE,
    TOO_LARGE,
    UNREADABLE,
    UNRENDERABLE,
    DocumentId,
    Metadata,
    MetadataText,
    NamedPerson,
    Thumbnail,
)

# Seconds after which a silent worker is killed. A worker that computes ends sooner. The limit is
# for a worker without processor time.
_GIVE_UP: Final = 60.0
# Variables that a worker may need of the environment; the environment holds secrets.
_ENVIRONMENT: Final = frozenset({"LD_LIBRARY_PATH", "PATH", "PYTHONHOME"})
# Exit statuses, as `subprocess` gives them, of a parser that failed on the file.
_FAILURES: Final = frozenset(
    {FAILED, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE}
)
# Exit statuses of a worker that was ended from outside, for example by a system out of memory,
# whatever the file.
_FROM_OUTSIDE: Final = frozenset({0, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP})
# Stands for the status of a worker that was killed because it did not answer.
_HUNG: Final = 256


class WorkerProcess:
    """Read one file at a time in a worker process, which is started for the first file.

    Threads may share a WorkerProcess. The worker ends with the calling process, even after a kill.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def read(self, kind: bytes, descriptor: int) -> Metadata:
        """Read the open file `descriptor`; `kind` names the parser in `metadata.worker`.

        Blocks. The note is "metadata-unreadable" if the parser crashed on the file, and
        "metadata-too-large" if the parser took too much or hung. If the worker was ended from
        outside, the file is read once more. Raises OSError if no process can be started.
        """
        said = self._answer(kind, descriptor)
        if isinstance(said, int):
            return Metadata(note=UNREADABLE if said in _FAILURES else TOO_LARGE)
        return Metadata(
            tuple(NamedPerson(*person) for person in said["people"]),
            said["note"],
            tuple(DocumentId(*document) for document in said["documents"]),
            said["has_xmp"],
            tuple(
                MetadataText(field, text, tuple(others)) for field, text, *others in said["texts"]
            ),
        )

    def render(self, descriptor: int) -> Thumbnail:
        """Render the open picture `descriptor` as a thumbnail.

        Blocks. The notes are those of `Thumbnail`, also for a picture that ended the worker. Raises
        OSError if no process can be started.
        """
        said = self._answer(THUMBNAIL, descriptor)
        if isinstance(said, int):
            return Thumbnail(note=UNRENDERABLE if said in _FAILURES else RENDERED_TOO_LARGE)
        return Thumbnail(said["jpeg"], said["note"])

    def _answer(self, kind: bytes, descriptor: int) -> dict[str, Any] | int:
        """Return the worker's answer for the file, or the worker's exit status in place of an
        answer; ask once more after an end from outside.
        """
        with self._lock:
            said = self._ask(kind, descriptor)
            if isinstance(said, int) and said in _FROM_OUTSIDE:
                said = self._ask(kind, descriptor)
            return said

    def _ask(self, kind: bytes, descriptor: int) -> dict[str, Any] | int:
        other = self._started()
        try:
            socket.send_fds(other, [kind], [descriptor])
            said: dict[str, Any] = json.loads(_received(other))
        except TimeoutError:
            self._end(patience=0)
            return _HUNG
        except (OSError, EOFError):
            # The worker is ending, and its status tells the reason.
            return self._end()
        if said["last"]:
            self._end()
        return said

    def close(self) -> None:
        """End the worker; the next file starts a new worker."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The id of the worker process, or None while no worker runs."""
        return self._process.pid if self._process else None

    def _started(self) -> socket.socket:
        # The worker may have been ended from outside during the wait.
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._socket is None:
            here, there = socket.socketpair()
            try:
                self._process = _start(there)
            except BaseException:
                here.close()
                raise
            finally:
                there.close()
            here.settimeout(_GIVE_UP)
            self._socket = here
        return self._socket

    def _end(self, *, patience: float = 10.0) -> int:
        """End the worker, and return the exit status; 0 without a worker.

        The worker ends when the socket is closed; after `patience` seconds the worker is killed.
        """
        if self._socket is not None:
            self._socket.close()
        process, self._socket, self._process = self._process, None, None
        if process is None:
            return 0
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(patience)
        process.kill()
        return process.wait()


def _start(there: socket.socket) -> subprocess.Popen[bytes]:
    """Start a worker. The worker's output is discarded, because a failure may quote names."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT & os.environ.keys()}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "shared.metadata.worker"],
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=there.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _received(other: socket.socket) -> bytes:
    (length,) = struct.unpack(">I", _exactly(other, 4))
    return _exactly(other, length)


def _exactly(other: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        more = other.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
