"""What a discovery says of assets without a record, and finds beside a reread."""

import msgspec

from shared.assets.rules import NO_RECORD, AssetFilter
from shared.erasures import ranges
from shared.metadata.parsing import READER
from tests.erasures.steps import approved, finds, finished, searched
from tests.erasures.steps import requested as asked
from tests.rereads.steps import (
    PERSON,
    blobs,
    filed,
    made_by,
    many,
    requested,
    reread,
    run,
)


async def previewed(app, tenant):
    """The ids of the found assets, and the notes of the preview."""
    request = await asked(app, tenant)
    state = await searched(app, tenant, request)
    found = await finds(app, tenant, request)
    shown = {one.id for find in found for one in find.find.assets}
    return shown, state.not_looked_into, request


async def test_assets_without_a_record_are_counted_and_listed_until_they_are_reread(app, tenant):
    assets = [await filed(app, tenant, f"{n}.jpg") for n in range(4)]
    for asset in assets[1:3]:
        await made_by(app, asset, None)
    before = {assets[0].id, assets[3].id}
    for _ in range(2):
        found, notes, _ = await previewed(app, tenant)
        assert (found, notes) == (before, {NO_RECORD: 2})
    chosen = AssetFilter(metadata_note=NO_RECORD)
    listed, _ = await app.assets.page(tenant, size=100, continuation=None, chosen=chosen)
    assert {one.id for one in listed} == {one.id for one in assets[1:3]}
    assert {one.unread_note for one in listed} == {NO_RECORD}
    await reread(app, tenant)
    found, notes, _ = await previewed(app, tenant)
    assert (found, notes) == ({one.id for one in assets}, {})
    listed, _ = await app.assets.page(tenant, size=100, continuation=None, chosen=chosen)
    assert listed == []


async def test_no_asset_without_a_record_is_passed_over_by_the_mark(app, tenant):
    first = await filed(app, tenant, "a.jpg")
    assert (await previewed(app, tenant))[1] == {}
    # Restored from a backup of before, within the days in which an upload may be late.
    await made_by(app, first, None)
    assert (await previewed(app, tenant))[1] == {NO_RECORD: 1}


async def test_only_the_assets_behind_the_mark_are_looked_at_again(app, tenant):
    unrecorded = app.erasures._discovery._search._unrecorded
    await filed(app, tenant, "a.jpg")
    await unrecorded.confirm(tenant, app.clock())
    mark = await unrecorded._mark(tenant)
    assert mark
    await unrecorded.confirm(tenant, app.clock().replace(year=2020))
    assert await unrecorded._mark(tenant) == mark
    assert await unrecorded.find(tenant, ranges.FIRST, mark, 100) == ((), mark)


async def test_a_range_of_assets_without_records_ends_after_enough(app, tenant, monkeypatch):
    monkeypatch.setattr(ranges, "BATCH", 2)
    monkeypatch.setattr("shared.subjects.unrecorded._PAGE", 2)
    assets = [await filed(app, tenant, f"{n}.jpg") for n in range(7)]
    for asset in assets[:5]:
        await made_by(app, asset, None)
    found, notes, request = await previewed(app, tenant)
    assert (found, notes) == ({one.id for one in assets[5:]}, {NO_RECORD: 5})
    state, _ = await app.erasures.find(tenant, request)
    assert state.assets_read == 2


async def test_an_erased_asset_without_a_record_counts_no_more(app, tenant):
    asset = await filed(app, tenant, "a.jpg")
    request = await asked(app, tenant)
    await searched(app, tenant, request)
    await made_by(app, asset, None)
    assert await approved(app, tenant, request) == 1
    state = await finished(app, tenant, request)
    assert state.status == "completed"
    assert (await previewed(app, tenant))[:2] == (set(), {})


async def test_a_discovery_finds_a_record_that_is_sealed_anew_at_the_same_time(
    app, other, tenant, data_keys, monkeypatch
):
    """The blob of a large record is replaced between the reading of the row and of the blob."""
    asset = await filed(app, tenant, "a.xmp", many(PERSON))
    records = app.erasures._discovery._search._records
    opening = records.open

    async def rotated_first(tenant, rows):
        if data_keys.last == 1:
            data_keys.rotate()
            before = await blobs(app, asset)
            await run(other, tenant, await requested(other, tenant))
            assert set(await blobs(app, asset)).isdisjoint(before)
        return await opening(tenant, rows)

    monkeypatch.setattr(records, "open", rotated_first)
    found, notes, _ = await previewed(app, tenant)
    assert (found, notes) == ({asset.id}, {})


def test_an_asset_of_an_older_app_has_no_record():
    from shared.assets.rules import Asset
    from tests.assets.test_rules import NOW

    asset = Asset(
        id="a", tenant="t", path="p", verdict="clean", size=1, uploaded_at=NOW, filed_at=NOW
    )
    assert asset.unread_note == NO_RECORD
    assert msgspec.structs.replace(asset, metadata_reader=READER).unread_note is None
