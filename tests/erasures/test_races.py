"""Erasures that other deliveries cross: one delivery is held up where another overtakes it."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from cryptography.fernet import Fernet

from infra.local.stack import Stack
from shared.access.rules import Attempt
from shared.erasures.rules import batches
from shared.errors import NotFoundError, RowConflictError, UnavailableError
from shared.identity.rules import VENDOR_SERVICE, VENDOR_SUPPORT, Caller
from shared.ids import new_id
from shared.intake import SUBJECTS, index_keys, subject_partition
from shared.intake.rules import Filing
from shared.messages.contracts import Actor, BlobUploaded, ConsentGranted
from shared.ports import Secret
from shared.tenancy import Registration
from tests.compositions import composed

PHOTO = (Path(__file__).parents[2] / "samples/astronaut.jpg").read_bytes()
PERSON = "Eileen Collins"
PORTAL = Caller("portal", frozenset({VENDOR_SERVICE}), None, "vendor")
MIA = Actor(id="mia", role="tenant.dam_manager", organisation="A tenant")
NOOR = Actor(id="noor", role="tenant.dam_manager", organisation="A tenant")
FERNET = Fernet.generate_key().decode()


class TwoSecrets:
    """A vault in place of the real one, for which this process has no identity."""

    async def get(self, name):
        hmac = base64.b64encode(b"a key of these tests").decode()
        return Secret(hmac if name.startswith("subject") else FERNET, "1")


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Storage and bus without a host, whose own deliveries would be in the way."""
    directory = tmp_path_factory.mktemp("services")
    with Stack(directory, in_memory=True, processes=("azurite", "servicebus")) as started:
        yield started


@pytest.fixture
async def fast(services):
    async with composed(services.settings, TwoSecrets()) as app:
        yield app


@pytest.fixture
async def slow(services):
    """A second instance of the app, to be held up."""
    async with composed(services.settings, TwoSecrets()) as app:
        yield app


@pytest.fixture
async def tenant(fast):
    identifier = f"t{new_id(datetime.now(UTC)).lower()}"
    registration = Registration(id=identifier, display_name="A tenant", residency_zone="eu")
    await fast.tenants.register(registration, PORTAL, fast.new_id())
    return identifier


async def uploaded(app, name):
    """Put a photo that names the person into `incoming`, and say what the trigger would."""
    await app.blobs.ensure_container("incoming")
    await app.blobs.write("incoming", name, PHOTO, "image/jpeg")
    blob = await app.blobs.head("incoming", name)
    return BlobUploaded(name=name, etag=blob.etag, last_modified=blob.last_modified)


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


async def test_a_discovery_that_was_overtaken_changes_nothing_of_what_was_approved(
    fast, slow, tenant, monkeypatch
):
    for number in range(2):
        await fast.intake.take_in(await uploaded(fast, f"{tenant}/{number}.jpg"))
    request = (await fast.erasures.request(tenant, PERSON, MIA, fast.new_id())).state.id
    search = slow.assets.of_subject

    async def overtaken(*sought):
        found = await search(*sought)
        await fast.intake.take_in(await uploaded(fast, f"{tenant}/2.jpg"))
        await fast.erasures.discover(tenant, request)
        assert await approved(fast, tenant, request) == 3
        return found

    monkeypatch.setattr(slow.assets, "of_subject", overtaken)
    with pytest.raises(RowConflictError):
        await slow.erasures.discover(tenant, request)
    state = await finished(fast, tenant, request)
    assert (state.status, state.assets) == ("completed", 3)
    assert await assets(fast, tenant) == []


async def test_a_delivery_that_an_erasure_overtook_does_not_index_the_person_again(
    services, fast, slow, tenant, monkeypatch
):
    event = await uploaded(fast, f"{tenant}/a.jpg")
    index = slow.assets._index

    async def overtaken(asset):
        await fast.intake.take_in(event)
        assert (await erased(fast, tenant)).assets == 1
        await index(asset)

    monkeypatch.setattr(slow.assets, "_index", overtaken)
    await slow.intake.take_in(event)
    assert await left(services, tenant) == ([], [])


