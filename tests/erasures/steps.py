"""What the tests of erasures share: uploads that name a person, a request's steps, what is left."""

from pathlib import Path

from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

from shared.assets import SUBJECTS, index_keys, subject_partition
from shared.erasures.rules import batches
from shared.messages.contracts import Actor
from tests.compositions import arrived

PHOTO = (Path(__file__).parents[2] / "samples/astronaut.jpg").read_bytes()
PERSON = "Eileen Collins"
MIA = Actor(id="mia", role="tenant.dam_manager", organisation="A tenant")
NOOR = Actor(id="noor", role="tenant.dam_manager", organisation="A tenant")


async def uploaded(app, name):
    """Put a photo that names the person into `incoming`, and say what the trigger would."""
    tenant, _, path = name.partition("/")
    return await arrived(app, tenant, path, PHOTO)


async def left(services, tenant):
    """What is left of a tenant's people: blobs of its container, and rows of the subject index."""
    storage = services.info["connection_strings"]["storage"]
    async with (
        BlobServiceClient.from_connection_string(storage) as blobs,
        TableServiceClient.from_connection_string(storage) as tables,
    ):
        container = blobs.get_container_client(f"tenant-{tenant}")
        names = [name async for name in container.list_blob_names()]
        index = tables.get_table_client(SUBJECTS).query_entities(
            "PartitionKey ge @first and PartitionKey lt @end",
            parameters={"first": f"{tenant}|", "end": f"{tenant}}}"},
        )
        return names, [row["RowKey"] async for row in index]


async def indexed(app, tenant):
    """The ids that stand in the index under the person's name."""
    keys = index_keys(PERSON, await app.assets.subject_secret())
    partitions = [subject_partition(tenant, subject) for subject in keys]
    return {row.row for part in partitions async for row in app.tables.scan(SUBJECTS, part)}


async def assets(app, tenant):
    found, _ = await app.assets.page(tenant, size=10, continuation=None)
    return found


async def approved(app, tenant, request):
    """Approve what is previewed now. Returns how many assets that are."""
    state, etag = await app.erasures.find(tenant, request)
    await app.erasures.approve(tenant, request, NOOR, etag)
    return state.assets


async def finished(app, tenant, request):
    """The request once it has been started and its batches have run."""
    state, _ = await app.erasures.find(tenant, request)
    await app.erasures.start(tenant, request)
    for batch in range(batches(state)):
        await app.erasures.erase_batch(tenant, request, batch)
    state, _ = await app.erasures.find(tenant, request)
    return state


async def erased(app, tenant):
    """A request for the person's erasure, from beginning to end."""
    request = (await app.erasures.request(tenant, PERSON, MIA, app.new_id())).state.id
    await app.erasures.discover(tenant, request)
    await approved(app, tenant, request)
    state = await finished(app, tenant, request)
    assert state.status == "completed"
    return state
