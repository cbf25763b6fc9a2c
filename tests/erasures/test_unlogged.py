"""Nothing is erased, or taken out of `incoming`, while the tenant's log takes no entries."""

import pytest
from azure.data.tables.aio import TableServiceClient

from shared.accesslog import LogDamagedError
from shared.errors import UnavailableError
from tests.erasures.steps import (
    NOOR,
    assets,
    finished,
    left,
    requested,
    searched,
    uploaded,
)


@pytest.fixture
async def log(services):
    """The table of the logs, past the app."""
    storage = services.info["connection_strings"]["storage"]
    async with TableServiceClient.from_connection_string(storage) as tables:
        yield tables.get_table_client("accesslog")


@pytest.fixture(params=["gone", "unreadable"])
async def damaged(request, log, tenant):
    """Damages the log's head when it is called; what it returns mends that."""

    async def damage():
        head = await log.get_entity(tenant, "head")
        if request.param == "gone":
            await log.delete_entity(tenant, "head")
        else:
            await log.update_entity(head | {"size": "x"})
        return lambda: log.upsert_entity(head)

    return damage


async def previewed(app, tenant):
    """A request that waits for its approval, and its ETag."""
    await app.intake.process_upload(await uploaded(app, f"{tenant}/a.jpg"))
    request = await requested(app, tenant)
    await searched(app, tenant, request)
    _, etag = await app.erasures.find(tenant, request)
    return request, etag


async def test_no_erasure_is_approved(fast, tenant, damaged):
    request, etag = await previewed(fast, tenant)
    mend = await damaged()
    with pytest.raises(LogDamagedError):
        await fast.erasures.approve(tenant, request, NOOR, etag)
    assert (await fast.erasures.find(tenant, request))[0].status == "awaiting-approval"
    await mend()
    await fast.erasures.approve(tenant, request, NOOR, etag)
    assert (await finished(fast, tenant, request)).status == "completed"


async def test_what_was_approved_waits(services, fast, tenant, damaged):
    request, etag = await previewed(fast, tenant)
    await fast.erasures.approve(tenant, request, NOOR, etag)
    mend = await damaged()
    with pytest.raises(UnavailableError):
        await fast.erasures.start(tenant, request)
    with pytest.raises(UnavailableError):
        await fast.erasures.erase_batch(tenant, request, 0)
    assert len(await assets(fast, tenant)) == 1
    names, records = await left(services, tenant)
    assert names == ["a.jpg"]
    assert records
    await mend()
    assert (await finished(fast, tenant, request)).status == "completed"
    assert await left(services, tenant) == ([], [])


async def test_an_upload_stays_where_it_is(fast, tenant, damaged):
    event = await uploaded(fast, f"{tenant}/a.jpg")
    mend = await damaged()
    with pytest.raises(UnavailableError):
        await fast.intake.process_upload(event)
    assert await assets(fast, tenant) == []
    assert await fast.blobs.head("incoming", event.name) is not None
    await mend()
    await fast.intake.process_upload(event)
    assert [asset.path for asset in await assets(fast, tenant)] == ["a.jpg"]
    assert await fast.blobs.head("incoming", event.name) is None
