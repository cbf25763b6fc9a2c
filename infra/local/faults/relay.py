"""One client's connection and the one to Azurite that goes with it, failed by rule on the way.

Nothing is held but one piece of a body at a time, and a side that reads slowly slows the other.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11

from infra.local.faults.answers import answer
from infra.local.faults.rules import Rule, Rules, Service
from infra.local.ports import LOOPBACK

_PIECE = 64 * 1024
# Of one request's or answer's head; signatures and metadata (8 KiB) fit many times.
_HEAD = 128 * 1024


class _CutError(Exception):
    """The connection is to end here, by rule or because the other side has gone."""


@dataclass
class _Side:
    """One connection: its streams, and its state of HTTP/1.1."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection

    def __post_init__(self) -> None:
        # So that `drain` waits until all is sent: memory stays flat, and what was sent before a
        # cut is what arrives.
        self.writer.transport.set_write_buffer_limits(high=0)

    async def next_event(self) -> h11.Event:
        """The next event, not counting interim answers (100 Continue), which end here."""
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                self.http.receive_data(await self.reader.read(_PIECE))
            elif isinstance(event, h11.ConnectionClosed):
                raise _CutError
            elif not isinstance(event, h11.InformationalResponse):
                return event

    async def send(self, event: h11.Event) -> None:
        data = self.http.send(event)
        if data:
            self.writer.write(data)
            await self.writer.drain()

    async def body(self) -> AsyncIterator[h11.Data]:
        while isinstance(event := await self.next_event(), h11.Data):
            yield event

    @property
    def reusable(self) -> bool:
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE


class Relay:
    """Serves one client of one service; `port` is Azurite's."""

    def __init__(self, service: Service, port: int, rules: Rules) -> None:
        self._service = service
        self._port = port
        self._rules = rules
        self._far: _Side | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay request after request until either side ends, or a rule does."""
        near = _Side(reader, writer, h11.Connection(h11.SERVER, _HEAD))
        try:
            # To the client, the service has hung up.
            with contextlib.suppress(_CutError, ConnectionError, h11.ProtocolError):
                while True:
                    await self._exchange(near)
                    if not near.reusable:
                        break
                    near.http.start_next_cycle()
        finally:
            self._hang_up()
            writer.close()

    async def _exchange(self, near: _Side) -> None:
        request = await self._next_request(near)
        target = request.target.decode("ascii", "replace")
        rule = self._rules.choose(self._service, request.method.decode(), target)
        if rule is not None and rule.delay:
            await asyncio.sleep(rule.delay)
        if rule is not None and rule.cut == "request":
            raise _CutError
        if near.http.they_are_waiting_for_100_continue:
            await near.send(h11.InformationalResponse(status_code=100, headers=[]))
        if rule is not None and rule.status is not None:
            await self._answer(near, request, rule)
        else:
            far = await self._forward(near, request)
            await self._give_back(near, far, rule)

    async def _next_request(self, near: _Side) -> h11.Request:
        """Wait for a request; end with Azurite when that hangs up first, as it does when idle."""
        if self._far is None:
            request = await near.next_event()
        else:
            coming = asyncio.create_task(near.next_event())
            # It sends nothing of its own accord: this reads only the end.
            ended = asyncio.create_task(self._far.reader.read(1))
            try:
                await asyncio.wait({coming, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    raise _CutError
                request = coming.result()
                if ended.done():
                    self._hang_up()
            finally:
                coming.cancel()
                ended.cancel()
                await asyncio.gather(coming, ended, return_exceptions=True)
        if not isinstance(request, h11.Request):
            raise _CutError
        return request

    async def _answer(self, near: _Side, request: h11.Request, rule: Rule) -> None:
        # All of the request first: a client that is still sending would not see the answer.
        async for _ in near.body():
            pass
        accept = b",".join(value for name, value in request.headers if name == b"accept")
        head, body = answer(rule, self._service, accept.decode("ascii", "replace"))
        await near.send(head)
        if request.method != b"HEAD":
            await near.send(h11.Data(data=body))
        await near.send(h11.EndOfMessage())

    async def _forward(self, near: _Side, request: h11.Request) -> _Side:
        if self._far is None:
            streams = await asyncio.open_connection(LOOPBACK, self._port)
            self._far = _Side(*streams, h11.Connection(h11.CLIENT, _HEAD))
        far = self._far
        headers = [pair for pair in request.headers.raw_items() if pair[0].lower() != b"expect"]
        await far.send(h11.Request(method=request.method, target=request.target, headers=headers))
        async for piece in near.body():
            await far.send(piece)
        await far.send(h11.EndOfMessage())
        return far

    async def _give_back(self, near: _Side, far: _Side, rule: Rule | None) -> None:
        cut = None if rule is None else rule.cut
        head = await far.next_event()
        if not isinstance(head, h11.Response):
            raise _CutError
        if cut == "answer":
            async for _ in far.body():
                pass
            raise _CutError
        await near.send(
            h11.Response(
                status_code=head.status_code,
                reason=head.reason,
                headers=list(head.headers.raw_items()),
            )
        )
        if cut == "headers":
            raise _CutError
        length = dict(head.headers).get(b"content-length")
        left = None if length is None or cut != "body" else int(length) // 2
        async for piece in far.body():
            if left is not None and len(piece.data) >= left:
                await near.send(h11.Data(data=piece.data[:left]))
                raise _CutError
            await near.send(piece)
            if left is not None:
                left -= len(piece.data)
            elif cut == "body":
                raise _CutError
        if cut == "body":
            raise _CutError  # There was no body to cut.
        await near.send(h11.EndOfMessage())
        if far.reusable:
            far.http.start_next_cycle()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._far is not None:
            self._far.writer.close()
            self._far = None
