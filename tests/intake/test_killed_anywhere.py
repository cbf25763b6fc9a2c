"""Intake is killed at each of its steps in turn and started again: one asset, told of once."""

import asyncio
import io
import uuid
import zipfile
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from infra.local.settings import ROOT
from samples.eicar import eicar
from shared.accesslog.reading.filters import EntryFilter
from shared.catalogue import INCIDENTS_QUEUE, NOTICES_QUEUE
from shared.messages.contracts import BlobUploaded
from tests.compositions import OneSecret, composed, permitted, registered
from tests.dying_workers import dying_workers
from tests.queues import data_of, peeked

PHOTO = (Path(ROOT) / "samples/astronaut.jpg").read_bytes()
# Most of a worker's time is waiting for its links to the bus.
WORKERS = 8


def broken_zip():
    """An archive whose second half is missing, which is read and then refused."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a" * 1000)
    return file.getvalue()[:600]


@pytest.fixture(scope="module")
async def clients(services):
    """Storage and bus of that stack, through the SDKs."""
    strings = services.info["connection_strings"]
    async with (
        BlobServiceClient.from_connection_string(strings["storage"]) as blobs,
        TableServiceClient.from_connection_string(strings["storage"]) as tables,
        ServiceBusClient.from_connection_string(strings["service_bus"]) as bus,
    ):
        yield blobs, tables, bus


@pytest.fixture(scope="module")
async def app(services):
    """The app's composition in this process."""
    async with composed(services.settings, OneSecret()) as app:
        yield app


@pytest.fixture(scope="module")
async def do(services):
    """`do(event, steps)` has a worker take an upload in, to be killed before that step."""
    async with dying_workers(WORKERS, "tests.intake.dying_worker", services.settings) as do:
        yield do


async def upload(app, clients, name, data):
    """Put a file into `incoming`, permitted where there is a tenant; the event that tells of it."""
    tenant, _, path = name.partition("/")
    if await app.tenants.find(tenant) is not None:
        name = await permitted(app, tenant, path, len(data) + 1)
    await app.blobs.ensure_container("incoming")
    await clients[0].get_blob_client("incoming", name).upload_blob(data)
    found = await app.blobs.head("incoming", name)
    modified = found.last_modified.isoformat()
    return {"name": name, "etag": found.etag, "lastModified": modified}


async def rows(clients, table, partition):
    """The rows of all partitions that begin so."""
    found = clients[1].get_table_client(table)
    try:
        return [
            row async for row in found.list_entities() if row["PartitionKey"].startswith(partition)
        ]
    except ResourceNotFoundError:
        return []


async def kept(clients, container, prefix=""):
    """The blobs of a container, with the asset that each is marked with."""
    client = clients[0].get_container_client(container)
    try:
        return [
            (blob.name, (blob.metadata or {}).get("asset"))
            async for blob in client.list_blobs(name_starts_with=prefix, include=["metadata"])
        ]
    except ResourceNotFoundError:
        return []


async def told(clients, queue, field):
    """How often the messages of a queue name each asset."""
    found = [data_of(message)[field] for message in await peeked(clients[2], queue)]
    return Counter(name.removeprefix("assets/") for name in found)


async def logged(app, tenant):
    """How often a tenant's log names each asset."""
    found = [entry.resource async for entry in app.log_reading.every(tenant, EntryFilter())]
    return Counter(name.removeprefix("assets/") for name in found if name.startswith("assets/"))


KINDS = {
    "clean": (PHOTO, "clean", None, 1),
    "a-second-version": (PHOTO, "clean", None, 2),
    "infected": (eicar(), "infected", "malware-found", 1),
    "refused-unread": (b"", "refused", "zero-bytes", 1),
    "refused-when-read": (broken_zip(), "refused", "archive-broken", 1),
    "of-no-tenant": (PHOTO, "refused", "upload-unknown", 1),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_upload_is_filed_once_wherever_its_worker_is_killed(app, clients, do, kind):
    data, verdict, reason, versions = KINDS[kind]
    base = f"{kind}-{uuid.uuid4().hex[:8]}"
    known = kind != "of-no-tenant"

    async def arrive(number):
        """An upload of a tenant of its own, so that none waits for another's log."""
        tenant = f"{base}-{number}"
        if known:
            await registered(app, tenant)
        for _ in range(versions - 1):
            before = await upload(app, clients, f"{tenant}/a.jpg", data)
            await app.intake.process_upload(msgspec.convert(before, BlobUploaded))
        return await upload(app, clients, f"{tenant}/a.jpg", data)

    # The first of all makes the tables and containers; what the second takes is the rule.
    await do(await arrive("warm"))
    total = await do(await arrive("count"))
    assert total > 5

    async def die_and_live(step):
        event = await arrive(step)
        assert await do(event, step) is None, f"nothing died at step {step} of {total}"
        assert await do(event, deliveries=2) > 0

    await asyncio.gather(*(die_and_live(step) for step in range(total + 1)))

    tenants = [f"{base}-{number}" for number in ("warm", "count", *range(total + 1))]
    partition = base if known else "_unknown"
    in_table = await rows(clients, "assets", partition)
    found = [row for row in in_table if row.get("tenant") in tenants]
    assert Counter(row["tenant"] for row in found) == dict.fromkeys(tenants, versions)
    assert {(row["path"], row["verdict"], row.get("reason")) for row in found} == {
        ("a.jpg", verdict, reason)
    }
    assert [row for row in in_table if row["RowKey"].startswith("outbox")] == []
    assets = {row["id"] for row in found}
    assert len(assets) == len(found)

    places = {(row["container"], row["blob"], row["id"]) for row in found}
    here = [("quarantine", *blob) for blob in await kept(clients, "quarantine", base)]
    for tenant in tenants:
        container = f"tenant-{tenant}"
        here += [(container, *blob) for blob in await kept(clients, container)]
    assert sorted(here) == sorted(places)
    assert await kept(clients, "incoming", base) == []
    assert await rows(clients, "uploads", base) == []

    records = {row["RowKey"] for row in in_table if row["RowKey"].startswith("record|")}
    assert records == ({f"record|{asset}" for asset in assets} if known else set())
    if verdict == "clean":
        numbered = Counter(row["version"].value for row in found)
        assert numbered == {version + 1: len(tenants) for version in range(versions)}

    once = dict.fromkeys(assets, 1)
    for queue, field, tells in (
        (INCIDENTS_QUEUE.name, "resource", verdict != "clean"),
        (NOTICES_QUEUE.name, "assetId", verdict == "infected"),
    ):
        named = await told(clients, queue, field)
        assert {one: count for one, count in named.items() if one in assets} == (
            once if tells else {}
        )
    entries = Counter()
    for tenant in tenants if known else ():
        entries += await logged(app, tenant)
    assert entries == (once if known else {})
