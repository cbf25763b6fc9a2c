"""One upload, delivered many times at once: by this process and by the host's own trigger."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from azure.storage.blob import StandardBlobTier

from shared.accesslog.reading.filters import EntryFilter
from shared.azure.blobs import AzureBlobs
from shared.errors import NotFoundError, UnavailableError
from shared.messages.contracts import AccessRecorded, Actor, BlobUploaded
from shared.ports import Insert, Row, Upsert
from tests.compositions import OneSecret, arrived, composed, permitted

PHOTO = (Path(__file__).parents[2] / "samples/cat.jpg").read_bytes()


class Slow(AzureBlobs):
    """Storage of a delivery that another one overtakes before it copies the blob."""

    def __init__(self, connection_string, overtake):
        super().__init__(connection_string)
        self._overtake = overtake

    async def copy(self, *args, **kwargs):
        await self._overtake()
        return await super().copy(*args, **kwargs)


def _later(by):
    return datetime.now(UTC) + by


@pytest.fixture
async def app(stack):
    async with composed(stack.settings, OneSecret()) as app:
        yield app


async def test_many_deliveries_at_once_make_one_asset(app, blobs, tenant):
    event = await arrived(app, tenant, "cat.jpg", PHOTO)
    await asyncio.gather(*(app.intake.process_upload(event) for _ in range(6)))
    assets, _ = await app.assets.page(tenant, size=10, continuation=None)
    assert [(asset.path, asset.verdict) for asset in assets] == [("cat.jpg", "clean")]
    container = blobs.get_container_client(f"tenant-{tenant}")
    assert [name async for name in container.list_blob_names()] == ["cat.jpg"]
    assert await app.blobs.head("incoming", event.name) is None


async def test_a_delivery_that_another_overtook_is_no_refusal(stack, app, blobs, tenant):
    event = await arrived(app, tenant, "cat.jpg", PHOTO)
    async with composed(stack.settings, OneSecret()) as slow:
        overtake = partial(app.intake.process_upload, event)
        slow.adapters.blobs = Slow(stack.info["connection_strings"]["storage"], overtake)
        await slow.intake.process_upload(event)
    assets, _ = await app.assets.page(tenant, size=10, continuation=None)
    assert [asset.path for asset in assets] == ["cat.jpg"]


@pytest.mark.parametrize(
    ("deliveries", "later"),
    [(2, timedelta()), (1, timedelta(hours=1))],
    ids=["delivered again", "queued again, after a message that was given up"],
)
async def test_the_copies_of_a_delivery_that_broke_off_go(stack, tenant, deliveries, later):
    clock = partial(_later, later)
    async with composed(stack.settings, OneSecret(), clock) as app:
        event = await arrived(app, tenant, "cat.jpg", PHOTO)
        upload = event.name.removeprefix(f"{tenant}/")
        blob = await app.blobs.head("incoming", event.name)
        mark = {"asset": upload, "version": "of an earlier delivery"}
        left = [("quarantine", f"{tenant}/{upload}"), (f"tenant-{tenant}", f"cat.{upload}.jpg")]
        for container, name in left:
            assert await app.blobs.copy(blob, container, name, mark, "image/jpeg")
        await app.intake.process_upload(event, deliveries)
        assert [await app.blobs.head(*place) for place in left] == [None, None]
        [asset] = (await app.assets.page(tenant, size=10, continuation=None))[0]
        assert await app.blobs.head(asset.container, asset.blob)


async def test_a_path_whose_only_version_was_erased_goes_on_counting(app, tenant):
    event = await arrived(app, tenant, "cat.jpg", PHOTO)
    await app.intake.process_upload(event)
    [first] = (await app.assets.page(tenant, size=10, continuation=None))[0]
    entry = AccessRecorded(
        tenant=tenant,
        actor=Actor(id="noor", role="tenant.dam_manager", organisation="Acme"),
        action="asset.erased",
        resource=f"assets/{first.id}",
        outcome="allowed",
    )
    await app.assets.erase(tenant, first.id, "request", entry)
    await app.intake.process_upload(await arrived(app, tenant, "cat.jpg", PHOTO))
    [second] = (await app.assets.page(tenant, size=10, continuation=None))[0]
    assert (first.version, second.version, second.blob) == (1, 2, "cat.jpg")


async def test_an_upload_that_is_filed_and_delivered_for_the_first_time_is_filed_once(app, tenant):
    event = await arrived(app, tenant, "cat.jpg", PHOTO)
    kept = await app.tables.get("uploads", tenant, event.name.removeprefix(f"{tenant}/"))
    await app.intake.process_upload(event)
    # A delivery that ended before the record went, and another message for the same upload.
    await app.tables.commit("uploads", [Insert(Row(kept.partition, kept.row, kept.values))])
    await app.intake.process_upload(event)
    assets, _ = await app.assets.page(tenant, size=10, continuation=None)
    assert [asset.path for asset in assets] == ["cat.jpg"]
    assert [row async for row in app.tables.scan("uploads", tenant)] == []


async def test_uploads_wait_while_the_log_is_damaged_and_no_entry_is_lost(stack, tenant):
    ahead = [timedelta()]
    async with composed(stack.settings, OneSecret(), lambda: _later(ahead[0])) as app:

        async def take(path):
            await app.intake.process_upload(await arrived(app, tenant, path, PHOTO))

        await take("before.jpg")
        head = await app.tables.get("accesslog", tenant, "head")
        await app.tables.delete("accesslog", tenant, "head")
        # Within the time of one look the upload is filed, and the entry waits.
        await take("at-once.jpg")
        ahead[0] = timedelta(seconds=3)
        with pytest.raises(UnavailableError):
            await take("after.jpg")
        await app.tables.commit("accesslog", [Upsert(Row(tenant, "head", head.values))])
        await take("mended.jpg")
        await app.assets.flush(tenant)
        assets, _ = await app.assets.page(tenant, size=10, continuation=None)
        assert {one.path for one in assets} == {"before.jpg", "at-once.jpg", "mended.jpg"}
        entries = [one async for one in app.log_reading.every(tenant, EntryFilter())]
        cleared = [one.resource for one in entries if one.action == "asset.cleared"]
        assert sorted(cleared) == sorted(f"assets/{one.id}" for one in assets)


async def test_a_version_that_is_gone_and_was_never_filed_is_refused(app, tenant):
    event = BlobUploaded(name=f"{tenant}/x.jpg", etag='"0x1"', last_modified=datetime.now(UTC))
    with pytest.raises(NotFoundError) as refused:
        await app.intake.process_upload(event)
    assert refused.value.code == "upload-gone"


async def test_an_asset_says_which_fields_name_a_person_and_no_row_says_whom(app, tenant):
    event = await arrived(app, tenant, "cat.jpg", PHOTO)
    await app.intake.process_upload(event)
    [asset] = (await app.assets.page(tenant, size=10, continuation=None))[0]
    assert asset.people == ("Exif:Artist", "IPTC:2:118 Contact", "IPTC:2:80 By-line")
    rows = [row async for row in app.tables.scan("assets", tenant)]
    assert [row.row for row in rows if row.row.startswith("record|")] == [f"record|{asset.id}"]
    assert not re.search("Jürgen|Groß|studio@", repr(rows))


async def test_an_upload_beside_the_folder_of_its_tenant_goes_into_quarantine(app, blobs, tenant):
    stored = await blobs.get_blob_client("incoming", tenant).upload_blob(PHOTO)
    event = BlobUploaded(name=tenant, etag=stored["etag"], last_modified=stored["last_modified"])
    await app.intake.process_upload(event)
    assets, _ = await app.assets.page(tenant, size=10, continuation=None)
    assert [(asset.verdict, asset.reason) for asset in assets] == [("refused", "upload-unknown")]
    assert await app.blobs.head("quarantine", assets[0].blob) is not None
    assert await app.blobs.head("incoming", tenant) is None


@pytest.mark.parametrize(
    "path",
    [
        "Screenshot at 3.45.12\u202fPM.png",
        "写真\u3000一.jpg",
        "family \U0001f468\u200d\U0001f469\u200d\U0001f467.jpg",
        "100% a?b#c+d&e;f=g'h\"i.jpg",
        "a%2Fb%20c.jpg",
        " a ",
    ],
)
async def test_an_asset_keeps_the_name_of_its_upload(app, blobs, tenant, path):
    event = await arrived(app, tenant, path, PHOTO)
    await app.intake.process_upload(event)
    assets, _ = await app.assets.page(tenant, size=10, continuation=None)
    assert [(asset.path, asset.verdict) for asset in assets] == [(path, "clean")]
    container = blobs.get_container_client(f"tenant-{tenant}")
    assert [name async for name in container.list_blob_names()] == [path]


async def test_an_upload_into_the_archive_is_taken_in_once_it_is_out(app, blobs, tenant):
    name = await permitted(app, tenant, "cat.jpg", len(PHOTO))
    blob = blobs.get_blob_client("incoming", name)
    stored = await blob.upload_blob(PHOTO, standard_blob_tier=StandardBlobTier.ARCHIVE)
    event = BlobUploaded(name=name, etag=stored["etag"], last_modified=stored["last_modified"])
    await app.intake.process_upload(event)
    # Azurite brings it out at once, where Azure takes an hour.
    await app.intake.process_upload(event)
    assets, _ = await app.assets.page(tenant, size=10, continuation=None)
    assert [(asset.path, asset.verdict) for asset in assets] == [("cat.jpg", "clean")]
    assert await app.blobs.head("incoming", name) is None
