"""``python -m infra.local.host --app <folder> --port 7071``: serve a function app locally."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from infra.local.host import host
from infra.local.host.errors import StartupError


def main() -> int:
    """Run the host. Return 0 after SIGTERM or SIGINT, 1 after a StartupError."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.host", description=__doc__)
    parser.add_argument("--app", type=Path, default=Path.cwd(), help="folder of function_app.py")
    parser.add_argument("--port", type=int, default=7071, help="HTTP port on 127.0.0.1")
    parser.add_argument(
        "--grace", type=float, default=30.0, help="seconds for invocations to finish on SIGTERM"
    )
    options = parser.parse_args()
    try:
        asyncio.run(host.run(options.app.resolve(), options.port, os.environ, options.grace))
    except StartupError as refused:
        for line in refused.lines:
            print(f"host: {line}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
