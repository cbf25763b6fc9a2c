"""Which lane an upload takes, and what becomes of an upload that fails or ends its process."""

import asyncio
import errno
import json
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from samples.eicar import eicar
from shared.azure.blobs import AzureBlobs
from shared.catalogue import INCIDENTS_QUEUE, INTAKE_BULK_QUEUE, INTAKE_QUEUE
from shared.errors import UnavailableError
from shared.intake.lanes import ALONE, SHARE, Lanes
from shared.scanning.scanner import Engine, Findings
from tests.compositions import arrived, registered
from tests.queues import data_of, peeked

SECRET_TEXT = "Zebulon Quixworth"


class Planted:
    """An engine that fails on a file as the file says."""

    name = "planted"
    scans_on_demand = True

    def __init__(self, error):
        self.error = error
        self.begun = 0

    async def engine(self):
        return Engine("planted", "1", "1", None)

    async def begin(self, _upload, _blob):
        self.begun += 1
        return self

    async def forget(self, _upload):
        return None

    def feed(self, _chunk):
        raise self.error

    def finish(self, _file):
        return Findings()

    def close(self):
        return None


@pytest.fixture(scope="module")
async def clients(services):
    """Storage and bus of that stack, through the SDKs."""
    strings = services.info["connection_strings"]
    async with (
        BlobServiceClient.from_connection_string(strings["storage"]) as blobs,
        ServiceBusClient.from_connection_string(strings["service_bus"]) as bus,
    ):
        yield blobs, bus


async def crowd(clients, folder, count=SHARE + 1):
    """Blobs that no permit names count like any other."""
    container = clients[0].get_container_client("incoming")
    names = [f"{folder}/crowd-{number:04}" for number in range(count)]
    await asyncio.gather(*(container.upload_blob(name, b"x") for name in names))
    return names


async def lanes_of(clients, tenant):
    """The sessions of a tenant's messages on the lane for a crowd, and the count on `intake`."""
    bus = clients[1]
    bulk = {}
    for number in range(4):
        session = f"{tenant}/{number}"
        async with bus.get_queue_receiver(INTAKE_BULK_QUEUE.name, session_id=session) as receiver:
            found = await receiver.peek_messages(250)
            bulk[session] = [data_of(message)["name"] for message in found]
    quick = [data_of(message)["name"] for message in await peeked(bus, INTAKE_QUEUE.name)]
    return bulk, [name for name in quick if name.startswith(f"{tenant}/")]


def names_of(bulk):
    return [name for names in bulk.values() for name in names]


async def test_a_tenant_keeps_its_share_of_the_first_lane_whatever_others_upload(app, clients):
    heavy, light = await registered(app), await registered(app)
    few = [(await arrived(app, light, f"{number}", b"some text")).name for number in range(4)]
    crowded = await crowd(clients, heavy)
    await asyncio.gather(*map(app.queues.enqueue, crowded[:40]))
    await asyncio.gather(*map(app.queues.enqueue, few))
    bulk, quick = await lanes_of(clients, heavy)
    assert quick == []
    assert sorted(names_of(bulk)) == crowded[:40]
    assert all(bulk.values())
    bulk, quick = await lanes_of(clients, light)
    assert (names_of(bulk), len(quick)) == ([], 4)


async def test_a_crowd_is_remembered_longer_than_a_few_uploads(services, clients):
    folder, now = uuid.uuid4().hex, datetime.now(UTC)
    container = clients[0].get_container_client("incoming")
    blobs = AzureBlobs(services.info["connection_strings"]["storage"])
    try:
        lanes = Lanes(blobs, lambda: now)
        assert not await lanes.is_crowded(folder)
        names = await crowd(clients, folder)
        assert not await lanes.is_crowded(folder)
        now += timedelta(seconds=3)
        assert await lanes.is_crowded(folder)
        await container.delete_blob(names[0])
        now += timedelta(seconds=9)
        assert await lanes.is_crowded(folder)
        now += timedelta(seconds=2)
        assert not await lanes.is_crowded(folder)
    finally:
        await blobs.close()


async def test_a_crowd_that_came_by_another_way_leaves_the_first_lane(app, clients):
    """Results of Defender, and messages that were sent before the crowd came."""
    heavy = await registered(app)
    event = await arrived(app, heavy, "a.txt", b"some text")
    await crowd(clients, heavy)
    await app.queues.take(event, 1)
    bulk, _ = await lanes_of(clients, heavy)
    assert names_of(bulk) == [event.name]
    assert (await app.assets.page(heavy, size=10, continuation=None))[0] == []
    [session] = [session for session, names in bulk.items() if names]
    await app.queues.take_bulk(event, session, 1)
    [asset] = (await app.assets.page(heavy, size=10, continuation=None))[0]
    assert (asset.path, asset.verdict) == ("a.txt", "clean")


