"""The web server: uvicorn on one loopback port, inside the host's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from infra.local.host.errors import StartupError
from infra.local.ports import KEEP_ALIVE_SECONDS, LOOPBACK


def listen(port: int) -> socket.socket:
    """Return a socket bound to a loopback port. Raise StartupError when the port is taken."""
    # With an explicit TCP socket asyncio turns off Nagle's algorithm for each connection. Otherwise
    # an answer in two parts waits 40 ms for the client's delayed acknowledgement (RFC 1122
    # 4.2.3.2).
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # Connections that ended a minute ago must not keep a restarted host from its port.
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((LOOPBACK, port))
    except OSError as error:
        opened.close()
        raise StartupError(f"port {port} of {LOOPBACK} cannot be used: {error.strerror}") from None
    return opened


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the host, which stops every trigger together."""
        yield


class HttpServer:
    """Serve an ASGI application on a bound socket until told to stop."""

    def __init__(self, app: ASGIApp, bound: socket.socket) -> None:
        self._socket = bound
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                proxy_headers=False,
                ws="none",
            )
        )

    async def run(self, ready: asyncio.Event, stopping: asyncio.Event) -> None:
        """Serve; on ``stopping`` take no more requests and return after the last answer."""
        serving = asyncio.create_task(self._server.serve([self._socket]))
        await self._server.listening.wait()
        ready.set()
        await stopping.wait()
        self._server.should_exit = True
        await serving
