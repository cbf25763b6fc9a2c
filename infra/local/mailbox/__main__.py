"""`python -m infra.local.mailbox`: take mails over SMTP with STARTTLS, and show them over HTTP."""

import argparse
import asyncio
import ssl
from pathlib import Path

import uvicorn
from aiosmtpd.smtp import SMTP

from infra.local.loopback import loopback_address
from infra.local.mailbox.app import Mailbox, create_app
from infra.local.ports import KEEP_ALIVE_SECONDS, LOOPBACK


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description="The mailbox.")
    parser.add_argument("--host", type=loopback_address, default=LOOPBACK)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--port", type=int, required=True, help="of the mails over HTTP")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM")
    parser.add_argument("--private-key", type=Path, required=True, help="PEM")
    parser.add_argument("--directory", type=Path, required=True, help="of the mails")
    parser.add_argument("--empty", action="store_true", help="forget the mails of earlier runs")
    asyncio.run(serve(parser.parse_args()))


async def serve(options: argparse.Namespace) -> None:
    """Serve SMTP and HTTP until SIGTERM or SIGINT."""
    mailbox = Mailbox(options.directory, is_emptied=options.empty)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(options.certificate, options.private_key)

    def session() -> SMTP:
        return SMTP(
            mailbox,
            tls_context=tls,
            require_starttls=True,
            enable_SMTPUTF8=True,
            hostname="localhost",
            ident="Vouchsafe mailbox",
        )

    server = await asyncio.get_running_loop().create_server(
        session, options.host, options.smtp_port
    )
    config = uvicorn.Config(
        create_app(mailbox),
        host=options.host,
        port=options.port,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        server.close()


if __name__ == "__main__":
    main()
