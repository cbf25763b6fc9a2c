"""The web server's socket."""

import asyncio
import socket

from infra.local.host.server import LOOPBACK, listen


async def test_an_answer_is_sent_at_once() -> None:
    accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    bound = listen(0)
    async with await asyncio.start_server(answer, sock=bound):
        _, writer = await asyncio.open_connection(LOOPBACK, bound.getsockname()[1])
        # Nagle's algorithm would hold the second part of an answer back for 40 ms.
        assert await accepted
        writer.close()
        await writer.wait_closed()
