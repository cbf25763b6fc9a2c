"""What all links have in common: answering an attach, refusing it, closing."""

from typing import TYPE_CHECKING

from proton import Condition, Delivery, Link, Terminus, symbol
from proton import Endpoint as ProtonEndpoint

if TYPE_CHECKING:
    from infra.local.servicebus.connection import AmqpConnection


def error(condition: str, description: str) -> Condition:
    """An AMQP error; never without its third field, which pyamqp reads unconditionally."""
    return Condition(condition, description, {symbol("com.microsoft:source"): "local broker"})


class Endpoint:
    """The broker's end of one link; proton events of the link end up here."""

    def __init__(self, link: Link, connection: "AmqpConnection") -> None:
        self.link = link
        self.connection = connection
        self.session_filter: dict[str, str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether both ends consider the link attached."""
        both = ProtonEndpoint.LOCAL_ACTIVE | ProtonEndpoint.REMOTE_ACTIVE
        return self.link.state & both == both

    def answer(self) -> None:
        """Attach with the source and target the client asked for."""
        self.link.source.copy(self.link.remote_source)
        self.link.target.copy(self.link.remote_target)
        if self.session_filter is not None:
            self.link.source.filter.clear()
            self.link.source.filter.put_object(self.session_filter)
        self.link.open()

    def refuse(self, condition: str, description: str) -> None:
        """Attach without source and target, then close with the reason (AMQP 1.0 part 2, 2.6.3)."""
        self.link.source.type = Terminus.UNSPECIFIED
        self.link.target.type = Terminus.UNSPECIFIED
        self.link.open()
        self.close(condition, description)

    def close(self, condition: str, description: str) -> None:
        """Close an open link with the reason."""
        self.link.condition = error(condition, description)
        self.link.close()
        self.connection.wrote()

    def on_flow(self) -> None:
        """Credit or drain changed; most links do not care."""

    def on_delivery(self, delivery: Delivery) -> None:
        """A delivery arrived or was updated."""

    def closed(self) -> None:
        """The client closed the link, its session or its connection."""
