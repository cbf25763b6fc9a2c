"""The host is killed in the middle of its work and started again: nothing is lost or done twice."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from infra.local.stack import Stack
from tests.journeys.portal import Portal, eventually

COUNT = 200
PHOTO = (Path(__file__).parents[2] / "samples/astronaut.jpg").read_bytes()
NAME = "Eileen Collins"


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    """A stack that these tests may kill parts of. Locks are short: a killed host's end soon."""
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, lock_duration="PT5S") as started:
        yield started


@pytest.fixture(scope="module")
async def storage(own_stack):
    """The blobs and tables of that stack."""
    string = own_stack.info["connection_strings"]["storage"]
    async with (
        BlobServiceClient.from_connection_string(string) as blobs,
        TableServiceClient.from_connection_string(string) as tables,
    ):
        yield blobs, tables


async def names(storage, container, prefix=""):
    """The blobs of a container."""
    client = storage[0].get_container_client(container)
    return [name async for name in client.list_blob_names(name_starts_with=prefix)]


async def rows(storage, table, partition_prefix):
    """The rows of a table whose partitions begin so; the app makes a table at its first row."""
    query = "PartitionKey ge @first and PartitionKey lt @last"
    last = partition_prefix[:-1] + chr(ord(partition_prefix[-1]) + 1)
    found = (
        storage[1]
        .get_table_client(table)
        .query_entities(query, parameters={"first": partition_prefix, "last": last})
    )
    try:
        return [row async for row in found]
    except ResourceNotFoundError:
        return []


async def records(storage, tenant):
    """The ids of a tenant's assets that have a sealed record."""
    names = [row["RowKey"] for row in await rows(storage, "assets", tenant)]
    return {name.removeprefix("record|") for name in names if name.startswith("record|")}


async def each(of, act):
    """Do `act` to all, some at a time."""
    limit = asyncio.Semaphore(8)

    async def one(item):
        async with limit:
            return await act(item)

    return await asyncio.gather(*(one(item) for item in of))


async def put(upload):
    """Upload bytes to a URL that the app has signed."""
    url, data = upload
    async with BlobClient.from_blob_url(url) as blob:
        await blob.upload_blob(data)


def photos():
    """As many photos of one person, no two with the same bytes."""
    return {f"shoot/{number:03}.jpg": PHOTO + bytes([number]) for number in range(COUNT)}


async def restarted(stack):
    """Kill the host at once, and start it again."""
    await asyncio.to_thread(stack.kill, "host")
    await asyncio.to_thread(stack.start_process, "host")


async def filed(storage, portal):
    """How many of the tenant's assets have a row."""
    return len([r for r in await rows(storage, "assets", portal.tenant) if "asset|" in r["RowKey"]])


async def test_uploads_survive_two_kills(own_stack, storage):
    async with Portal(own_stack, "uploads") as portal:
        given = photos()
        urls = await each(given, portal.upload_url)
        sending = asyncio.create_task(each(zip(urls, given.values(), strict=True), put))
        for reached in (COUNT // 5, COUNT // 2):
            await eventually(lambda: filed(storage, portal), lambda n, r=reached: n >= r, pause=0.1)
            before = await filed(storage, portal)
            await restarted(own_stack)
            assert before < COUNT, "the kill came too late to be in the middle"
        await sending
        await eventually(lambda: names(storage, "incoming", "uploads/"), lambda left: not left)
        assets = await portal.assets()
        assert sorted(asset["path"] for asset in assets) == sorted(given)
        assert {asset["verdict"] for asset in assets} == {"clean"}
        assert sorted(await names(storage, "tenant-uploads")) == sorted(given)
        assert await records(storage, "uploads") == {asset["id"] for asset in assets}
        await eventually(portal.log, lambda log: len(cleared(log)) == COUNT)
        assert not [r for r in await rows(storage, "assets", "uploads") if "outbox" in r["RowKey"]]


def cleared(log):
    """The resources that the log says were cleared, each once."""
    return Counter(entry["resource"] for entry in log if entry["action"] == "asset.cleared")


async def test_an_erasure_survives_two_kills(own_stack, storage):
    async with Portal(own_stack, "erasures") as portal:
        await each(photos().items(), lambda photo: portal.upload(*photo))
        await eventually(lambda: names(storage, "incoming", "erasures/"), lambda left: not left)
        assets = {f"assets/{asset['id']}" for asset in await portal.assets()}
        answer = await portal.mine("POST", "erasure-requests", body={"name": NAME})
        assert answer.status_code == 202, answer.text
        request = f"erasure-requests/{answer.json()['id']}"

        async def state():
            return await portal.mine("GET", request)

        def has(status):
            return lambda answer: answer.status_code == 200 and answer.json()["status"] == status

        seen = await eventually(state, has("awaiting-approval"))
        assert seen.json()["assets"] == COUNT
        approved = await portal.mine(
            "PUT", f"{request}/approval", who="noor", headers={"If-Match": seen.headers["ETag"]}
        )
        assert approved.status_code == 200, approved.text

        async def left():
            return len(await names(storage, "tenant-erasures"))

        remaining = COUNT
        for _ in range(2):
            await eventually(left, lambda n, seen=remaining: n < seen, pause=0.01)
            await restarted(own_stack)
            remaining = await left()
            assert remaining > 0, "the kill came too late to be in the middle"
        done = await eventually(state, has("completed"))
        assert "identifier" not in done.json()
        assert await left() == 0
        assert await portal.assets() == []
        assert await records(storage, "erasures") == set()
        log = await eventually(
            portal.log, lambda log: steps(log)["erasure.completed"] and erased(log).keys() == assets
        )
        assert set(erased(log).values()) == {1}
        assert steps(log)["erasure.completed"] == 1


def steps(log):
    """How often the log has each kind of step."""
    return Counter(entry["action"] for entry in log)


def erased(log):
    """How often the log says of each asset that it was erased."""
    return Counter(entry["resource"] for entry in log if entry["action"] == "asset.erased")
