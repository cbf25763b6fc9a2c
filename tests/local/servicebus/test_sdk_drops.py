"""Broken connections, many senders at once, and clients that send malformed bytes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from infra.local.servicebus.sas import connection_string
from tests.local.servicebus.sdk import WAIT, receive_one, send

NewQueue = Callable[[str], str]


class Line:
    """A TCP relay to the broker; a test cuts the connections as a crash or a network would."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Return the connection string of the broker behind the relay."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return connection_string(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Break every connection without a word of AMQP."""
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connect(self, near_in: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        far_in, far = await asyncio.open_connection("127.0.0.1", self._port)
        self._open += [near, far]
        for source, target in ((near_in, far), (far_in, near)):
            pump = asyncio.create_task(self._pump(source, target))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    @staticmethod
    async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except ConnectionError:
            target.transport.abort()
        else:
            target.close()


def port_of(broker: str) -> int:
    return int(broker.partition("127.0.0.1:")[2].partition(";")[0])


@pytest.fixture
async def line(broker: str) -> AsyncIterator[Line]:
    made = Line(port_of(broker))
    yield made
    await made.stop()


@pytest.fixture
async def distant(line: Line) -> AsyncIterator[ServiceBusClient]:
    """Open a client behind the relay; the client retries after a cut."""
    text = await line.start()
    async with ServiceBusClient.from_connection_string(text, retry_backoff_factor=0.1) as client:
        yield client


async def test_a_lock_outlives_the_connection_it_was_given_on(
    client: ServiceBusClient, distant: ServiceBusClient, line: Line, new_queue: NewQueue
) -> None:
    """The SDK reconnects and settles by lock token; meanwhile no receiver gets the message."""
    queue = new_queue("plain")
    await send(client, queue, *(ServiceBusMessage(body) for body in "abcd"))
    async with distant.get_queue_receiver(queue) as receiver:
        held = [await receive_one(receiver) for _ in range(4)]
        line.cut()
        async with client.get_queue_receiver(queue) as other:
            assert await other.receive_messages(1, max_wait_time=0.5) == []
        await receiver.complete_message(held[0])
        await receiver.dead_letter_message(held[1], reason="why")
        await receiver.defer_message(held[2])
        await receiver.abandon_message(held[3])
        again = await receive_one(receiver)
        assert (str(again), again.delivery_count) == ("d", 1)
        peeked = await receiver.peek_messages(9, sequence_number=1)
        assert [str(message) for message in peeked] == ["c", "d"]
    async with client.get_queue_receiver(queue, sub_queue="deadletter") as dead:
        (message,) = await dead.peek_messages(9)
        assert (str(message), message.dead_letter_reason) == ("b", "why")


async def test_a_lock_whose_holder_is_gone_expires(
    client: ServiceBusClient, distant: ServiceBusClient, line: Line, new_queue: NewQueue
) -> None:
    queue = new_queue("brief")
    await send(client, queue, ServiceBusMessage("x"))
    receiver = distant.get_queue_receiver(queue)
    await receive_one(receiver)
    line.cut()
    async with client.get_queue_receiver(queue) as other:
        again = await receive_one(other)
        assert (str(again), again.delivery_count) == ("x", 1)
        await other.complete_message(again)


async def test_a_session_is_free_once_its_holders_connection_is_cut(
    client: ServiceBusClient, distant: ServiceBusClient, line: Line, new_queue: NewQueue
) -> None:
    queue = new_queue("session")
    await send(client, queue, ServiceBusMessage("x", session_id="s"))
    receiver = distant.get_queue_receiver(queue, session_id="s")
    await receive_one(receiver)
    line.cut()
    async with client.get_queue_receiver(queue, session_id=NEXT_AVAILABLE_SESSION) as other:
        assert other.session.session_id == "s"
        again = await receive_one(other)
        assert (str(again), again.delivery_count) == ("x", 0)


async def test_a_sender_goes_on_after_its_connection_is_cut(
    client: ServiceBusClient, distant: ServiceBusClient, line: Line, new_queue: NewQueue
) -> None:
    queue = new_queue("plain")
    async with distant.get_queue_sender(queue) as sender:
        await sender.send_messages(ServiceBusMessage("a"))
        line.cut()
        await sender.send_messages(ServiceBusMessage("b"))
    async with client.get_queue_receiver(queue) as receiver:
        assert [str(message) for message in await receiver.peek_messages(9)] == ["a", "b"]


async def test_many_senders_at_once_lose_and_mix_nothing(
    client: ServiceBusClient, new_queue: NewQueue
) -> None:
    queue, senders, each = new_queue("plain"), 16, 25
    await asyncio.gather(
        *(
            send(client, queue, *(ServiceBusMessage(f"{sender} {n}") for n in range(each)))
            for sender in range(senders)
        )
    )
    bodies = []
    async with client.get_queue_receiver(queue, receive_mode="receiveanddelete") as receiver:
        # One message at a time: a credit of 1 each time, and the order of arrival.
        while len(bodies) < senders * each:
            bodies.append(str(await receive_one(receiver)).split())
    for sender in range(senders):
        assert [n for who, n in bodies if who == str(sender)] == [str(n) for n in range(each)]


NONSENSE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"AMQP\x00\x00\x09\x01",
    b"AMQP\x00\x01\x00\x00" + b"\xff" * 64,
    b"AMQP\x00\x01\x00\x00" + b"\x00\x00\x00\x0c\x02\x00\x00\x00\x00\x53\x14\xc0",
    b"\x00" * 16,
    # A ClientHello, as from a client without UseDevelopmentEmulator=true.
    b"\x16\x03\x01\x00\x40" + b"\x00" * 64,
]


async def test_nonsense_ends_its_own_connection_only(
    broker: str, client: ServiceBusClient, new_queue: NewQueue
) -> None:
    queue = new_queue("plain")
    async with client.get_queue_sender(queue) as sender:
        for nonsense in NONSENSE:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(broker))
            writer.write(nonsense)
            async with asyncio.timeout(WAIT):
                # The broker closes or resets the connection.
                with contextlib.suppress(ConnectionResetError):
                    await reader.read()
            writer.close()
            await sender.send_messages(ServiceBusMessage("x"))
