"""The engine clamd, ClamAV's daemon, to which uploads are streamed with INSTREAM.

The protocol is in clamd(8); each command has a connection of its own. We speak it here rather than
with a package: the one that is kept up, clamav-client, is under GPL 2 only, which does not go with
our licence, pulls what it scans from a file in pieces of 1 KiB, and loses clamd's reason when clamd
hangs up before the end.
"""

import asyncio
import logging
import re
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import IO, Final

from shared.errors import UnavailableError
from shared.intake.probes import encrypted_archive, nested_archive
from shared.intake.scanner import Engine, Findings, Scan
from shared.ports import BlobInfo

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
_ALERTS: Final = (
    ("AlertExceedsMax", nested_archive),
    ("AlertEncryptedArchive", encrypted_archive),
)
_MAX_ANSWER: Final = 4096
# Seconds in all before the message is handed back, so that its ten deliveries outlast a restart.
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
# Seconds that clamd may take to accept bytes, and to answer once it has all: more than the 120 of
# MaxScanTime, after which clamd itself gives up.
_SEND_TIMEOUT: Final = 60.0
_ANSWER_TIMEOUT: Final = 180.0

logger = logging.getLogger("vouchsafe.clamd")


class ClamdScanner:
    """Scans with a clamd that is reached over TCP or a Unix socket."""

    def __init__(
        self,
        address: str,
        max_stream: int,
        *,
        pauses: Sequence[float] = _PAUSES,
        answer_timeout: float = _ANSWER_TIMEOUT,
    ) -> None:
        """`address` is `host:port`, or the path of a Unix socket.

        `max_stream` is clamd's StreamMaxLength in bytes; what is longer is refused, not sent.
        `pauses` are the seconds to wait after each failed attempt to begin a scan.
        """
        self._address = address
        self._max_stream = max_stream
        self._pauses = pauses
        self._answer_timeout = answer_timeout
        self._tested = False

    async def engine(self) -> Engine:
        """What clamd says of itself. Raises UnavailableError."""
        return await asyncio.to_thread(self._engine)

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:  # noqa: ARG002 - as the port has it
        """Begin a scan. Raises UnavailableError after half a minute of trying."""
        for pause in self._pauses:
            try:
                return await asyncio.to_thread(self._begin, blob.size)
            except UnavailableError:
                await asyncio.sleep(pause)
        return await asyncio.to_thread(self._begin, blob.size)

    async def forget(self, upload: str) -> None:
        """Nothing is kept."""

    def _begin(self, size: int) -> Scan:
        engine = self._engine()
        if size > self._max_stream:
            return _TooLarge(engine)
        return ClamdScan(engine, self._connection())

    def _engine(self) -> Engine:
        if not self._tested:
            self._test()
            self._tested = True
        with self._connection() as connection:
            connection.command("VERSION")
            return _engine(connection.answer())

    def _test(self) -> None:
        """Hold clamd to reporting what it could not look into, which by default it passes."""
        for option, probe in _ALERTS:
            scan = ClamdScan(Engine("clamd", None, None, None), self._connection())
            try:
                scan.feed(probe())
                if scan.finish(None).refusal is None:
                    logger.error("clamd passes what it cannot look into: set %s yes", option)
                    raise UnavailableError("scanner")
            finally:
                scan.close()

    def _connection(self) -> "_Connection":
        return _Connection(self._address, self._answer_timeout)


class ClamdScan:
    """The scan of one upload: see `scanner.Scan`. It holds nothing of the upload."""

    def __init__(self, engine: Engine, connection: "_Connection") -> None:
        self.engine = engine
        self._connection = connection
        self._early: str | None = None
        with ExitStack() as undo:
            undo.callback(connection.close)
            connection.command("INSTREAM")
            undo.pop_all()

    def feed(self, chunk: bytes) -> None:
        """Stream the next bytes. A part of no bytes would end the stream."""
        if chunk and self._early is None:
            self._send(chunk)

    def finish(self, file: IO[bytes] | None) -> Findings:  # noqa: ARG002 - clamd unpacks on its own
        """End the stream and read what clamd found."""
        if self._early is None:
            self._send(b"")
        answer = self._connection.answer() if self._early is None else self._early
        return _findings(answer)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _send(self, part: bytes) -> None:
        try:
            self._connection.send(struct.pack("!L", len(part)))
            self._connection.send(part)
        except UnavailableError:
            # When the stream becomes too long clamd says so and hangs up.
            self._early = self._connection.answer()


class _TooLarge:
    """The scan of an upload that clamd would not take."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def feed(self, chunk: bytes) -> None:
        """Pass over the bytes."""

    def finish(self, file: IO[bytes] | None) -> Findings:  # noqa: ARG002 - as the port has it
        """The refusal."""
        return Findings(refusal=TOO_LARGE)

    def close(self) -> None:
        """Nothing is held."""


class _Connection:
    """A connection to clamd, for one command. Raises UnavailableError where it fails."""

    def __init__(self, address: str, answer_timeout: float) -> None:
        self._answer_timeout = answer_timeout
        try:
            self._socket = _connected(address)
        except OSError as error:
            raise UnavailableError("scanner") from error

    def __enter__(self) -> "_Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def command(self, name: str) -> None:
        self.send(f"z{name}\0".encode())

    def send(self, data: bytes) -> None:
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


def _findings(answer: str) -> Findings:
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


def _engine(answer: str) -> Engine:
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
