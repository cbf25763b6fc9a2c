"""`python -m infra.local.webhooks`: receive webhooks over TLS on loopback."""

import argparse
from pathlib import Path

from infra.local.loopback import loopback_address
from infra.local.ports import LOOPBACK
from infra.local.tls_server import serve
from infra.local.webhooks.app import create_app


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description="The receiver of webhooks.")
    parser.add_argument("--host", type=loopback_address, default=LOOPBACK)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", type=Path, required=True, help="PEM")
    parser.add_argument("--private-key", type=Path, required=True, help="PEM")
    serve(create_app(), parser.parse_args())


if __name__ == "__main__":
    main()
