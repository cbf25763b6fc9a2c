"""`python -m infra.local.identity --port P --audience A`: serve the token issuer on loopback.

The environment variable IDENTITY_HEADER has the secret of the managed identity endpoint.
"""

import argparse
import os

import uvicorn

from infra.local.identity.app import create_app
from infra.local.identity.tokens import Issuer
from infra.local.loopback import loopback_address
from infra.local.ports import KEEP_ALIVE_SECONDS, LOOPBACK


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="The token issuer of the local stack.")
    parser.add_argument("--host", type=loopback_address, default=LOOPBACK)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--audience", required=True, help="the app's audience (aud) by default")
    options = parser.parse_args()
    issuer = Issuer(url=f"http://{options.host}:{options.port}", audience=options.audience)
    app = create_app(issuer, identity_header=os.environ["IDENTITY_HEADER"])
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
