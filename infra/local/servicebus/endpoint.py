"""Link endpoints: the broker's end of a link answers the attach, refuses the attach, or closes."""

from collections.abc import Iterable
from typing import Protocol

from proton import Condition, Delivery, Endpoint, Receiver, Sender, Terminus, symbol

from infra.local.servicebus.errors import AmqpError


class ClientConnection(Protocol):
    """A client's connection as its link endpoints see the connection."""

    @property
    def endpoints(self) -> Iterable["LinkEndpoint"]:
        """The link endpoints of the connection."""

    def write_soon(self) -> None:
        """Note that proton has output for the client."""

    def authorize(self, audience: str) -> None:
        """Let the connection use the entities of a valid token's audience."""

    def is_authorized(self, path: str) -> bool:
        """Tell whether the client put a token for this entity path or for a parent path."""

    def next_message_format(self, link_name: str) -> int:
        """The message format of the link's next delivery."""


def condition_of(error: AmqpError) -> Condition:
    """The error as proton sends the error.

    The third field is always present, because pyamqp reads the field unconditionally.
    """
    return Condition(error.condition, str(error), {symbol("com.microsoft:source"): "local broker"})


class LinkEndpoint:
    """The broker's end of one link; the connection hands over proton's events of the link."""

    def __init__(self, link: Sender | Receiver, connection: ClientConnection) -> None:
        self.link = link
        self.connection = connection
        self.session_filter: dict[str, str] | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether the link is attached at both ends."""
        both: int = Endpoint.LOCAL_ACTIVE | Endpoint.REMOTE_ACTIVE
        return self.link.state & both == both

    def answer(self) -> None:
        """Attach with the source, target and settlement modes that the client asked for."""
        self.link.snd_settle_mode = self.link.remote_snd_settle_mode
        self.link.rcv_settle_mode = self.link.remote_rcv_settle_mode
        self.link.source.copy(self.link.remote_source)
        self.link.target.copy(self.link.remote_target)
        if self.session_filter is not None:
            self.link.source.filter.clear()
            self.link.source.filter.put_object(self.session_filter)
        self.link.open()

    def refuse(self, error: AmqpError) -> None:
        """Attach without source and target, then close (AMQP 1.0 part 2, section 2.6.3)."""
        self.link.source.type = Terminus.UNSPECIFIED
        self.link.target.type = Terminus.UNSPECIFIED
        self.link.open()
        self.close(error)

    def close(self, error: AmqpError) -> None:
        """Close an open link with an error."""
        self.link.condition = condition_of(error)
        self.link.close()
        self.connection.write_soon()

    def on_flow(self) -> None:
        """Handle a change of credit or drain; most links ignore the change."""

    def on_delivery(self, delivery: Delivery) -> None:
        """Handle a new delivery, or a new state of a delivery."""

    def on_close(self) -> None:
        """Clean up after the client closed the link, its session or its connection."""
