"""The engine clamd, ClamAV's daemon: uploads are streamed to clamd with INSTREAM."""

import asyncio
import io
import logging
import struct
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from typing import IO, ClassVar, Final

from shared.errors import UnavailableError
from shared.ports import BlobInfo
from shared.scanning.clamd_protocol import TOO_LARGE, Connection, engine_of, findings_of
from shared.scanning.scanner import Engine, Findings, Scan

# Deeper than the recursion of any engine: clamd.conf(5), MaxRecursion.
_LEVELS: Final = 101
_ENCRYPTED: Final = 0x1
_FLAGS_AT: Final = ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8))
# Seconds before the message is handed back: ten deliveries of a message outlast a restart.
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
# Seconds that clamd may take to answer after the last byte: more than the 120 seconds of
# MaxScanTime, after which clamd itself gives up.
_ANSWER_TIMEOUT: Final = 180.0

logger = logging.getLogger("vouchsafe.clamd")


class ClamdScanner:
    """Scan with a clamd that is reached over TCP or a Unix socket."""

    name: ClassVar = "clamd"
    scans_on_demand: ClassVar = True

    def __init__(
        self,
        address: str,
        max_stream: int,
        *,
        pauses: Sequence[float] = _PAUSES,
        answer_timeout: float = _ANSWER_TIMEOUT,
    ) -> None:
        """`address` is `host:port`, or the path of a Unix socket.

        `max_stream` is clamd's StreamMaxLength in bytes; a longer upload is refused and not sent.
        `pauses` are the seconds to wait after each failed attempt to begin a scan.
        """
        self._address = address
        self._max_stream = max_stream
        self._pauses = pauses
        self._answer_timeout = answer_timeout
        self._tested = False

    async def engine(self) -> Engine:
        """Return clamd's account of the engine. Raises UnavailableError."""
        return await asyncio.to_thread(self._engine)

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:  # noqa: ARG002 - as the port has it
        """Begin a scan. Raises UnavailableError after half a minute of attempts."""
        for pause in self._pauses:
            try:
                return await asyncio.to_thread(self._begin, blob.size)
            except UnavailableError:
                await asyncio.sleep(pause)
        return await asyncio.to_thread(self._begin, blob.size)

    async def forget(self, upload: str) -> None:
        """Do nothing: the engine keeps no result."""

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
        """Require that clamd reports archives that it cannot unpack, which by default pass."""
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
    """The scan of one upload: see `scanner.Scan`. Holds no bytes of the upload."""

    def __init__(self, engine: Engine, connection: Connection) -> None:
        self.engine = engine
        self._connection = connection
        self._early: str | None = None
        with ExitStack() as undo:
            undo.callback(connection.close)
            connection.command("INSTREAM")
            undo.pop_all()

    def feed(self, chunk: bytes) -> None:
        """Stream the next bytes. A part of zero bytes would end the stream."""
        if chunk and self._early is None:
            self._send(chunk)

    def finish(self, file: IO[bytes] | None) -> Findings:  # noqa: ARG002 - clamd unpacks on its own
        """End the stream and read clamd's findings."""
        if self._early is None:
            self._send(b"")
        answer = self._connection.answer() if self._early is None else self._early
        return findings_of(answer)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _send(self, part: bytes) -> None:
        try:
            self._connection.send(struct.pack("!L", len(part)))
            self._connection.send(part)
        except UnavailableError:
            # On a stream that is too long, clamd answers and closes the connection.
            self._early = self._connection.answer()


class _TooLarge:
    """The scan of an upload that is too long for clamd."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def feed(self, chunk: bytes) -> None:
        """Ignore the bytes."""

    def finish(self, file: IO[bytes] | None) -> Findings:  # noqa: ARG002 - as the port has it
        """Return the refusal."""
        return Findings(refusal=TOO_LARGE)

    def close(self) -> None:
        """Do nothing: the scan holds no resource."""


@cache
def nested_archive() -> bytes:
    """Make a zip within a zip, 101 levels deep and about 10 kB long."""
    data = b"x"
    for _ in range(_LEVELS):
        data = _zip(data)
    return data


@cache
def encrypted_archive() -> bytes:
    """Make a zip whose member is marked as encrypted."""
    data = bytearray(_zip(bytes(28)))
    for signature, offset in _FLAGS_AT:
        struct.pack_into("<H", data, data.index(signature) + offset, _ENCRYPTED)
    return bytes(data)


def _zip(member: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a"), member)
    return buffer.getvalue()


_ALERTS: Final = (
    ("AlertExceedsMax", nested_archive),
    ("AlertEncryptedArchive", encrypted_archive),
)
