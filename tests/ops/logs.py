"""Logs to verify: as exports, and as served; intact, and not."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from shared.merkle import (
    Checkpoint,
    Redaction,
    SigningKey,
    encode_bundle,
    entries_path,
    leaf_hash,
    root_of,
)
from shared.merkle.export import end_line, entry_line, header_line, tile_line, tiles_before
from tests.merkle.logs import tiles_of

ORIGIN = "logs.example/tenants/acme"
KEY = SigningKey.of_seed(ORIGIN, sha256(b"log").digest())
OTHER_KEY = SigningKey.of_seed(ORIGIN, sha256(b"other").digest())
NOW = datetime(2026, 11, 24, 6, 0, 0, tzinfo=UTC)
# Two full tiles and a partial tile.
SIZE = 700


def entry(number: int, action: str = "asset.read") -> bytes:
    return b'{"action":"%s","id":"%026d"}' % (action.encode(), number)


@dataclass
class Log:
    """A log with parts to tamper with; the signed checkpoint stays."""

    entries: list[bytes] = field(default_factory=lambda: [entry(n) for n in range(SIZE)])
    key: SigningKey = KEY
    origin: str = ORIGIN

    def __post_init__(self) -> None:
        self.leaves = [leaf_hash(one) for one in self.entries]
        self.checks = [leaf[:8] for leaf in self.leaves]
        self.tiles = tiles_of(self.leaves)
        self.signed = self.checkpoint().sign([self.key])

    def sign_zeros(self, *places: int) -> None:
        """Sign anew, with zeros for the leaf hashes at these places: no entry has such a hash."""
        for place in places:
            self.leaves[place] = bytes(32)
        self.tiles = tiles_of(self.leaves)
        self.signed = self.checkpoint().sign([self.key])

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = len(self.entries) if size is None else size
        return Checkpoint(self.origin, size, root_of(self.leaves[:size]))

    def redact(self, *places: int) -> "Log":
        for place in places:
            redaction = Redaction(self.origin, place, self.leaves[place], NOW, "gdpr-art-17")
            self.entries[place] = redaction.sign([self.key])
        return self

    def lines(self) -> list[bytes]:
        size = len(self.entries)
        lines = [header_line(self.signed, self.origin, size)]
        for place, one in enumerate(self.entries):
            lines += [tile_line(tile, self.tiles[tile]) for tile in tiles_before(place, size)]
            lines.append(entry_line(place, one, self.checks[place]))
        return [*lines, end_line(size)]

    def export(self, file: Path) -> Path:
        file.write_bytes(b"".join(self.lines()))
        return file

    def served(self) -> dict[str, bytes]:
        parts = {tile.path: hashes for tile, hashes in self.tiles.items()}
        for first in range(0, len(self.entries), 256):
            bundle = self.entries[first : first + 256]
            parts[entries_path(first // 256, len(bundle))] = encode_bundle(bundle)
        return parts | {"checkpoint": self.signed.encode()}

    def folder(self, folder: Path) -> Path:
        for path, content in self.served().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        return folder


def lines_with(lines: Sequence[bytes], place: int, *instead: bytes) -> list[bytes]:
    """Return an export's lines with `instead` in place of the line of entry `place`."""
    at = next(n for n, line in enumerate(lines) if line.startswith(b'{"index":%d,' % place))
    return [*lines[:at], *instead, *lines[at + 1 :]]


@dataclass
class Server:
    """A server's requests and answers; `statuses` are answered before the rest.

    Parts in `damaged` are answered as damaged, as the app answers.
    """

    parts: dict[str, bytes]
    token: str | None = None
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: int = 0
    most: int = 0


@contextmanager
def serving(parts: dict[str, bytes], token: str | None = None) -> Iterator[Server]:
    """Yield a web server on loopback with the parts of a log under `/log/`."""
    state = Server(parts, token)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with state.lock:
                state.under_way += 1
                state.most = max(state.most, state.under_way)
                state.asked.append(self.path)
                status = state.statuses.pop(0) if state.statuses else 200
            content = state.parts.get(self.path.removeprefix("/log/"))
            if state.token and self.headers["authorization"] != f"Bearer {state.token}":
                status = 401
            elif status == 200 and content is None:
                status = 404
            body = (content or b"") if status == 200 else b""
            if self.path.removeprefix("/log/") in state.damaged:
                status, body = 500, b'{"type":"urn:vouchsafe:problem:log-damaged","status":500}'
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with state.lock:
                state.under_way -= 1
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            # A client may hang up on an answer that is too large.
            if not isinstance(sys.exception(), ConnectionError):
                raise  # noqa: PLE0704 - called while the error is handled

    server = Quiet(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/log"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
