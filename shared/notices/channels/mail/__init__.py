"""E-mail over SMTP."""

from shared.notices.channels.mail.transport import MailChannel, MailServer

__all__ = ["MailChannel", "MailServer"]