@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET_TEXT),
        RecursionError(),
        MemoryError(),
        OSError(errno.EIO, SECRET_TEXT),
        KeyError(SECRET_TEXT),
        UnicodeDecodeError("utf-8", SECRET_TEXT.encode(), 0, 1, SECRET_TEXT),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_upload_that_fails_to_be_inspected_is_refused_at_the_second_delivery(
    app, clients, tenant, error, caplog
):
    event = await arrived(app, tenant, "a.bin", b"some text")
    app.engines.scanners = (Planted(error),)
    with pytest.raises(type(error)):
        await app.intake.process_upload(event, 1)
    assert await app.blobs.head("incoming", event.name) is not None
    # Twice: deliveries may overlap.
    for _ in range(2):
        await app.intake.process_upload(event, 2)
    [asset] = (await app.assets.page(tenant, size=10, continuation=None))[0]
    assert (asset.verdict, asset.reason) == ("refused", "inspection-failed")
    assert await app.blobs.head("quarantine", asset.blob) is not None
    assert await app.blobs.head("incoming", event.name) is None
    incidents = [data_of(message) for message in await peeked(clients[1], INCIDENTS_QUEUE.name)]
    [incident] = [one for one in incidents if one["resource"] == f"assets/{asset.id}"]
    assert incident["kind"] == "upload.refused"
    assert SECRET_TEXT not in json.dumps(incidents) + msgspec.json.encode(asset).decode()
    assert SECRET_TEXT not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("storage"),
        OSError(errno.ENOSPC, "no space"),
        OSError(errno.EMFILE, "too many files"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_fault_that_is_not_of_the_file_never_refuses_the_file(app, clients, tenant, error):
    event = await arrived(app, tenant, "a.bin", b"some text")
    app.engines.scanners = (Planted(error),)
    for deliveries in (1, 2, 3, 9):
        with pytest.raises((UnavailableError, ConnectionError, TimeoutError)):
            await app.intake.process_upload(event, deliveries)
    assert (await app.assets.page(tenant, size=10, continuation=None))[0] == []
    assert await app.blobs.head("incoming", event.name) is not None


async def test_an_upload_that_may_have_ended_its_process_is_inspected_alone(app, clients, tenant):
    event = await arrived(app, tenant, "a.bin", eicar())
    await app.queues.take(event, 5)
    async with clients[1].get_queue_receiver(INTAKE_BULK_QUEUE.name, session_id=ALONE) as receiver:
        names = [data_of(message)["name"] for message in await receiver.peek_messages(250)]
    assert names.count(event.name) == 1
    # An innocent upload is inspected as ever.
    await app.queues.take_bulk(event, ALONE, 1)
    [asset] = (await app.assets.page(tenant, size=10, continuation=None))[0]
    assert asset.verdict == "infected"


async def test_an_upload_that_ends_its_process_even_alone_is_quarantined_unread(
    app, clients, tenant
):
    event = await arrived(app, tenant, "a.bin", b"some text")
    planted = Planted(UnavailableError("storage"))
    app.engines.scanners = (planted,)
    # A fault that passes does not count: the upload is announced again from the start.
    for deliveries in (1, 2, 3):
        await app.queues.take_bulk(event, ALONE, deliveries)
    assert planted.begun == 3
    assert (await app.assets.page(tenant, size=10, continuation=None))[0] == []
    for _ in range(2):
        await app.queues.take_bulk(event, ALONE, 4)
    assert planted.begun == 3
    [asset] = (await app.assets.page(tenant, size=10, continuation=None))[0]
    assert (asset.verdict, asset.reason) == ("refused", "inspection-failed")
    assert await app.blobs.head("incoming", event.name) is None


async def test_a_folder_of_no_tenant_has_a_session_that_the_queue_can_hold(app, clients):
    folder = f"{uuid.uuid4().hex}{'é' * 300}"
    await app.blobs.ensure_container("incoming")
    names = await crowd(clients, folder)
    await app.queues.enqueue(names[0])
    bulk, _ = await lanes_of(clients, "_unknown")
    assert names_of(bulk) == [names[0]]