@pytest.mark.parametrize("crashes", [False, True])
async def test_a_delivery_that_an_erasure_overtook_does_not_bring_the_bytes_back(
    services, fast, slow, tenant, monkeypatch, crashes
):
    event = await uploaded(fast, f"{tenant}/a.jpg")
    copy, delete, add = slow.blobs.copy, fast.blobs.delete, slow.assets.add

    async def crash(*_):
        raise UnavailableError("storage")

    async def overtaken(*wanted):
        monkeypatch.setattr(fast.blobs, "delete", crash)
        with pytest.raises(UnavailableError):
            await fast.intake.take_in(event)
        monkeypatch.setattr(fast.blobs, "delete", delete)
        assert (await erased(fast, tenant)).assets == 1
        return await copy(*wanted)

    monkeypatch.setattr(slow.blobs, "copy", overtaken)
    if crashes:
        monkeypatch.setattr(slow.assets, "add", crash)
        with pytest.raises(UnavailableError):
            await slow.intake.take_in(event)
        monkeypatch.setattr(slow.assets, "add", add)
    await slow.intake.take_in(event)
    assert await left(services, tenant) == ([], [])


async def test_a_delivery_that_finds_malware_after_a_crash_leaves_no_cleared_copy(
    services, fast, tenant, monkeypatch
):
    event = await uploaded(fast, f"{tenant}/a.jpg")

    async def crash(*_):
        raise UnavailableError("storage")

    add = fast.assets.add
    monkeypatch.setattr(fast.assets, "add", crash)
    with pytest.raises(UnavailableError):
        await fast.intake.take_in(event)
    monkeypatch.setattr(fast.assets, "add", add)
    # As it would be with signatures that are newer than those of the first delivery.
    newer = Filing("infected", "malware-found")
    monkeypatch.setattr("shared.intake.service.decide", lambda _: newer)
    await fast.intake.take_in(event)
    assert [asset.verdict for asset in await assets(fast, tenant)] == ["infected"]
    assert await left(services, tenant) == ([], [])


async def test_an_upload_that_is_being_taken_in_is_erased_too(
    services, fast, slow, tenant, monkeypatch
):
    event = await uploaded(fast, f"{tenant}/a.jpg")
    commit = slow.outbox.commit

    async def overtaken(*wanted):
        assert (await erased(fast, tenant)).assets == 1
        await commit(*wanted)

    monkeypatch.setattr(slow.outbox, "commit", overtaken)
    await slow.intake.take_in(event)
    assert await assets(fast, tenant) == []
    assert await left(services, tenant) == ([], [])


async def test_index_rows_that_a_crash_left_of_an_erased_asset_go_with_the_next_request(
    fast, slow, tenant, monkeypatch
):
    event = await uploaded(fast, f"{tenant}/a.jpg")
    index = slow.assets._index

    async def overtaken(asset):
        await fast.intake.take_in(event)
        await erased(fast, tenant)
        await index(asset)
        raise UnavailableError("storage")

    monkeypatch.setattr(slow.assets, "_index", overtaken)
    with pytest.raises(UnavailableError):
        await slow.intake.take_in(event)
    assert await indexed(fast, tenant)
    assert (await erased(fast, tenant)).assets == 0
    assert not await indexed(fast, tenant)


async def test_an_access_hands_over_no_other_asset_than_it_was_asked_for(fast, tenant):
    await fast.intake.take_in(await uploaded(fast, f"{tenant}/a.jpg"))
    (old,) = await assets(fast, tenant)
    now = datetime.now(UTC)
    await fast.consents.apply(
        ConsentGranted(
            grant_id=fast.new_id(),
            tenant=tenant,
            path_prefix="",
            operations=("read",),
            purpose="p",
            ticket="T",
            engineer="sven",
            expires_at=now + timedelta(hours=1),
            granted_by=MIA,
        )
    )
    # An erasure that died after the bytes had gone, and an upload to the same path.
    await fast.blobs.delete(old.container, old.blob)
    await fast.intake.take_in(await uploaded(fast, f"{tenant}/a.jpg"))
    sven = Caller("sven", frozenset({VENDOR_SUPPORT}), None, "vendor")
    with pytest.raises(NotFoundError):
        await fast.accesses.attempt(Attempt(tenant, old.id, "read", "p", "T", None), sven)
