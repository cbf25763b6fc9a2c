"""What is said to clamd, and what its answers mean.

The protocol is in clamd(8); each command has a connection of its own. We speak it here rather than
with a package: the one that is kept up, clamav-client, is under GPL 2 only, which does not go with
our licence, pulls what it scans from a file in pieces of 1 KiB, and loses clamd's reason when clamd
hangs up before the end.
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
"""Why an upload is refused that is longer than clamd takes."""

_TOO_LONG: Final = "INSTREAM size limit exceeded. ERROR"
_ANSWER: Final = re.compile(r"stream: (?:(OK)|(\S+) FOUND)")
# What clamd reports as found where its limits or a password kept it from looking; clamd.conf(5),
# AlertExceedsMax and AlertEncryptedArchive.
_REFUSALS: Final = (
    ("Heuristics.Limits.Exceeded", "scan-limit-exceeded"),
    ("Heuristics.Encrypted", "archive-encrypted"),
)
_MAX_ANSWER: Final = 4096
# Seconds that clamd may take to accept a connection, and bytes.
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
        """Hang up."""
        self._socket.close()

    def command(self, name: str) -> None:
        """Send a command."""
        self.send(f"z{name}\0".encode())

    def send(self, data: bytes) -> None:
        """Send bytes, all of them."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise UnavailableError("scanner") from error

    def answer(self) -> str:
        """The one answer, up to its NUL. Raises UnavailableError when it does not end."""
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
    """What an answer to INSTREAM says. Raises UnavailableError for one that is no verdict."""
    if answer == _TOO_LONG:
        return Findings(refusal=TOO_LARGE)
    said = _ANSWER.fullmatch(answer)
    if said is None:
        # It has no name of ours in it: what is streamed has none.
        logger.error("clamd gave no verdict: %.200r", answer)
        raise UnavailableError("scanner")
    name = said[2]
    if name is None:
        return Findings()
    refusal = next((reason for start, reason in _REFUSALS if name.startswith(start)), None)
    return Findings(refusal=refusal) if refusal else Findings((name,))


def engine_of(answer: str) -> Engine:
    """What an answer to VERSION says: `ClamAV 1.4.3/27817/Tue Nov 18 09:44:31 2026`.

    The signatures' version and time are missing where clamd has none of ClamAV's own. The time is
    that of the host of clamd, which we take to keep UTC.
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
