"""`make demo`: start the stack, run the main job, print the transcript, stop the stack."""

import signal
import sys
from types import FrameType

import httpx
from azure.core.exceptions import AzureError
from rich.console import Console

from infra.local.demo.accesses import let_in
from infra.local.demo.backups import audit, refuse
from infra.local.demo.breaches import breach
from infra.local.demo.client import TENANT, Client
from infra.local.demo.erasures import erase
from infra.local.demo.proofs import verify
from infra.local.demo.transcript import DemoError, Transcript
from infra.local.demo.uploads import upload_samples
from infra.local.errors import StackError
from infra.local.ports import Ports
from infra.local.settings import ROOT
from infra.local.stack import Stack

DIRECTORY = ROOT / "build/demo"
# The width of an output that is no terminal is unknown; tables need a width.
PLAIN_WIDTH = 120


def tell(transcript: Transcript, stack: Stack) -> None:
    """Tell the whole story, on a running stack."""
    with Client(stack.info) as client:
        assets = upload_samples(transcript, client, stack.info)
        let_in(transcript, client, assets)
        breach(transcript, client, assets)
        erase(transcript, client, assets)
        verify(transcript, client)
        audit(transcript, client)
        refuse(transcript, client)
    transcript.console.print()
    transcript.show(transcript.verdicts())
    _where_to_look(transcript, stack)


def _where_to_look(transcript: Transcript, stack: Stack) -> None:
    urls = stack.info["endpoints"]
    transcript.chapter("Where to look")
    transcript.say("`make up` leaves the same stack running, at the same addresses:")
    transcript.say(f"assets    {urls['app']}/api/tenants/{TENANT}/assets")
    transcript.say(f"log       {urls['app']}/api/tenants/{TENANT}/log/entries")
    transcript.say(f"mails     {urls['mailbox']}/mails")
    transcript.say(f"health    {urls['app']}/api/health/ready")
    transcript.say(f"evidence  {urls['blob']}/evidence")
    transcript.say(f"logs of this run: {(DIRECTORY / 'logs').relative_to(ROOT)}")
    transcript.say("docs/tutorial.md goes through the same steps with curl and the Azure SDKs.")


def main() -> None:
    """Run the demo. After a failure, print one message and exit with status 1."""
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    transcript = Transcript(console)
    try:
        stack = Stack(DIRECTORY, ports=Ports.from_environment(), in_memory=True)
        transcript.chapter("The stack starts")
        try:
            stack.start(transcript.say)
            tell(transcript, stack)
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
