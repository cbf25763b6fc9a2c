"""Notices: the contacts, the notices, and their delivery by each channel."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow
from shared.composition.incidents import IncidentsFlow
from shared.composition.messages import MessagesFlow
from shared.composition.tenancy import TenancyFlow

if TYPE_CHECKING:
    from shared.notices import Contacts, Deliverer, Notices
    from shared.notices.channels.mail import MailChannel
    from shared.notices.channels.webhook import WebhookChannel


class NoticesFlow(Flow):
    """The services of notices."""

    @cached_property
    def contacts(self) -> "Contacts":
        """The contacts of every tenant, and of the stamp."""
        from shared.notices import Contacts

        return Contacts(
            self._adapters.tables,
            self._flow(MessagesFlow).outbox,
            self._flow(TenancyFlow).tenants,
            self._adapters.data_keys,
            self.clock,
        )

    @cached_property
    def notices(self) -> "Notices":
        """The notices of every tenant, and of the stamp."""
        from shared.notices import Notices

        return Notices(
            self._adapters.tables,
            self._flow(MessagesFlow).outbox,
            self.contacts,
            self._flow(IncidentsFlow).incidents,
            self.clock,
        )

    @cached_property
    def mail(self) -> "MailChannel":
        """The channel of e-mail."""
        from shared.notices.channels.mail import MailChannel, MailServer

        settings = self._settings
        host, _, port = settings.MAIL_SERVER.rpartition(":")
        server = MailServer(
            host,
            int(port),
            settings.MAIL_SENDER,
            needs_tls=settings.MAIL_TLS == "starttls",
            username=settings.MAIL_USERNAME,
        )
        return MailChannel(server, self._adapters.secrets)

    @cached_property
    def webhook(self) -> "WebhookChannel":
        """The channel of webhooks."""
        from shared.notices.channels.webhook import WebhookChannel

        return WebhookChannel(self.webhook_loopback)

    @property
    def webhook_loopback(self) -> str:
        """The host and port of the local stack's receiver, or nothing."""
        return self._settings.WEBHOOK_LOOPBACK

    @cached_property
    def deliverer(self) -> "Deliverer":
        """The delivery of notices."""
        from shared.notices import Deliverer

        return Deliverer(
            self._adapters.tables,
            self._flow(MessagesFlow).outbox,
            self.contacts,
            {"mail": self.mail, "webhook": self.webhook},
            self._flow(IncidentsFlow).incidents,
            self.clock,
            self._adapters.bus,
            f"https://{self._settings.LOG_ORIGIN}",
        )
