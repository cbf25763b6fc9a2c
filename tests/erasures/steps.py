"""Steps of the tests of erasures: uploads that name a person, a request's steps, what is left."""

from pathlib import Path

from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

from shared.composition.erasures import ErasuresFlow
from shared.messages.contracts import Actor
from tests.compositions import arrived

PHOTO = (Path(__file__).parents[2] / "samples/astronaut.jpg").read_bytes()
PERSON = "Eileen Collins"
MIA = Actor(id="mia", role="tenant.dam_manager", organisation="A tenant")
NOOR = Actor(id="noor", role="tenant.dam_manager", organisation="A tenant")


async def uploaded(app, name, data=PHOTO):
    """Put a photo that names the person into `incoming`, and say what the trigger would."""
    tenant, _, path = name.partition("/")
    return await arrived(app, tenant, path, data)


async def filed(app, name, data=PHOTO):
    """Upload a file and take the file in; the asset."""
    event = await uploaded(app, name, data)
    await app.intake.process_upload(event)
    return await app.assets.find(name.partition("/")[0], event.name.rpartition("/")[2])


async def left(services, tenant):
    """What is left of a tenant's people: blobs of its container, and sealed records."""
    storage = services.info["connection_strings"]["storage"]
    async with (
        BlobServiceClient.from_connection_string(storage) as blobs,
        TableServiceClient.from_connection_string(storage) as tables,
    ):
        container = blobs.get_container_client(f"tenant-{tenant}")
        names = [name async for name in container.list_blob_names()]
        records = tables.get_table_client("assets").query_entities(
            "PartitionKey eq @tenant and RowKey ge 'record|' and RowKey lt 'record}'",
            parameters={"tenant": tenant},
        )
        return names, [row["RowKey"] async for row in records]


async def assets(app, tenant):
    found, _ = await app.assets.page(tenant, size=10, continuation=None)
    return found


async def requested(app, tenant, *identifiers, **given):
    """A new request, before its discovery; the id."""
    wanted = identifiers or (PERSON,)
    decision = await app.erasures.request(tenant, wanted, MIA, app.new_id(), **given)
    return decision.state.id


async def searched(app, tenant, request):
    """Search every range that waits, as the messages on the queue do; the request after it."""
    flow = app.flow(ErasuresFlow)
    while True:
        state, _ = await app.erasures.find(tenant, request)
        waiting = [one for one in await flow._store.ranges(state) if not one.done]
        if state.status not in ("discovering", "verifying"):
            return state
        assert waiting, state
        for one in waiting:
            await flow.discovery.search(tenant, request, state.discovery, one.after)


async def finds(app, tenant, request, certainty="named"):
    shown, following = await app.erasures.finds(
        tenant, request, certainty, size=100, continuation=None
    )
    assert following is None
    return shown


async def approved(app, tenant, request):
    """Approve what is previewed now. Returns how many assets that are."""
    state, etag = await app.erasures.find(tenant, request)
    await app.erasures.approve(tenant, request, NOOR, etag)
    return state.counts.assets


async def batches_run(app, tenant, request):
    """Start an approved request, and run its batches; the request after it."""
    await app.erasures.start(tenant, request)
    state, _ = await app.erasures.find(tenant, request)
    for batch in range(state.batches or 0):
        await app.erasures.erase_batch(tenant, request, batch)
    state, _ = await app.erasures.find(tenant, request)
    return state


async def finished(app, tenant, request):
    """The request once it has been started, its batches have run, and it is verified."""
    await batches_run(app, tenant, request)
    return await searched(app, tenant, request)


async def erased(app, tenant):
    """A request for the person's erasure, from beginning to end."""
    request = await requested(app, tenant)
    await searched(app, tenant, request)
    await approved(app, tenant, request)
    state = await finished(app, tenant, request)
    assert state.status == "completed"
    return state
