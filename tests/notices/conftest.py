"""The app within the test's own process, and a mail server that answers as a test says."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiosmtpd.smtp import SMTP

from infra.local.ports import LOOPBACK
from tests.compositions import OneSecret, composed, registered


class Time:
    """A clock that a test moves, also back."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        now = datetime.now(UTC) + self.ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


class MailServer:
    """A server that keeps what it takes.

    `at_recipient` and `at_data` are the replies in turn, the last for ever; "drop" ends the
    connection without a reply, and for the data after the server has kept the message.
    """

    def __init__(self):
        self.kept = []
        self.at_recipient = ["250 ok"]
        self.at_data = ["250 ok"]
        self.connections = 0

    def session(self):
        self.connections += 1
        return SMTP(self, enable_SMTPUTF8=True, hostname="localhost")

    async def handle_RCPT(self, server, _session, envelope, address, _options):  # noqa: N802
        reply = self._next(self.at_recipient)
        if reply == "drop":
            server.transport.abort()
        if reply in ("drop", "hang"):
            await asyncio.sleep(30)
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, _session, envelope):  # noqa: N802
        reply = self._next(self.at_data)
        if reply == "drop" or reply.startswith("250"):
            self.kept.append((envelope.rcpt_tos[0], envelope.original_content))
        if reply == "drop":
            server.transport.abort()
            await asyncio.sleep(30)
        return reply

    @staticmethod
    def _next(replies):
        return replies.pop(0) if len(replies) > 1 else replies[0]


@pytest.fixture(scope="session")
def services(tmp_path_factory):
    """Storage and bus."""
    from infra.local.stack import Stack

    directory = tmp_path_factory.mktemp("services")
    with Stack(directory, in_memory=True, processes=("azurite", "servicebus")) as started:
        yield started


@pytest.fixture
def time():
    return Time()


@pytest.fixture
async def mail_server():
    server = MailServer()
    listening = await asyncio.get_running_loop().create_server(server.session, LOOPBACK, 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()


@pytest.fixture
async def app(services, time, mail_server):
    settings = services.settings | {
        "MAIL_SERVER": f"{LOOPBACK}:{mail_server.port}",
        "MAIL_TLS": "none",
    }
    async with composed(settings, OneSecret(), time) as app:
        yield app
        from shared.composition.notices import NoticesFlow

        await app.flow(NoticesFlow).mail.close()
        await app.flow(NoticesFlow).webhook.close()


@pytest.fixture
async def tenant(app):
    return await registered(app)
