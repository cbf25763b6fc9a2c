"""Posting a notice to a tenant's own system."""

import asyncio
import logging
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.errors import InvalidInputError
from shared.notices.channels.base import HandOver, Parcel
from shared.notices.channels.webhook.signature import signed_headers
from shared.notices.contact_rules import checked_webhook_url
from shared.notices.rules import DeliveryOutcome

if TYPE_CHECKING:
    from aiohttp import ClientSession

_TOTAL_SECONDS = 15.0
_CONNECT_SECONDS = 5.0
# Read, so that the connection closes in order; what is beyond is not read.
_MOST_ANSWER = 16 * 1024
_GONE = 410

logger = logging.getLogger("vouchsafe.notices.webhook")


class WebhookChannel:
    """The channel of webhooks. `loopback` is the receiver of the local stack, or empty."""

    def __init__(self, loopback: str = "", seconds: float = _TOTAL_SECONDS) -> None:
        self._loopback = loopback
        self._seconds = seconds
        self._session: ClientSession | None = None

    async def deliver(self, parcel: Parcel, hand_over: HandOver) -> DeliveryOutcome:
        """Post a parcel, signed. See `Channel`.

        A status 2xx is the receipt. 410 asks for no further message. Every other answer, a redirect
        included, and no answer are tried again. The answer's body is not kept.
        """
        from aiohttp import ClientError

        from shared.notices.channels.webhook.addresses import InsideError

        if parcel.secret is None:
            return DeliveryOutcome("refused", "webhook-without-secret")
        try:
            url = checked_webhook_url(parcel.contact.address, self._loopback)
        except InvalidInputError as reason:
            return DeliveryOutcome("refused", reason.code)
        await hand_over()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(url, parcel, parcel.secret)
        except TimeoutError:
            return DeliveryOutcome("retry", "http-timeout")
        except (ClientError, OSError, ValueError) as error:
            if isinstance(error, InsideError) or isinstance(error.__cause__, InsideError):
                return DeliveryOutcome("refused", "webhook-address-inside")
            logger.info("a webhook failed: %s", type(error).__name__)
            return DeliveryOutcome("retry", "http-no-answer")

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, url: str, parcel: Parcel, secret: str) -> DeliveryOutcome:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Vouchsafe",
            **signed_headers(secret, parcel.id, parcel.sent_at, parcel.event),
        }
        async with self._opened().post(
            url, data=parcel.event, headers=headers, allow_redirects=False
        ) as answer:
            status = answer.status
            with suppress(Exception):
                await answer.content.read(_MOST_ANSWER)
            answer.close()
        if 200 <= status < 300:
            return DeliveryOutcome("delivered", f"http-{status}")
        return DeliveryOutcome("gone" if status == _GONE else "retry", f"http-{status}")

    def _opened(self) -> "ClientSession":
        if self._session is None:
            from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

            from shared.notices.channels.webhook.addresses import PublicResolver

            self._session = ClientSession(
                connector=TCPConnector(
                    ssl=ssl.create_default_context(),
                    resolver=PublicResolver(),
                    use_dns_cache=False,
                    force_close=True,
                    limit=16,
                ),
                cookie_jar=DummyCookieJar(),
                timeout=ClientTimeout(connect=_CONNECT_SECONDS),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session
