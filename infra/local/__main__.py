"""`python -m infra.local up`, `down` and `environment`: the commands behind `make up`."""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.local import coretools, supervisor
from infra.local.errors import StackError
from infra.local.ports import Ports
from infra.local.programs import FAULTS, PROCESSES
from infra.local.settings import ROOT

# The endpoints that each process of the stack serves.
SERVES = {
    "azurite": ("blob", "queue", "table"),
    FAULTS: ("faults",),
    "servicebus": ("service_bus",),
    "identity": ("token_issuer",),
    "keyvault": ("key_vault",),
    "datakeys": ("data_key_vault",),
    "recovery": ("resource_manager",),
    "mailbox": ("mailbox",),
    "webhooks": ("webhook_receiver",),
    "host": ("app",),
}


def up(console: Console, processes: Sequence[str]) -> None:
    """Start these processes of the stack and show the stack's addresses."""
    ports = Ports.from_environment()
    with console.status("Starting the stack") as status:

        def report(step: str) -> None:
            if console.is_terminal:
                status.update(step)
            else:
                console.print(step)

        info = supervisor.up(ports, report, processes=processes)
    console.print(_table(info))
    console.print(f"Everything a client needs: {supervisor.INFO_FILE.relative_to(ROOT)}")
    console.print("A token, here for the administrator of a tenant called acme:")
    console.print(f"  {info['token']['curl']}", soft_wrap=True, highlight=False)
    console.print("Stop it with: make down")


def down(console: Console) -> None:
    """Stop the stack."""
    with console.status("Stopping the stack"):
        stopped = supervisor.down()
    console.print("The stack has stopped." if stopped else "The stack was not running.")


def environment() -> None:
    """Print Core Tools' settings beside local.settings.json, as exports for a shell.

    Raises StackError when the stack does not run.
    """
    for name, value in coretools.environment(supervisor.INFO_FILE).items():
        print(f"export {name}={shlex.quote(value)}")


def _table(info: dict[str, Any]) -> Table:
    table = Table("process", "pid", "serves", "at", title="The local stack")
    for name, process in info["processes"].items():
        served = SERVES[name]
        table.add_row(
            name,
            str(process["pid"]),
            "\n".join(served),
            "\n".join(info["endpoints"][endpoint] for endpoint in served),
        )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description="The local stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start it in the background; restart what has died")
    start.add_argument(
        "--without",
        nargs="+",
        choices=PROCESSES,
        default=[],
        metavar="PROCESS",
        help=f"leave out, as something else takes its place: {', '.join(PROCESSES)}",
    )
    start.add_argument(
        "--faults", action="store_true", help="put the fault proxy before the app's storage"
    )
    commands.add_parser("environment", help="print what `func start` needs, for a shell's eval")
    commands.add_parser("down", help="stop it")
    supervise = commands.add_parser("supervise", help="be what `up` starts in the background")
    supervise.add_argument("directory", type=Path)
    supervise.add_argument("info_file", type=Path)
    supervise.add_argument("ports", type=json.loads)
    supervise.add_argument("processes", nargs="+", choices=(*PROCESSES, FAULTS))
    return parser


def main() -> None:
    """Run the command. After a failure, print one message and exit with status 1."""
    options = _parser().parse_args()
    try:
        if options.command == "up":
            processes = [name for name in PROCESSES if name not in options.without]
            up(Console(), [*processes, FAULTS] if options.faults else processes)
        elif options.command == "down":
            down(Console())
        elif options.command == "environment":
            environment()
        else:
            supervisor.serve(
                Ports(**options.ports), options.processes, options.directory, options.info_file
            )
    except StackError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")


if __name__ == "__main__":
    main()
