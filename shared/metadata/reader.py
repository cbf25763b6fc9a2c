"""The near end of the processes in which files are parsed (`shared.metadata.worker`).

A parser that crashes, hangs or takes too much costs the metadata of the one file, and not this
process. Starting one takes a tenth of a second, so one is fed files until it dies.
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
from typing import Final

from shared.metadata.worker import FAILED
from shared.metadata.worker.found import TOO_LARGE, UNREADABLE, Document, Metadata, Person

# Seconds after which a process is ended that does not answer. It ends itself after fewer of
# computing; this is for one that does not come to compute.
_GIVE_UP: Final = 60.0
# What a process may need of the environment, which holds secrets.
_ENVIRONMENT: Final = frozenset({"LD_LIBRARY_PATH", "PATH", "PYTHONHOME"})
# Exit statuses, as `subprocess` gives them, of a parser that met what it could not parse.
_FAILURES: Final = frozenset(
    {FAILED, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE}
)
# Those of one that was ended by others, as by a system that runs out of memory, whatever it read.
_FROM_OUTSIDE: Final = frozenset({0, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP})
# Stands for the status of one that had to be ended because it did not answer.
_HUNG: Final = 256


class Reader:
    """Reads one file at a time in a process of its own, which it starts when it first needs it.

    Threads may share one. The process ends with this one, however that ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def read(self, kind: bytes, descriptor: int) -> Metadata:
        """Read the open file `descriptor`; `kind` names its parser in `metadata.worker`.

        Blocks. A file whose parser dies is noted as "metadata-unreadable" where that crashed, else
        as "metadata-too-large"; where others ended the process, the file is read once more. Raises
        OSError where no process can be started.
        """
        with self._lock:
            answer = self._ask(kind, descriptor)
            if isinstance(answer, int) and answer in _FROM_OUTSIDE:
                answer = self._ask(kind, descriptor)
        if isinstance(answer, Metadata):
            return answer
        return Metadata(note=UNREADABLE if answer in _FAILURES else TOO_LARGE)

    def _ask(self, kind: bytes, descriptor: int) -> Metadata | int:
        """What the process says of the file, or the status with which it ended instead."""
        other = self._started()
        try:
            socket.send_fds(other, [kind], [descriptor])
            said = json.loads(_received(other))
        except TimeoutError:
            self._end(patience=0)
            return _HUNG
        except (OSError, EOFError):
            # It is on its way out, and its status says why.
            return self._end()
        if said["last"]:
            self._end()
        return Metadata(
            tuple(Person(**person) for person in said["people"]),
            said["note"],
            tuple(Document(**document) for document in said["documents"]),
            said["has_xmp"],
        )

    def close(self) -> None:
        """End the process; the next file gets another."""
        with self._lock:
            self._end()

    @property
    def pid(self) -> int | None:
        """The id of the process, or None while there is none."""
        return self._process.pid if self._process else None

    def _started(self) -> socket.socket:
        # One may have been ended from outside while it waited.
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
        """Let the process go, and return its exit status; 0 if there is none.

        It goes when it sees its socket closed; after `patience` seconds it is killed.
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
    """What the process says of a failure may quote names, and goes nowhere."""
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
