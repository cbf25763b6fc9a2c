"""`python -m infra.local.servicebus --port 5672 --config infra/local/servicebus/Config.json`."""

import argparse
import asyncio
import errno
import signal
import sys
from dataclasses import replace
from pathlib import Path

from infra.local.servicebus import config
from infra.local.servicebus.broker import HOST, Broker
from infra.local.servicebus.messages import QueueSettings
from infra.local.servicebus.sqlite_journal import JournalError, SqliteJournal


async def _serve(queues: list[QueueSettings], port: int, store: SqliteJournal | None) -> None:
    loop = asyncio.get_running_loop()
    stop, ready = asyncio.Event(), loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ready.add_done_callback(
        lambda future: (
            print(f"ready {HOST}:{future.result()}", flush=True) if not future.cancelled() else None
        )
    )
    try:
        await Broker(queues, store).serve(port, stop, ready)
    finally:
        if store is not None:
            store.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="infra.local.servicebus", description=__doc__)
    parser.add_argument("--host", choices=[HOST], default=HOST, help="loopback only")
    parser.add_argument("--port", type=int, default=5672, help="0 takes a free one")
    parser.add_argument("--config", type=Path, default=Path(__file__).with_name("Config.json"))
    parser.add_argument("--lock-duration", metavar="PT10S", help="overrides that of every queue")
    parser.add_argument("--store", type=Path, help="the file that keeps messages; none by default")
    return parser.parse_args()


def main() -> int:
    """Run until SIGTERM or SIGINT; after a failed start print the reason and return 1."""
    arguments = _arguments()
    try:
        queues = config.load(arguments.config)
        if arguments.lock_duration is not None:
            lock = config.seconds(arguments.lock_duration, "--lock-duration")
            queues = [replace(queue, lock_duration=lock) for queue in queues]
        store = None if arguments.store is None else SqliteJournal(arguments.store)
        asyncio.run(_serve(queues, arguments.port, store))
    except (config.ConfigError, JournalError) as error:
        print(f"servicebus: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        print(f"servicebus: port {arguments.port} is in use (--port changes it)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
