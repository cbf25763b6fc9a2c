"""`make demo`: start the stack, run the main job, give the account, stop the stack."""

import signal
import sys
from types import FrameType

import httpx
from azure.core.exceptions import AzureError
from rich.console import Console

from infra.local.demo.accesses import let_in
from infra.local.demo.account import Account
from infra.local.demo.backups import audit, refuse
from infra.local.demo.client import TENANT, Client
from infra.local.demo.erasures import erase
from infra.local.demo.errors import DemoError
from infra.local.demo.proofs import verify
from infra.local.demo.uploads import process_upload
from infra.local.errors import StackError
from infra.local.ports import Ports
from infra.local.settings import ROOT
from infra.local.stack import Stack

DIRECTORY = ROOT / "build/demo"
# Where the output is not a terminal, its width is unknown; tables need some.
PLAIN_WIDTH = 120


def tell(account: Account, stack: Stack) -> None:
    """The whole story, on a stack that runs."""
    with Client(stack.info) as client:
        assets = process_upload(account, client)
        let_in(account, client, assets)
        erase(account, client, assets)
        verify(account, client)
        audit(account, client)
        refuse(account, client)
    account.console.print()
    account.show(account.verdicts())
    _where_to_look(account, stack)


def _where_to_look(account: Account, stack: Stack) -> None:
    urls = stack.info["endpoints"]
    account.chapter("Where to look")
    account.say("`make up` leaves the same stack running, at the same addresses:")
    account.say(f"assets    {urls['app']}/api/tenants/{TENANT}/assets")
    account.say(f"log       {urls['app']}/api/tenants/{TENANT}/log/entries")
    account.say(f"health    {urls['app']}/api/health/ready")
    account.say(f"evidence  {urls['blob']}/evidence")
    account.say(f"logs of this run: {(DIRECTORY / 'logs').relative_to(ROOT)}")
    account.say("docs/tutorial.md goes through the same steps with curl and the Azure SDKs.")


def main() -> None:
    """Run the demo; exit with status 1 and one message where it does not end well."""
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    account = Account(console)
    try:
        stack = Stack(DIRECTORY, ports=Ports.from_environment(), in_memory=True)
        account.chapter("The stack starts")
        try:
            stack.start(account.say)
            tell(account, stack)
        finally:
            with console.status("Stopping the stack"):
                stack.stop()
    except (DemoError, StackError, httpx.HTTPError, AzureError) as error:
        console.print(f"\nThe demo has failed. {error}", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("\nInterrupted; the stack has stopped.")
        sys.exit(130)
    console.print("\nThe stack has stopped. All is well.")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
