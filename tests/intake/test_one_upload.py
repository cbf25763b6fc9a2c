"""One upload has one name: whatever comes under a URL, however often, is at most one asset."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob import BlobType
from azure.storage.blob.aio import BlobServiceClient

from shared.accesslog.reading.filters import EntryFilter
from shared.assets.rules import AssetFilter
from shared.catalogue import INCIDENTS_QUEUE
from shared.errors import NotFoundError, UnavailableError
from shared.intake import permits, uploads
from shared.intake.permits import FileAsked, Permit
from shared.intake.uploads import Uploads
from shared.messages.contracts import AccessRecorded, Actor, BlobUploaded
from tests.compositions import OneSecret, arrived, composed, permitted, registered
from tests.queues import data_of, peeked

PHOTO = (Path(__file__).parents[2] / "samples/cat.jpg").read_bytes()


@pytest.fixture
async def blobs(services):
    string = services.info["connection_strings"]["storage"]
    async with BlobServiceClient.from_connection_string(string) as client:
        yield client


@pytest.fixture
async def bus(services):
    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


@pytest.fixture
def put(blobs):
    """`await put(name, data)` puts bytes into `incoming`; what the trigger says of the bytes."""

    async def put(name, data, **given):
        stored = await blobs.get_blob_client("incoming", name).upload_blob(data, **given)
        return BlobUploaded(name=name, etag=stored["etag"], last_modified=stored["last_modified"])

    return put


async def assets(app, tenant, **chosen):
    found, _ = await app.assets.page(tenant, size=100, continuation=None, **chosen)
    return found


async def content(blobs, container, name):
    return await (await blobs.get_blob_client(container, name).download_blob()).readall()


async def names(blobs, container, prefix=""):
    client = blobs.get_container_client(container)
    if not await client.exists():
        return []
    return [name async for name in client.list_blob_names(name_starts_with=prefix)]


async def incidents(bus, resource):
    found = [data_of(message) for message in await peeked(bus, INCIDENTS_QUEUE.name)]
    return [one["kind"] for one in found if one["resource"] == resource]


async def test_uploads_to_one_path_at_once_are_all_filed(app, blobs, tenant):
    events = await asyncio.gather(
        *(arrived(app, tenant, "a/photo.jpg", PHOTO + bytes([number])) for number in range(30))
    )
    await asyncio.gather(*(app.intake.process_upload(event) for event in events))
    found = await assets(app, tenant)
    assert sorted(asset.version for asset in found) == list(range(1, 31))
    kept = {await content(blobs, asset.container, asset.blob) for asset in found}
    assert kept == {PHOTO + bytes([number]) for number in range(30)}
    assert {asset.upload for asset in found} == {event.name.split("/")[1] for event in events}


async def test_an_asset_names_its_own_permit(app, tenant):
    mine = await permitted(app, tenant, "a.jpg", len(PHOTO))
    hers = await arrived(app, tenant, "a.jpg", PHOTO)
    await app.intake.process_upload(hers)
    [asset] = await assets(app, tenant)
    assert (asset.id, asset.upload) == (hers.name.split("/")[1],) * 2
    assert (asset.requested_by, asset.differences) == ("mia", ())
    assert (await app.permits.locate(tenant, mine.split("/")[1])).state == "permitted"


async def test_one_url_makes_one_asset_whatever_is_sent_again(app, blobs, bus, tenant, put):
    first = await arrived(app, tenant, "twice.jpg", PHOTO)
    await app.intake.process_upload(first)
    upload = first.name.split("/")[1]
    # An SDK whose answer was lost sends the same bytes again.
    await app.intake.process_upload(await put(first.name, PHOTO))
    assert await names(blobs, "quarantine", tenant) == []
    other = await put(first.name, PHOTO + b"2")
    await app.intake.process_upload(other)
    await app.intake.process_upload(other)
    [asset] = await assets(app, tenant)
    assert (asset.id, asset.size) == (upload, len(PHOTO))
    [kept] = await names(blobs, "quarantine", tenant)
    assert kept.startswith(f"{tenant}/{upload}.")
    assert await content(blobs, "quarantine", kept) == PHOTO + b"2"
    assert await incidents(bus, f"uploads/{upload}") == ["upload.repeated"]
    assert await names(blobs, "incoming", f"{tenant}/") == []


async def test_many_other_bytes_under_one_url_are_one_incident_and_an_entry_each(
    app, bus, tenant, put
):
    first = await arrived(app, tenant, "often.jpg", PHOTO)
    await app.intake.process_upload(first)
    upload = first.name.split("/")[1]
    for number in range(3):
        await app.intake.process_upload(await put(first.name, PHOTO + bytes([number])))
    assert await incidents(bus, f"uploads/{upload}") == ["upload.repeated"]
    logged = [entry.action async for entry in app.log_reading.every(tenant, EntryFilter())]
    assert logged.count("upload.repeated") == 3


async def test_a_request_repeated_after_the_filing_permits_nothing(app, tenant):
    """The id is of an Idempotency-Key, and a late retry of a client sends the key again."""
    first = await arrived(app, tenant, "late.jpg", PHOTO)
    upload = first.name.split("/")[1]
    known = await app.tenants.require(tenant)
    file = FileAsked(upload, "late.jpg", len(PHOTO), "image/jpeg")
    [again] = await app.permits.permit(known, [file], "mia", is_repeated=True)
    assert isinstance(again, Permit)
    await app.intake.process_upload(first)
    [refused] = await app.permits.permit(known, [file], "mia", is_repeated=True)
    assert refused.code == "upload-finished"
    entry = AccessRecorded(
        tenant=tenant,
        actor=Actor(id="mia", role="tenant.admin", organisation=tenant),
        action="asset.erased",
        resource=f"assets/{upload}",
        outcome="allowed",
    )
    # A record that a request left between the filing and the erasure goes with the asset.
    await app.permits.permit(known, [file], "mia")
    await app.assets.erase(tenant, upload, "r1", entry)
    assert [row async for row in app.tables.scan("uploads", tenant)] == []
    [refused] = await app.permits.permit(known, [file], "mia", is_repeated=True)
    assert refused.code == "upload-finished"
    assert [row async for row in app.tables.scan("uploads", tenant)] == []


async def test_other_bytes_of_the_same_size_are_other_bytes(app, blobs, tenant, put):
    first = await arrived(app, tenant, "a.jpg", PHOTO)
    await app.intake.process_upload(first)
    other = PHOTO[:-1] + b"x"
    await app.intake.process_upload(await put(first.name, other))
    [kept] = await names(blobs, "quarantine", tenant)
    assert await content(blobs, "quarantine", kept) == other


async def test_the_last_bytes_before_intake_are_the_upload(app, blobs, tenant, put):
    first = await arrived(app, tenant, "a.jpg", PHOTO)
    second = await put(first.name, PHOTO + b"2", overwrite=True)
    for event in (first, second, first):
        await app.intake.process_upload(event)
    [asset] = await assets(app, tenant)
    assert await content(blobs, asset.container, asset.blob) == PHOTO + b"2"
    assert await names(blobs, "incoming", f"{tenant}/") == []
    assert await names(blobs, "quarantine", tenant) == []


@pytest.mark.parametrize("step", ["copy", "add"])
async def test_bytes_that_come_while_intake_works_are_not_mixed_with_others(
    services, app, blobs, tenant, put, monkeypatch, step
):
    """A newer version arrives before or after the copy of the older version."""
    first = await arrived(app, tenant, "a.jpg", PHOTO)
    newer = []
    async with composed(services.settings, OneSecret()) as slow:
        owner = slow.blobs if step == "copy" else slow.assets
        method = getattr(owner, step)

        async def overtaken(*args, **kwargs):
            if not newer:
                newer.append(await put(first.name, PHOTO + b"2", overwrite=True))
                await app.intake.process_upload(newer[0])
            return await method(*args, **kwargs)

        monkeypatch.setattr(owner, step, overtaken)
        await slow.intake.process_upload(first)
    await app.intake.process_upload(newer[0])
    [asset] = await assets(app, tenant)
    assert await content(blobs, asset.container, asset.blob) == PHOTO + b"2"
    assert asset.size == len(PHOTO) + 1
    assert await names(blobs, f"tenant-{tenant}") == [asset.blob]
    assert await names(blobs, "incoming", f"{tenant}/") == []


@pytest.mark.parametrize("kind", [BlobType.PAGEBLOB, BlobType.APPENDBLOB])
async def test_only_block_blobs_are_taken_in(app, blobs, tenant, kind):
    name = await permitted(app, tenant, "a.jpg", 100)
    blob = blobs.get_blob_client("incoming", name)
    if kind is BlobType.PAGEBLOB:
        stored = await blob.create_page_blob(2**30)
    else:
        stored = await blob.create_append_blob()
    event = BlobUploaded(name=name, etag=stored["etag"], last_modified=stored["last_modified"])
    await app.intake.process_upload(event)
    [asset] = await assets(app, tenant)
    assert (asset.verdict, asset.reason) == ("refused", "blob-type-not-allowed")
    assert (asset.sha256, asset.container, asset.blob) == (None, None, None)
    assert await names(blobs, "incoming", f"{tenant}/") == []
    # A copy would cost the stamp a gibibyte that cost the uploader one request without a body.
    assert await names(blobs, "quarantine", tenant) == []


async def test_a_page_blob_that_comes_later_is_reported_and_not_kept(app, blobs, bus, tenant):
    first = await arrived(app, tenant, "a.jpg", PHOTO)
    await app.intake.process_upload(first)
    stored = await blobs.get_blob_client("incoming", first.name).create_page_blob(2**30)
    later = BlobUploaded(
        name=first.name, etag=stored["etag"], last_modified=stored["last_modified"]
    )
    await app.intake.process_upload(later)
    assert len(await assets(app, tenant)) == 1
    assert await names(blobs, "incoming", f"{tenant}/") == []
    assert await names(blobs, "quarantine", tenant) == []
    assert await incidents(bus, f"uploads/{first.name.split('/')[1]}") == ["upload.repeated"]


async def test_a_blob_of_another_size_than_declared_is_refused_unread(app, tenant, put):
    name = await permitted(app, tenant, "a.jpg", 100)
    await app.intake.process_upload(await put(name, bytes(200_000)))
    [asset] = await assets(app, tenant)
    assert (asset.verdict, asset.reason) == ("refused", "size-not-declared")
    assert (asset.differences, asset.sha256) == (("size",), None)


@pytest.mark.parametrize(
    "rest", ["a.jpg", "01J0000000000000000000000A", "01j0000000000000000000000a", "a/b/c.jpg"]
)
async def test_a_blob_that_no_permit_names_is_quarantined(app, blobs, bus, tenant, put, rest):
    await permitted(app, tenant, "first.jpg", 1)
    event = await put(f"{tenant}/{rest}", PHOTO)
    await app.intake.process_upload(event)
    await app.intake.process_upload(event)
    [asset] = await assets(app, tenant)
    assert (asset.verdict, asset.reason, asset.upload) == ("refused", "upload-unknown", None)
    assert await content(blobs, "quarantine", asset.blob) == PHOTO
    assert await incidents(bus, f"assets/{asset.id}") == ["upload.refused"]


async def test_a_permit_of_another_tenant_permits_nothing(app, blobs, tenant, put):
    other = await registered(app)
    upload = (await permitted(app, other, "a.jpg", len(PHOTO))).split("/")[1]
    await app.intake.process_upload(await put(f"{tenant}/{upload}", PHOTO))
    [asset] = await assets(app, tenant)
    assert asset.reason == "upload-unknown"
    assert await assets(app, other) == []


async def test_two_spellings_of_a_path_are_one_path(app, blobs, tenant):
    for path in ("Caf\u00e9/x.jpg", "Cafe\u0301/x.jpg"):
        await app.intake.process_upload(await arrived(app, tenant, path, PHOTO))
    for prefix in ("Caf\u00e9", "Cafe\u0301/x"):
        found = await assets(app, tenant, chosen=AssetFilter(prefix=prefix))
        assert [(one.path, one.version) for one in found] == [
            ("Caf\u00e9/x.jpg", 1),
            ("Cafe\u0301/x.jpg", 2),
        ]
    assert await assets(app, tenant, chosen=AssetFilter(prefix="Cafe/")) == []
    assert all(name.startswith("Caf\u00e9/x.") for name in await names(blobs, f"tenant-{tenant}"))


async def test_where_an_upload_is(app, tenant, put):
    name = await permitted(app, tenant, "a b/ä.jpg", len(PHOTO))
    upload = name.split("/")[1]

    async def where():
        found = await app.permits.locate(tenant, upload)
        assert found.path == "a b/ä.jpg"
        return found.state, found.asset and found.asset.id

    assert await where() == ("permitted", None)
    event = await put(name, PHOTO)
    assert await where() == ("arrived", None)
    kept = await app.intake._uploads.find(tenant, upload)
    await app.intake._uploads.mark_scanning(tenant, kept, datetime.now(UTC))
    assert await where() == ("scanning", None)
    await app.intake.process_upload(event)
    assert await where() == ("filed", upload)
    empty = await permitted(app, tenant, "empty.jpg", 1)
    await app.intake.process_upload(await put(empty, b""))
    refused = await app.permits.locate(tenant, empty.split("/")[1])
    assert (refused.state, refused.asset.reason) == ("refused", "zero-bytes")


@pytest.mark.parametrize(
    "upload", ["01J0000000000000000000000A", "x", "", "a/b", "\ud800", "é" * 99]
)
async def test_an_unknown_upload_is_nowhere(app, tenant, upload):
    with pytest.raises(NotFoundError) as refused:
        await app.permits.locate(tenant, upload)
    assert refused.value.code == "upload-not-found"


async def test_records_of_uploads_that_never_came_go_after_two_days(services, app, tenant, put):
    never = (await permitted(app, tenant, "never.jpg", 1)).split("/")[1]
    waits = await permitted(app, tenant, "waits.jpg", 1)
    await put(waits, b"x")
    # A request that began at the end of the day, when the last URL ends, may run for hours.
    day = datetime.now(UTC) + timedelta(days=1, hours=1)
    async with composed(services.settings, OneSecret(), lambda: day) as running:
        await running.permits.remove_lapsed()
    assert never in [row.row async for row in app.tables.scan("uploads", tenant)]
    late = datetime.now(UTC) + timedelta(days=2, minutes=1)
    async with composed(services.settings, OneSecret(), lambda: late) as later:
        young = (await permitted(later, tenant, "young.jpg", 1)).split("/")[1]
        await later.permits.remove_lapsed()
    left = [row.row async for row in app.tables.scan("uploads", tenant)]
    assert sorted(left) == sorted([waits.split("/")[1], young])
    assert never not in left


async def test_a_fault_at_one_tenant_keeps_no_record_of_another(services, app, tenant, monkeypatch):
    """The fault comes from a stand-in, because no emulator fails for one partition alone."""
    never = (await permitted(app, tenant, "never.jpg", 1)).split("/")[1]
    every = Uploads.permitted_before
    failed = []

    async def failing(self, one, end):
        if one != tenant:
            failed.append(one)
            raise UnavailableError("storage")
        async for page in every(self, one, end):
            yield page

    monkeypatch.setattr(Uploads, "permitted_before", failing)
    await registered(app)
    late = datetime.now(UTC) + timedelta(days=3)
    async with composed(services.settings, OneSecret(), lambda: late) as later:
        await later.permits.remove_lapsed()
    assert failed
    assert never not in [row.row async for row in app.tables.scan("uploads", tenant)]


async def test_a_thousand_files_at_once_each_have_an_answer(app, tenant):
    files = [
        FileAsked(app.new_id(), "" if number % 10 == 0 else f"{uuid.uuid4()}.jpg", 1, "image/jpeg")
        for number in range(1000)
    ]
    answers = await app.permits.permit(await app.tenants.require(tenant), files, "mia")
    codes = [getattr(answer, "code", "permitted") for answer in answers]
    assert codes == ["path-invalid" if n % 10 == 0 else "permitted" for n in range(1000)]
    assert [a.id for a in answers if hasattr(a, "url")] == [f.id for f in files if f.path]
    assert len([row async for row in app.tables.scan("uploads", tenant)]) == 900


async def test_uploads_that_wait_do_not_keep_the_records_behind_them(
    services, app, tenant, put, monkeypatch
):
    monkeypatch.setattr(uploads, "_PAGE", 2)
    monkeypatch.setattr(permits, "_MAX_LAPSED", 1)
    for path in ("waits-1", "waits-2", "waits-3"):
        await put(await permitted(app, tenant, path, 1), b"x")
    never = [(await permitted(app, tenant, path, 1)).split("/")[1] for path in "abc"]
    late = datetime.now(UTC) + timedelta(days=3)
    left = []
    async with composed(services.settings, OneSecret(), lambda: late) as later:
        for _ in range(3):
            await later.permits.remove_lapsed()
            rows = [row.row async for row in app.tables.scan("uploads", tenant)]
            left.append(len(set(rows) & set(never)))
    assert left == [2, 1, 0]
    assert len(rows) == 3
