"""Webhooks, signed as Standard Webhooks say."""

from shared.notices.channels.webhook.transport import WebhookChannel

__all__ = ["WebhookChannel"]
