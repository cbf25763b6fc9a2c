"""Forgotten uploads are found, on real queues and real storage."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from infra.local.stack import Stack
from shared.assets.rules import version_id
from shared.catalogue import INTAKE_QUEUE
from tests.compositions import composed
from tests.queues import data_of, peeked


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Storage and queues without the app's host, so that nobody else takes a message."""
    processes = ["azurite", "servicebus"]
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, processes=processes) as started:
        yield started


@pytest.fixture(scope="module")
async def bus(services):
    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


class Clock:
    """A clock that tests set."""

    def __init__(self):
        self.ahead = timedelta(0)

    def __call__(self):
        return datetime.now(UTC) + self.ahead


@pytest.fixture
async def app(services):
    async with composed(services.settings, clock=Clock()) as app:
        yield app


@pytest.fixture
async def waiting(app, services):
    """An upload in `incoming` of which no message tells."""
    await app.blobs.ensure_container("incoming")
    string = services.info["connection_strings"]["storage"]
    name = f"acme/{uuid.uuid4().hex}.jpg"
    async with BlobServiceClient.from_connection_string(string) as blobs:
        blob = blobs.get_blob_client("incoming", name)
        await blob.upload_blob(b"x")
        yield name
        await blob.delete_blob()


async def announced(bus, name):
    """How often intake is told of an upload."""
    found = [data_of(message)["name"] for message in await peeked(bus, INTAKE_QUEUE.name)]
    return found.count(name)


async def empty(bus, queue):
    """Take everything off a queue."""
    async with bus.get_queue_receiver(queue) as receiver:
        while messages := await receiver.receive_messages(10, max_wait_time=1):
            for message in messages:
                await receiver.complete_message(message)


async def test_a_forgotten_upload_is_announced_anew(app, bus, waiting):
    assert await app.bus.oldest(INTAKE_QUEUE.name) is None
    assert await app.queues.enqueue_overdue() == 0
    app.clock.ahead = timedelta(minutes=11)
    assert await app.queues.enqueue_overdue() == 1
    assert await announced(bus, waiting) == 1
    # It tells of the version that intake will find there, under the id that the trigger gives it.
    [told] = await peeked(bus, INTAKE_QUEUE.name)
    blob = await app.blobs.head("incoming", waiting)
    assert data_of(told)["etag"] == blob.etag
    assert told.message_id == version_id(blob)
    await empty(bus, INTAKE_QUEUE.name)


async def test_an_upload_whose_turn_has_not_come_is_not_announced_anew(app, bus, waiting):
    await app.queues.enqueue(waiting)
    assert await app.bus.oldest(INTAKE_QUEUE.name) is not None
    app.clock.ahead = timedelta(hours=1)
    assert await app.queues.enqueue_overdue() == 0
    assert await announced(bus, waiting) == 1
    # Locked by whoever works on it, it still counts.
    async with bus.get_queue_receiver(INTAKE_QUEUE.name) as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=30)
        assert await app.queues.enqueue_overdue() == 0
        await receiver.complete_message(message)
    assert await app.queues.enqueue_overdue() == 1
    await empty(bus, INTAKE_QUEUE.name)
