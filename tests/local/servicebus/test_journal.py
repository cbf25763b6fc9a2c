"""The journal file keeps messages through a restart, and through SIGKILL under traffic."""

import asyncio
import json
import signal
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusError

from infra.local.servicebus.sas import connection_string
from tests.local.servicebus.conftest import config, ready_port, start, stop
from tests.local.servicebus.sdk import WAIT, receive_one

QUEUES: list[dict[str, object]] = [
    {"Name": "plain", "Properties": {"RequiresDuplicateDetection": True}},
    {"Name": "session", "Properties": {"RequiresSession": True}},
]


class Restartable:
    """A broker with a journal file, to stop or kill and start again."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "Config.json"
        self._config.write_text(json.dumps(config(QUEUES)), encoding="utf-8")
        self.store = folder / "deep/messages.db"
        self.begin()

    def begin(self) -> None:
        self.process = start("--port", "0", *self.arguments)
        self.connection = connection_string(ready_port(self.process))

    @property
    def arguments(self) -> list[str]:
        return ["--config", str(self._config), "--store", str(self.store)]

    def client(self) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(self.connection, retry_total=0)

    def restart(self) -> None:
        assert stop(self.process) == 0
        self.begin()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Restartable]:
    broker = Restartable(tmp_path)
    try:
        yield broker
    finally:
        broker.kill()


async def test_everything_is_there_again_after_a_restart(broker):
    """ "Service Bus messaging: durable messaging": an accepted message is kept."""
    later = datetime.now(UTC) + timedelta(hours=1)
    async with (
        broker.client() as client,
        client.get_queue_sender("plain") as sender,
        client.get_queue_receiver("plain") as receiver,
    ):
        for name in ("done", "deferred", "dead", "tried", "ready"):
            await sender.send_messages(
                ServiceBusMessage(name, message_id=name, application_properties={"n": name})
            )
        (scheduled,) = await sender.schedule_messages(ServiceBusMessage("scheduled"), later)
        await receiver.complete_message(await receive_one(receiver))
        deferred = await receive_one(receiver)
        await receiver.defer_message(deferred)
        await receiver.dead_letter_message(
            await receive_one(receiver), reason="why", error_description="because"
        )
        await receiver.abandon_message(await receive_one(receiver))
        session = client.get_queue_receiver("session", session_id="s")
        async with client.get_queue_sender("session") as other, session:
            await other.send_messages(ServiceBusMessage("of s", session_id="s"))
            await session.session.set_state(b"state of s")
    broker.restart()
    async with (
        broker.client() as client,
        client.get_queue_sender("plain") as sender,
        client.get_queue_receiver("plain") as receiver,
    ):
        # The id of a completed message still counts for duplicate detection.
        await sender.send_messages(ServiceBusMessage("again", message_id="done"))
        peeked = [(str(each), each.state.name) for each in await receiver.peek_messages(9)]
        assert peeked == [
            ("deferred", "DEFERRED"),
            ("tried", "ACTIVE"),
            ("ready", "ACTIVE"),
            ("scheduled", "SCHEDULED"),
        ]
        tried, ready = await receive_one(receiver), await receive_one(receiver)
        assert (str(tried), tried.delivery_count, str(ready)) == ("tried", 1, "ready")
        assert ready.application_properties == {b"n": b"ready"}
        (aside,) = await receiver.receive_deferred_messages(deferred.sequence_number)
        assert str(aside) == "deferred"
        await sender.cancel_scheduled_messages(scheduled)
        await sender.send_messages(ServiceBusMessage("new", message_id="new"))
        assert (await receive_one(receiver)).sequence_number > scheduled
        async with client.get_queue_receiver(
            "plain", sub_queue=ServiceBusSubQueue.DEAD_LETTER
        ) as dead:
            message = await receive_one(dead)
            assert (str(message), message.dead_letter_reason) == ("dead", "why")
        async with client.get_queue_receiver("session", session_id="s") as session:
            assert str(await receive_one(session)) == "of s"
            assert await session.session.get_state() == b"state of s"


async def test_nothing_accepted_is_lost_when_the_broker_is_killed_under_traffic(broker):
    """A sender that was told "accepted" finds its message; a completed message does not return."""
    accepted: set[str] = set()
    completed: set[str] = set()

    async def send(client: ServiceBusClient, number: int) -> None:
        async with client.get_queue_sender("plain") as sender:
            for count in range(100_000):
                name = f"{number}-{count}"
                await sender.send_messages(ServiceBusMessage(name, message_id=name))
                accepted.add(name)

    async def receive(client: ServiceBusClient) -> None:
        async with client.get_queue_receiver("plain") as receiver:
            while True:
                for message in await receiver.receive_messages(10, max_wait_time=WAIT):
                    await receiver.complete_message(message)
                    completed.add(str(message))

    async with broker.client() as client:
        work = [asyncio.create_task(send(client, number)) for number in range(3)]
        work.append(asyncio.create_task(receive(client)))
        while len(accepted) < 300 or len(completed) < 50:
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in work)
        broker.kill()
        ended = await asyncio.gather(*work, return_exceptions=True)
        assert all(isinstance(end, ServiceBusError) for end in ended)
    broker.begin()
    left: set[str] = set()
    following = 0
    async with broker.client() as client, client.get_queue_receiver("plain") as receiver:
        while found := await receiver.peek_messages(200, sequence_number=following):
            left |= {str(message) for message in found}
            following = found[-1].sequence_number + 1
    # One completion may be saved without a confirmation.
    assert len(accepted - left - completed) <= 1
    assert not left & completed


def test_a_file_that_is_in_use_is_named(broker):
    second = start("--port", "0", *broker.arguments)
    _, said = second.communicate(timeout=30)
    assert second.returncode == 1
    assert said.startswith(f"servicebus: {broker.store}: cannot be used:")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("content", ["not a database, and long enough to be read" * 40, "version"])
def test_a_file_of_something_else_is_named(broker, tmp_path, content):
    path = tmp_path / "other.db"
    if content == "version":
        with sqlite3.connect(path) as file:
            file.execute("PRAGMA user_version = 99")
    else:
        path.write_text(content)
    other = start("--port", "0", "--store", str(path))
    _, said = other.communicate(timeout=30)
    assert other.returncode == 1
    assert said.startswith(f"servicebus: {path}: cannot be used:")
