"""A link a client receives on: peek-lock or receive-and-delete, with or without a session."""

import asyncio
import time
from typing import TYPE_CHECKING

from proton import Delivery, Link, Sender, symbol

from infra.local.servicebus.delivery import encoded, property_change
from infra.local.servicebus.endpoint import Endpoint, error
from infra.local.servicebus.messages import RefusedError, Session
from infra.local.servicebus.wire import Content

if TYPE_CHECKING:
    from infra.local.servicebus.connection import AmqpConnection
    from infra.local.servicebus.entity import Entity

SESSION_FILTER = symbol("com.microsoft:session-filter")
_LOCKED_UNTIL = symbol("com.microsoft:locked-until-utc")
_REASON, _DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"
# .NET ticks (100 ns) from year 1 to 1970: how the service writes the session's lock end.
_EPOCH_TICKS = 621_355_968_000_000_000


class OutgoingLink(Endpoint):
    """Delivers messages of one entity as far as the client gave credit, and settles them."""

    def __init__(self, link: Sender, connection: "AmqpConnection", entity: "Entity") -> None:
        super().__init__(link, connection)
        self.session_id: str | None = None
        self.in_line = False
        self._sender = link
        self._entity = entity
        self._removes = link.remote_snd_settle_mode == Link.SND_SETTLED
        self._patience: asyncio.TimerHandle | None = None

    @property
    def credit(self) -> int:
        """How many messages the client still asks for; none on a link that is not open."""
        return self._sender.credit if self.is_open else 0

    # -- opening and closing ---------------------------------------------------------------------

    def open(self) -> None:
        """Answer the attach of a receiver without a session."""
        self._sender.snd_settle_mode = self._sender.remote_snd_settle_mode
        self._sender.rcv_settle_mode = self._sender.remote_rcv_settle_mode
        self.answer()

    def open_when_available(self, patience: float) -> None:
        """Answer the attach once a session is available, or refuse it after `patience` seconds."""
        self._patience = asyncio.get_running_loop().call_later(patience, self._give_up)
        self._entity.await_session(self)

    def open_session(self, session_id: str) -> None:
        """Answer the attach with this session. Raises `SessionCannotBeLockedError`."""
        session = self._entity.queue.sessions.accept(session_id, self, time.time())
        if session is not None:
            self.grant(session)

    def grant(self, session: Session[Content]) -> None:
        """Answer the attach with a session that the model has locked for this link."""
        if self._patience is not None:
            self._patience.cancel()
        self.session_id = session.id
        self._entity.hold(session, self)
        ticks = _EPOCH_TICKS + round(session.locked_until * 1000) * 10_000
        self._sender.properties = {_LOCKED_UNTIL: ticks}
        self.session_filter = {SESSION_FILTER: session.id}
        self.open()
        self.connection.wrote()

    def lose_session(self) -> None:
        """Detach: the session's lock ran out ("Message sessions", session lock expiry)."""
        self.session_id = None
        self.close("com.microsoft:session-lock-lost", "The session lock has expired.")
        self._entity.forget(self)

    def closed(self) -> None:
        """Stop delivering. Messages locked on a plain link stay locked until their lock ends."""
        if self._patience is not None:
            self._patience.cancel()
        self._entity.forget(self)

    def _give_up(self) -> None:
        self._entity.forget(self)
        self.refuse(
            "com.microsoft:timeout",
            "The operation did not complete within the allotted timeout: no session is available.",
        )
        self.connection.broker.flush()

    # -- delivering ------------------------------------------------------------------------------

    def on_flow(self) -> None:
        """Take note of credit and of drain requests."""
        if self.credit > 0:
            self._entity.wait(self)
        if self._sender.drain_mode:
            self._entity.drain(self)

    def deliver_next(self, now: float) -> bool:
        """Send the next message, if there is one."""
        queue = self._entity.queue
        message = (queue.take if self._removes else queue.receive)(now, self.session_id)
        if message is None:
            return False
        delivery = self._sender.delivery(message.token or f"{message.sequence:016x}")
        self._sender.send(encoded(message))
        self._sender.advance()
        if self._removes:
            delivery.settle()
        self.connection.wrote()
        return True

    def finish_drain(self) -> None:
        """Hand back the credit that could not be used (AMQP 1.0 part 2, 2.6.7)."""
        if self.is_open and self._sender.drain_mode:
            self._sender.drained()
            self.connection.wrote()

    # -- settling --------------------------------------------------------------------------------

    def on_delivery(self, delivery: Delivery) -> None:
        """Apply the client's outcome, then confirm it by the same outcome.

        The SDK waits for that echo; a refusal is a rejection that carries a condition.
        """
        if not delivery.updated:
            return
        if not delivery.remote_state:
            if delivery.settled:
                delivery.settle()
            return
        try:
            self._apply(delivery)
        except RefusedError as refusal:
            delivery.local.condition = error(refusal.condition, str(refusal))
            outcome = Delivery.REJECTED
        else:
            outcome = delivery.remote_state
            if outcome == Delivery.MODIFIED:
                delivery.local.failed = delivery.remote.failed
                delivery.local.undeliverable = delivery.remote.undeliverable
        if not delivery.settled:
            delivery.update(outcome)
        delivery.settle()
        self._entity.touch()

    def _apply(self, delivery: Delivery) -> None:
        queue, token, now = self._entity.queue, delivery.tag, time.time()
        match delivery.remote_state:
            case Delivery.ACCEPTED:
                queue.complete(token, now)
            case Delivery.RELEASED:
                queue.release(token, now)
            case Delivery.MODIFIED:
                change = property_change(delivery.remote.annotations)
                settle = queue.defer if delivery.remote.undeliverable else queue.abandon
                settle(token, now, change)
            case Delivery.REJECTED:
                condition = delivery.remote.condition
                info = dict((condition.info if condition else None) or {})
                reason, description = info.pop(_REASON, None), info.pop(_DESCRIPTION, None)
                queue.dead_letter(
                    token, now, str(reason or ""), str(description or ""), property_change(info)
                )
            case other:
                raise RefusedError(f"The outcome {other} is not supported.")
