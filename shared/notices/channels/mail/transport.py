"""Sending e-mail through an SMTP server, over connections that stay open between messages."""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import UnavailableError
from shared.notices.channels.base import HandOver, Parcel
from shared.notices.channels.mail.message import envelope_address, mail_of
from shared.notices.rules import DeliveryOutcome
from shared.ports import Secrets

if TYPE_CHECKING:
    from aiosmtplib import SMTP

PASSWORD_SECRET = "mail-password"  # noqa: S105 - the name of a secret in the vault
# RFC 5321 section 4.5.3.2 lets a server take minutes. A server that takes longer than this for a
# reply is asked again later; after the end of the data the server gets more time.
_REPLY_SECONDS = 20.0
_DATA_SECONDS = 90.0
# Servers close a connection after some minutes, or after some hundred messages.
_IDLE_SECONDS = 30.0
_MOST_CONNECTIONS = 8
_MOST_MESSAGES = 200

logger = logging.getLogger("vouchsafe.notices.mail")


@dataclass(frozen=True, slots=True)
class MailServer:
    """The SMTP server of the stamp. `needs_tls` demands STARTTLS with a certificate for `host`.

    The password of `username` is the secret `mail-password`; without `username` nobody logs in.
    """

    host: str
    port: int
    sender: str
    needs_tls: bool = True
    username: str = ""


@dataclass(slots=True)
class _Connection:
    client: "SMTP"
    used_at: float
    messages: int = 0
    # A refusal leaves a transaction open; the server ends the transaction of a mail that it took.
    is_open: bool = True


class MailChannel:
    """The channel of e-mail."""

    def __init__(
        self,
        server: MailServer,
        secrets: Secrets,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._secrets = secrets
        self._monotonic = monotonic
        self._idle: list[_Connection] = []
        self._places = asyncio.Semaphore(_MOST_CONNECTIONS)

    async def deliver(self, parcel: Parcel, hand_over: HandOver) -> DeliveryOutcome:
        """Send the e-mail of a parcel. See `Channel`.

        A reply 4yz is for a time, and 5yz for good (RFC 5321 section 4.2.1). A connection that ends
        between the end of the data and the reply leaves the delivery in doubt: the server may have
        the message.
        """
        from aiosmtplib import SMTPException

        message = mail_of(parcel, self._server.sender)
        recipient = envelope_address(parcel.contact.address)
        try:
            async with self._connection() as connection:
                client = connection.client
                if (refusal := await self._envelope(client, recipient)) is not None:
                    return refusal
                await hand_over()
                connection.messages += 1
                outcome = await _data(client, message)
                connection.is_open = outcome.kind != "delivered"
                return outcome
        except UnavailableError:
            return DeliveryOutcome("retry", "smtp-password-unavailable")
        except (SMTPException, OSError, TimeoutError, ssl.SSLError) as error:
            return _failure(error)

    async def close(self) -> None:
        """Close the open connections."""
        while self._idle:
            await _quit(self._idle.pop().client)

    async def _envelope(self, client: "SMTP", recipient: str) -> DeliveryOutcome | None:
        """Name sender and recipient; return the outcome where the server refuses either."""
        from aiosmtplib import SMTPResponseException

        options = []
        if not recipient.isascii():
            if not client.supports_extension("smtputf8"):
                return DeliveryOutcome("refused", "smtp-no-smtputf8")
            options = ["SMTPUTF8"]
        encoding = "ascii" if recipient.isascii() else "utf-8"
        try:
            await client.mail(self._server.sender, options=options, encoding=encoding)
        except SMTPResponseException as error:
            # The sender is ours: the contact is not at fault, and an operator mends the setting.
            return DeliveryOutcome("retry", f"smtp-sender-{error.code}")
        try:
            await client.rcpt(recipient, encoding=encoding)
        except SMTPResponseException as error:
            return _answered(error.code)
        return None

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        """An open connection. A connection is kept for the next message unless a use failed."""
        async with self._places:
            connection = await self._kept() or await self._opened()
            try:
                yield connection
            except BaseException:
                connection.client.close()
                raise
            if not connection.client.is_connected:
                return
            if connection.is_open and not await _is_reset(connection.client):
                connection.client.close()
                return
            if connection.messages >= _MOST_MESSAGES:
                await _quit(connection.client)
                return
            connection.is_open = True
            connection.used_at = self._monotonic()
            self._idle.append(connection)

    async def _kept(self) -> _Connection | None:
        """Return a connection that still stands, the latest used first."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.client.is_connected:
                continue
            if self._monotonic() - connection.used_at < _IDLE_SECONDS:
                return connection
            await _quit(connection.client)
        return None

    async def _opened(self) -> _Connection:
        from aiosmtplib import SMTP

        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            timeout=_REPLY_SECONDS,
            use_tls=False,
            start_tls=server.needs_tls,
            local_hostname=server.sender.rpartition("@")[2],
        )
        try:
            await client.connect()
            if server.username:
                password = await self._secrets.get(PASSWORD_SECRET)
                await client.login(server.username, password.value)
        except BaseException:
            client.close()
            raise
        return _Connection(client, self._monotonic())


async def _data(client: "SMTP", content: bytes) -> DeliveryOutcome:
    from aiosmtplib import SMTPDataError, SMTPResponseException

    try:
        reply = await client.data(content, timeout=_DATA_SECONDS)
    except (SMTPDataError, SMTPResponseException) as error:
        return _answered(error.code)
    except (OSError, TimeoutError) as error:
        logger.warning("a server ended after the data: %s", type(error).__name__)
        return DeliveryOutcome("in-doubt", "smtp-no-reply-to-data")
    return DeliveryOutcome("delivered", f"smtp-{reply.code}")


def _answered(code: int) -> DeliveryOutcome:
    """Return the outcome of a refusal by the server."""
    return DeliveryOutcome("refused" if 500 <= code < 600 else "retry", f"smtp-{code}")


def _failure(error: Exception) -> DeliveryOutcome:
    """Return the outcome of an attempt that ended before the message was handed over."""
    from aiosmtplib import SMTPNotSupported, SMTPResponseException

    # Not the text of the error, which may repeat the address.
    if isinstance(error, SMTPResponseException):
        return DeliveryOutcome("retry", f"smtp-connect-{error.code}")
    if isinstance(error, SMTPNotSupported):
        return DeliveryOutcome("retry", "smtp-no-starttls")
    if isinstance(error, TimeoutError):
        return DeliveryOutcome("retry", "smtp-timeout")
    if isinstance(error, ssl.SSLError):
        return DeliveryOutcome("retry", "smtp-certificate")
    return DeliveryOutcome("retry", "smtp-disconnected")


async def _is_reset(client: "SMTP") -> bool:
    """End a transaction that a refusal left open."""
    from aiosmtplib import SMTPException

    try:
        await client.rset()
    except (SMTPException, OSError):
        return False
    return True


async def _quit(client: "SMTP") -> None:
    from aiosmtplib import SMTPException

    with suppress(SMTPException, OSError):
        await client.quit(timeout=2)
    client.close()
