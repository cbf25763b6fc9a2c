"""`python -m infra.local.faults`: serve the fault proxy before Azurite, on loopback."""

import argparse
import asyncio

import uvicorn

from infra.local.faults.control import create_app
from infra.local.faults.relay import Relay
from infra.local.faults.rules import Rules, StorageService
from infra.local.loopback import loopback_address
from infra.local.ports import KEEP_ALIVE_SECONDS, LOOPBACK

SERVICES: tuple[StorageService, ...] = ("blob", "queue", "table")


async def _serve(options: argparse.Namespace) -> None:
    rules = Rules()

    async def start(service: StorageService) -> asyncio.Server:
        listening, to = getattr(options, service)

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Relay(service, to, rules).serve(reader, writer)

        return await asyncio.start_server(relay, options.host, listening)

    servers = [await start(service) for service in SERVICES]
    control = uvicorn.Config(
        create_app(rules),
        host=options.host,
        port=options.control,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    await uvicorn.Server(control).serve()
    for server in servers:
        server.close()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="The fault proxy of the local stack.")
    parser.add_argument("--host", type=loopback_address, default=LOOPBACK)
    parser.add_argument("--control", type=int, required=True, help="the control endpoint's port")
    for service in SERVICES:
        parser.add_argument(
            f"--{service}", type=int, nargs=2, required=True, metavar=("PORT", "TO")
        )
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
