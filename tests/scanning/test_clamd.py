"""What becomes of a scan when clamd does not do as it should: nothing is ever cleared."""

import socket
import struct
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from shared.errors import UnavailableError
from shared.ports import BlobInfo
from shared.scanning.clamd import ClamdScanner
from shared.scanning.scanner import Engine, Findings

VERSION = b"ClamAV 1.4.3/27817/Tue Nov  3 09:44:31 2026\0"
LIMIT = b"stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND\0"
ENCRYPTED = b"stream: Heuristics.Encrypted.Zip FOUND\0"
SAYS_WHAT_IT_CANNOT_DO = [LIMIT, ENCRYPTED]
BLOB = BlobInfo("incoming", "acme/a", '"0x1"', 4, datetime.now(UTC))


class Daemon:
    """Answers as it is told: `version` to VERSION, and one of `streams` to each INSTREAM in turn.

    None hangs up without an answer; "die" hangs up as soon as the stream has begun; "silence"
    waits for the other side to hang up.
    """

    def __init__(self, *streams, version=VERSION):
        self._streams = iter([*SAYS_WHAT_IT_CANNOT_DO, *streams])
        self._version = version
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self.received = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self):
        # Closing alone does not end an accept that waits.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self):
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                self._answer(connection, stream)

    def _answer(self, connection, stream):
        command = b""
        while not command.endswith(b"\0"):
            byte = stream.read(1)
            if not byte:
                return
            command += byte
        if command == b"zVERSION\0":
            connection.sendall(self._version)
            return
        assert command == b"zINSTREAM\0"
        answer = next(self._streams)
        if answer == "die":
            return
        data = b""
        while length := struct.unpack("!L", stream.read(4))[0]:
            data += stream.read(length)
        self.received.append(data)
        if answer == "silence":
            stream.read()
        elif answer is not None:
            connection.sendall(answer)


@contextmanager
def daemon(*streams, **given):
    running = Daemon(*streams, **given)
    try:
        yield running
    finally:
        running.close()


def scanner_of(address):
    return ClamdScanner(address, 100, pauses=())


async def begun(scanner, blob=BLOB, patience=None):
    """A scan that waits `patience` seconds for its answer, or as long as is the rule."""
    scan = await scanner.begin("an-asset", blob)
    if patience is not None:
        scan._connection._answer_timeout = patience
    return scan


def finished(scan):
    try:
        scan.feed(b"text")
        return scan.finish(None)
    finally:
        scan.close()


async def scanned(scanner, blob=BLOB):
    return finished(await begun(scanner, blob))


async def test_verdicts():
    with daemon(b"stream: OK\0", b"stream: Win.Worm-1 FOUND\0", ENCRYPTED, LIMIT) as clamd:
        scanner = scanner_of(clamd.address)
        assert await scanned(scanner) == Findings()
        assert await scanned(scanner) == Findings(("Win.Worm-1",))
        assert await scanned(scanner) == Findings(refusal="archive-encrypted")
        assert await scanned(scanner) == Findings(refusal="scan-limit-exceeded")
        # The first two were to see whether it reports what it cannot look into.
        assert clamd.received[2:] == [b"text"] * 4


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "die",
        "silence",
        b"",
        b"\0",
        b"stream: OK",
        b"stream: OK\0stream: OK\0",
        b"stream: \0",
        b"OK\0",
        b"stream: OK FOUND OK\0",
        b"stream: Can't allocate memory ERROR\0",
        b"COMMAND READ TIMED OUT\0",
        b"UNKNOWN COMMAND\0",
        b"stream: OK " + b"x" * 10_000,
        b"\xff\xfe\0",
    ],
)
async def test_what_is_no_verdict_clears_nothing(answer):
    with daemon(answer, b"stream: OK\0") as clamd:
        scanner = scanner_of(clamd.address)
        scan = await begun(scanner, patience=0.01 if answer == "silence" else None)
        with pytest.raises(UnavailableError) as unavailable:
            finished(scan)
        assert unavailable.value.service == "scanner"
        assert await scanned(scanner) == Findings()


async def test_a_stream_that_clamd_finds_too_long_is_refused():
    with daemon(b"INSTREAM size limit exceeded. ERROR\0") as clamd:
        assert await scanned(scanner_of(clamd.address)) == Findings(refusal="scan-too-large")


async def test_a_stream_that_we_know_to_be_too_long_is_not_sent():
    with daemon() as clamd:
        blob = BlobInfo("incoming", "acme/a", '"0x1"', 101, datetime.now(UTC))
        findings = await scanned(scanner_of(clamd.address), blob=blob)
        assert findings == Findings(refusal="scan-too-large")
        assert len(clamd.received) == 2


async def test_nobody_listens(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", str(tmp_path / "no-socket"), str(tmp_path)):
        with pytest.raises(UnavailableError):
            await scanned(scanner_of(address))
        with pytest.raises(UnavailableError):
            await scanner_of(address).engine()


async def test_one_that_starts_meanwhile_is_waited_for():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    started = []

    class Pauses:
        """What is waited for between attempts: here, for clamd to start."""

        def __iter__(self):
            yield 0
            server = Daemon(b"stream: OK\0")
            started.append(server)
            scanner._address = server.address
            yield 0

    scanner = ClamdScanner(f"127.0.0.1:{port}", 100, pauses=Pauses())
    assert await scanned(scanner) == Findings()
    started[0].close()


@pytest.mark.parametrize(
    ("answer", "engine"),
    [
        (VERSION, Engine("clamd", "1.4.3", "27817", datetime(2026, 11, 3, 9, 44, 31, tzinfo=UTC))),
        (b"ClamAV 1.4.6\0", Engine("clamd", "1.4.6", None, None)),
        (b"ClamAV 1.4.6/27817/soon\0", Engine("clamd", "1.4.6", "27817", None)),
    ],
)
async def test_what_clamd_says_of_itself(answer, engine):
    with daemon(version=answer) as clamd:
        assert await scanner_of(clamd.address).engine() == engine


@pytest.mark.parametrize("answer", [b"", b"\0", b"220 mail.example ESMTP\0", b"ClamAV 1.4.6"])
async def test_something_else_listens(answer):
    with daemon(version=answer) as clamd, pytest.raises(UnavailableError):
        await scanner_of(clamd.address).engine()


@pytest.mark.parametrize("position", [0, 1])
async def test_a_clamd_that_passes_what_it_cannot_look_into_is_not_used(position, caplog):
    answers = [LIMIT, ENCRYPTED]
    answers[position] = b"stream: OK\0"
    careless = Daemon()
    careless._streams = iter(answers * 2)
    with pytest.raises(UnavailableError):
        await scanned(scanner_of(careless.address))
    careless.close()
    assert ["AlertExceedsMax", "AlertEncryptedArchive"][position] in caplog.text
