"""The commands to clamd, and the meaning of clamd's answers.

Source: clamd(8). Each command has a connection. The module speaks the protocol without a package.
The only maintained package, clamav-client, is under GPL 2 only, which is incompatible with the
project's licence. The package also reads the scanned file in pieces of 1 KiB, and loses clamd's
reason when clamd closes the connection early.
"""

import logging
import re
import socket
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

from shared.errors import UnavailableError
from shared.scanning.scanner import Engine, Findings

TOO_LARGE: Final = "scan-too-large"
"""Reason for the refusal of an upload that is longer than clamd takes."""

_TOO_LONG: Final = "INSTREAM size limit exceeded. ERROR"
_ANSWER: Final = re.compile(r"stream: (?:(OK)|(\S+) FOUND)")
# Names that clamd reports as found where a limit or a password stopped the scan: clamd.conf(5),
# AlertExceedsMax and AlertEncryptedArchive.
_REFUSALS: Final = (
    ("Heuristics.Limits.Exceeded", "scan-limit-exceeded"),
    ("Heuristics.Encrypted", "archive-encrypted"),
)
_MAX_ANSWER: Final = 4096
# Seconds that clamd may take to accept a connection, and to accept bytes.
_SEND_TIMEOUT: Final = 60.0

logger = logging.getLogger("vouchsafe.clamd")


class Connection:
    """A connection to clamd, for one command. Raises UnavailableError where it fails."""

    def __init__(self, address: str, answer_timeout: float) -> None:
        self._answer_timeout = answer_timeout
        try:
            self._socket = _connected(address)
        except OSError as error:
            raise UnavailableError("scanner") from error

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def command(self, name: str) -> None:
        """Send a command."""
        self.send(f"z{name}\0".encode())

    def send(self, data: bytes) -> None:
        """Send the bytes, to the last byte."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise UnavailableError("scanner") from error

    def answer(self) -> str:
        """Read the one answer, up to its NUL. Raises UnavailableError where the NUL is missing."""
        self._socket.settimeout(self._answer_timeout)
        answer = b""
        try:
            while not answer.endswith(b"\0") and len(answer) < _MAX_ANSWER:
                received = self._socket.recv(_MAX_ANSWER)
                if not received:
                    break
                answer += received
        except OSError as error:
            raise UnavailableError("scanner") from error
        if not answer.endswith(b"\0"):
            raise UnavailableError("scanner")
        return answer[:-1].decode(errors="replace")


def _connected(address: str) -> socket.socket:
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), _SEND_TIMEOUT)
    with ExitStack() as undo:
        connected = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        connected.settimeout(_SEND_TIMEOUT)
        connected.connect(address)
        undo.pop_all()
        return connected


def findings_of(answer: str) -> Findings:
    """Read the answer to INSTREAM. Raises UnavailableError for an answer without a verdict."""
    if answer == _TOO_LONG:
        return Findings(refusal=TOO_LARGE)
    said = _ANSWER.fullmatch(answer)
    if said is None:
        # The answer names no file of a tenant: a stream has no name.
        logger.error("clamd gave no verdict: %.200r", answer)
        raise UnavailableError("scanner")
    name = said[2]
    if name is None:
        return Findings()
    refusal = next((reason for start, reason in _REFUSALS if name.startswith(start)), None)
    return Findings(refusal=refusal) if refusal else Findings((name,))


def engine_of(answer: str) -> Engine:
    """Read the answer to VERSION, such as `ClamAV 1.4.3/27817/Tue Nov 18 09:44:31 2026`.

    The version and the time of the signatures are missing where clamd has no signatures of ClamAV's
    own. The time is the time of clamd's host, which is taken to keep UTC.
    """
    program, _, rest = answer.partition("/")
    if not program.startswith("ClamAV "):
        raise UnavailableError("scanner")
    signatures, _, made = rest.partition("/")
    try:
        made_at = datetime.strptime(made, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        made_at = None
    return Engine("clamd", program.removeprefix("ClamAV "), signatures or None, made_at)
