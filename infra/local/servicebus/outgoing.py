"""Outgoing links: a client receives from a queue, by peek-lock or receive-and-delete.

A link receives from one session of a queue that requires sessions.
"""

import asyncio
import time

from proton import Delivery, Link, Sender, symbol

from infra.local.servicebus.endpoint import ClientConnection, LinkEndpoint, condition_of
from infra.local.servicebus.entity import Entity
from infra.local.servicebus.errors import AmqpError, OperationRefusedError, SessionLockLostError
from infra.local.servicebus.message_format import AnnotatedMessage, encode_queued
from infra.local.servicebus.messages import MessageSession
from infra.local.servicebus.settlement import settle_delivery

SESSION_FILTER = symbol("com.microsoft:session-filter")
_LOCKED_UNTIL = symbol("com.microsoft:locked-until-utc")
# .NET ticks (100 ns) from year 1 to 1970: the service sends the session's lock end in ticks.
_EPOCH_TICKS = 621_355_968_000_000_000


class QueueSourceLink(LinkEndpoint):
    """An outgoing link with a queue as its source: delivers within the client's credit."""

    def __init__(self, link: Sender, connection: ClientConnection, entity: Entity) -> None:
        super().__init__(link, connection)
        self.session_id: str | None = None
        self.is_waiting = False
        self._sender = link
        self._entity = entity
        self._deletes = link.remote_snd_settle_mode == Link.SND_SETTLED
        self._timeout: asyncio.TimerHandle | None = None

    @property
    def credit(self) -> int:
        """Count the messages that the client still asks for; 0 on a link that is not open."""
        return self._sender.credit if self.is_open else 0

    # -- opening and closing ---------------------------------------------------------------------

    def open(self) -> None:
        """Answer the attach of a receiver without a session."""
        self.answer()

    def open_when_available(self, timeout: float) -> None:
        """Answer the attach with the next available session, or refuse after `timeout` seconds."""
        self._timeout = asyncio.get_running_loop().call_later(timeout, self._time_out)
        self._entity.await_session(self)

    def open_session(self, session_id: str) -> None:
        """Answer the attach with this session. Raises `SessionCannotBeLockedError`."""
        session = self._entity.queue.sessions.accept(session_id, self, time.time())
        if session is not None:
            self.grant(session)

    def grant(self, session: MessageSession[AnnotatedMessage]) -> None:
        """Answer the attach with a session that the queue has locked for this link."""
        if self._timeout is not None:
            self._timeout.cancel()
        self.session_id = session.id
        self._entity.hold(session, self)
        ticks = _EPOCH_TICKS + round(session.locked_until * 1000) * 10_000
        self._sender.properties = {_LOCKED_UNTIL: ticks}
        self.session_filter = {SESSION_FILTER: session.id}
        self.open()
        self.connection.write_soon()

    def lose_session(self) -> None:
        """Detach, because the session lock expired ("Message sessions", session lock expiry)."""
        self.session_id = None
        self.close(SessionLockLostError("The session lock has expired."))
        self._entity.forget(self)

    def on_close(self) -> None:
        """Stop delivering. A message locked without a session stays locked until its lock ends."""
        if self._timeout is not None:
            self._timeout.cancel()
        self._entity.forget(self)

    def _time_out(self) -> None:
        self._entity.forget(self)
        self.refuse(
            AmqpError(
                "com.microsoft:timeout",
                "The operation did not complete within the allotted timeout: no session is "
                "available.",
            )
        )
        self._entity.turn.finish()

    # -- delivering ------------------------------------------------------------------------------

    def on_flow(self) -> None:
        """Handle new credit and a drain request."""
        if self.credit > 0:
            self._entity.wait(self)
        if self._sender.drain_mode:
            self._entity.drain(self)

    def deliver_next(self, now: float) -> bool:
        """Send the next message; False when no message is ready."""
        queue = self._entity.queue
        receive = queue.receive_and_delete if self._deletes else queue.receive
        message = receive(now, self.session_id)
        if message is None:
            return False
        delivery = self._sender.delivery(message.token or f"{message.sequence:016x}")
        self._sender.send(encode_queued(message))
        self._sender.advance()
        if self._deletes:
            delivery.settle()
        self.connection.write_soon()
        return True

    def finish_drain(self) -> None:
        """Hand back unused credit (AMQP 1.0 part 2, section 2.6.7)."""
        if self.is_open and self._sender.drain_mode:
            self._sender.drained()
            self.connection.write_soon()

    # -- settling --------------------------------------------------------------------------------

    def on_delivery(self, delivery: Delivery) -> None:
        """Carry out the client's outcome, then settle with the same outcome.

        The SDK waits for the echo. The broker refuses an outcome with `rejected` and a condition.
        """
        if not delivery.updated:
            return
        if not delivery.remote_state:
            if delivery.settled:
                delivery.settle()
            return
        outcome: int = delivery.remote_state
        try:
            settle_delivery(self._entity.queue, delivery, time.time())
        except OperationRefusedError as refusal:
            delivery.local.condition = condition_of(refusal)
            outcome = Delivery.REJECTED
        else:
            if outcome == Delivery.MODIFIED:
                delivery.local.failed = delivery.remote.failed
                delivery.local.undeliverable = delivery.remote.undeliverable
        if not delivery.settled:
            delivery.update(outcome)
        delivery.settle()
        self._entity.serve_soon()
