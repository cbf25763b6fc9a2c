"""`python -m tests.benchmarks.mail_sink PORT`: a mail server that keeps no mail."""

import asyncio
import sys

from aiosmtpd.smtp import SMTP, Envelope, Session

from infra.local.ports import LOOPBACK

STORING_SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0


class Sink:
    """Takes every mail."""

    async def handle_DATA(  # noqa: N802 - the name in aiosmtpd
        self, _server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        """Take a mail, as long after its end as a server needs to store a mail."""
        await asyncio.sleep(STORING_SECONDS)
        return "250 taken"


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(Sink(), hostname="localhost"), LOOPBACK, port
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
