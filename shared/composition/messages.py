"""Messages: the outbox, and the access log behind the outbox."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.composition.core import Flow

if TYPE_CHECKING:
    from shared.accesslog import AccessLog, LogStore
    from shared.accesslog.storage.event_secret import EventSecret
    from shared.messages import Outbox


class MessagesFlow(Flow):
    """The services that carry messages and log entries away from a commit."""

    @cached_property
    def log_store(self) -> "LogStore":
        """The access log in Table Storage."""
        from shared.accesslog import LogStore

        return LogStore(self._adapters.tables, self.event_secret)

    @cached_property
    def event_secret(self) -> "EventSecret":
        """The HMAC keys of the events' rows in the access log."""
        from shared.accesslog.storage.event_secret import EventSecret

        return EventSecret(self._adapters.secrets)

    @cached_property
    def log(self) -> "AccessLog":
        """The door to the access log."""
        from shared.accesslog import AccessLog

        return AccessLog(self.log_store, self.clock)

    @cached_property
    def outbox(self) -> "Outbox":
        """The outbox."""
        from shared.messages import Outbox

        return Outbox(self._adapters.tables, self._adapters.bus, self.log, self.clock)

    async def tidy_parked(self) -> None:
        """Delete the whole messages of `parked` whose time is over."""
        from shared.messages.parked_blobs import tidy_parked

        await tidy_parked(self._adapters.blobs, self.clock)
