"""A real clamd, with signatures of our own, on a socket and a port of its own."""

import hashlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from samples.eicar import eicar

MIB = 1024 * 1024
MAX_STREAM = 8 * MIB
HASHED = b"what only its hash is known of"

CONFIGURATION = """
LocalSocket {folder}/clamd.ctl
TCPAddr 127.0.0.1
TCPSocket {port}
DatabaseDirectory {folder}/signatures
TemporaryDirectory {folder}
LogFile {folder}/clamd.log
Foreground yes
StreamMaxLength {max_stream}
"""
ALERTS = "AlertExceedsMax yes\nAlertEncryptedArchive yes\n"


class Clamd:
    """One clamd, which can be stopped and started again."""

    def __init__(self, folder: Path, port: int, alerts: str = ALERTS) -> None:
        self.path = str(folder / "clamd.ctl")
        self.port = f"127.0.0.1:{port}"
        self._configuration = folder / "clamd.conf"
        self._configuration.write_text(
            CONFIGURATION.format(folder=folder, port=port, max_stream=MAX_STREAM) + alerts
        )
        signatures = folder / "signatures"
        signatures.mkdir()
        # clamav.net, "Body-based Signature Content Format" and "File hash signatures".
        (signatures / "own.ndb").write_text(f"Vouchsafe.Eicar:0:*:{eicar().hex()}\n")
        digest = hashlib.sha256(HASHED).hexdigest()
        (signatures / "own.hsb").write_text(f"{digest}:{len(HASHED)}:Vouchsafe.Hashed:73\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["clamd", "--config-file", str(self._configuration)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not self._listens():
            assert self._process.poll() is None, "clamd has ended"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(self.path)
        except OSError:
            return False
        return True


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Iterator[Callable[..., Clamd]]:
    """`made()` returns a clamd, not started yet."""
    every: list[Clamd] = []

    def make(**given: str) -> Clamd:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        clamd = Clamd(tmp_path_factory.mktemp("clamd"), port, **given)
        every.append(clamd)
        return clamd

    yield make
    for clamd in every:
        clamd.stop()


@pytest.fixture(scope="session")
def clamd(made) -> Clamd:
    """A clamd that runs."""
    clamd = made()
    clamd.start()
    return clamd
