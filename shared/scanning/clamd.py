"""The engine clamd, ClamAV's daemon, to which uploads are streamed with INSTREAM."""

import asyncio
import logging
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO, Final

from shared.errors import UnavailableError
from shared.ports import BlobInfo
from shared.scanning.clamd_protocol import TOO_LARGE, Connection, engine_of, findings_of
from shared.scanning.probes import encrypted_archive, nested_archive
from shared.scanning.scanner import Engine, Findings, Scan

_ALERTS: Final = (
    ("AlertExceedsMax", nested_archive),
    ("AlertEncryptedArchive", encrypted_archive),
)
# Seconds in all before the message is handed back, so that its ten deliveries outlast a restart.
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
# Seconds that clamd may take to answer once it has all: more than the 120 of MaxScanTime, after
# which clamd itself gives up.
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
            return engine_of(connection.answer())

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

    def _connection(self) -> Connection:
        return Connection(self._address, self._answer_timeout)


class ClamdScan:
    """The scan of one upload: see `scanner.Scan`. It holds nothing of the upload."""

    def __init__(self, engine: Engine, connection: Connection) -> None:
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
        return findings_of(answer)

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
