"""One client's connection and its upstream connection to Azurite; requests fail by rule.

Memory holds one chunk of a body at a time. A slow reader slows the sender.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11

from infra.local.faults.error_responses import error_response
from infra.local.faults.rules import Rule, Rules, StorageService
from infra.local.ports import LOOPBACK

_CHUNK = 64 * 1024
# The limit of a request's or response's head: many times the signatures and metadata (8 KiB).
_HEAD = 128 * 1024


class _CutError(Exception):
    """The connection ends here, by rule or because a peer has gone."""


@dataclass
class _HttpConnection:
    """One connection: its streams, and its HTTP/1.1 state."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection

    def __post_init__(self) -> None:
        # `drain` waits until every byte is sent: memory stays flat, and bytes sent before a cut
        # arrive.
        self.writer.transport.set_write_buffer_limits(high=0)

    async def next_event(self) -> h11.Event:
        """Return the next event, without interim responses (100 Continue), which end here."""
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                self.http.receive_data(await self.reader.read(_CHUNK))
            elif not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
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
    """Serves one client of one storage service; `port` is Azurite's."""

    def __init__(self, service: StorageService, port: int, rules: Rules) -> None:
        self._service = service
        self._port = port
        self._rules = rules
        self._upstream: _HttpConnection | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay requests until the client, Azurite or a rule ends the connection."""
        client = _HttpConnection(reader, writer, h11.Connection(h11.SERVER, _HEAD))
        try:
            # The client sees the service close the connection.
            with contextlib.suppress(_CutError, ConnectionError, h11.ProtocolError):
                while True:
                    await self._exchange(client)
                    if not client.reusable:
                        break
                    client.http.start_next_cycle()
        finally:
            self._close_upstream()
            writer.close()

    async def _exchange(self, client: _HttpConnection) -> None:
        request = await self._next_request(client)
        target = request.target.decode("ascii", "replace")
        rule = self._rules.choose(self._service, request.method.decode(), target)
        if rule is not None and rule.delay:
            await asyncio.sleep(rule.delay)
        if rule is not None and rule.cut == "request":
            raise _CutError
        if client.http.they_are_waiting_for_100_continue:
            await client.send(h11.InformationalResponse(status_code=100, headers=[]))
        if rule is not None and rule.status is not None:
            await self._send_error(client, request, rule)
        else:
            upstream = await self._forward(client, request)
            await self._relay_response(client, upstream, rule)

    async def _next_request(self, client: _HttpConnection) -> h11.Request:
        """Wait for a request; end the connection when Azurite closes an idle connection first."""
        if self._upstream is None:
            request = await client.next_event()
        else:
            coming = asyncio.create_task(client.next_event())
            # Azurite sends nothing unasked: the read ends only with the connection.
            ended = asyncio.create_task(self._upstream.reader.read(1))
            try:
                await asyncio.wait({coming, ended}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    raise _CutError
                request = coming.result()
                if ended.done():
                    self._close_upstream()
            finally:
                coming.cancel()
                ended.cancel()
                await asyncio.gather(coming, ended, return_exceptions=True)
        if not isinstance(request, h11.Request):
            raise _CutError
        return request

    async def _send_error(self, client: _HttpConnection, request: h11.Request, rule: Rule) -> None:
        # Read the whole request first: a client that is still sending would miss the response.
        async for _ in client.body():
            pass
        accept = b",".join(value for name, value in request.headers if name == b"accept")
        head, body = error_response(rule, self._service, accept.decode("ascii", "replace"))
        await client.send(head)
        if request.method != b"HEAD":
            await client.send(h11.Data(data=body))
        await client.send(h11.EndOfMessage())

    async def _forward(self, client: _HttpConnection, request: h11.Request) -> _HttpConnection:
        if self._upstream is None:
            streams = await asyncio.open_connection(LOOPBACK, self._port)
            self._upstream = _HttpConnection(*streams, h11.Connection(h11.CLIENT, _HEAD))
        upstream = self._upstream
        headers = [pair for pair in request.headers.raw_items() if pair[0].lower() != b"expect"]
        await upstream.send(
            h11.Request(method=request.method, target=request.target, headers=headers)
        )
        async for chunk in client.body():
            await upstream.send(chunk)
        await upstream.send(h11.EndOfMessage())
        return upstream

    async def _relay_response(
        self, client: _HttpConnection, upstream: _HttpConnection, rule: Rule | None
    ) -> None:
        cut = None if rule is None else rule.cut
        head = await upstream.next_event()
        if not isinstance(head, h11.Response):
            raise _CutError
        if cut == "answer":
            async for _ in upstream.body():
                pass
            raise _CutError
        await client.send(
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
        async for chunk in upstream.body():
            if left is not None and len(chunk.data) >= left:
                await client.send(h11.Data(data=chunk.data[:left]))
                raise _CutError
            await client.send(chunk)
            if left is not None:
                left -= len(chunk.data)
            elif cut == "body":
                raise _CutError
        if cut == "body":
            raise _CutError  # The response had no body to cut.
        await client.send(h11.EndOfMessage())
        if upstream.reusable:
            upstream.http.start_next_cycle()
        else:
            self._close_upstream()

    def _close_upstream(self) -> None:
        if self._upstream is not None:
            self._upstream.writer.close()
            self._upstream = None
