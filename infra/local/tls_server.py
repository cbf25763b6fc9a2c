"""The options and the server that the TLS stand-ins of the local stack share."""

import argparse
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from infra.local.loopback import loopback_address
from infra.local.ports import KEEP_ALIVE_SECONDS, LOOPBACK


def server_options(description: str) -> argparse.ArgumentParser:
    """Return a parser of the address, the token issuer and the certificate."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--host", type=loopback_address, default=LOOPBACK)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--issuer", required=True, help="the token issuer's URL")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM")
    parser.add_argument("--private-key", type=Path, required=True, help="PEM")
    return parser


def serve(app: Starlette, options: argparse.Namespace) -> None:
    """Serve `app` over TLS until SIGTERM or SIGINT."""
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        ssl_certfile=options.certificate,
        ssl_keyfile=options.private_key,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        # Clients keep their TLS connections open; the end must not wait for the clients to close.
        timeout_graceful_shutdown=1,
    )
