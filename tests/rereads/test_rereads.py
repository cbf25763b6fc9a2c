"""Rereads on the stack's own storage, delivery by delivery."""

from datetime import timedelta

import pytest

from samples.eicar import eicar
from shared.accesslog.reading.filters import EntryFilter
from shared.assets.rules import Tombstone
from shared.errors import ConflictError, NotFoundError, UnavailableError
from shared.ids import key
from shared.metadata.parsing import READER
from shared.rereads import rules
from shared.rereads.rules import NO_READER, Selection
from shared.subjects.notes import UNREAD
from tests.compositions import registered
from tests.rereads.steps import (
    PERSON,
    PHOTO,
    blobs,
    filed,
    made_by,
    many,
    noted,
    record,
    requested,
    reread,
    run,
    sidecar,
    texts,
)

STALE = Selection(reader_before=READER)
OLDER_KEY = Selection(older_key=True)


async def test_older_and_missing_records_are_made_anew(app, tenant):
    older = await filed(app, tenant, "older.jpg")
    missing = await filed(app, tenant, "missing.jpg")
    present = await filed(app, tenant, "present.jpg")
    await made_by(app, older, READER - 1)
    await made_by(app, missing, None)
    kept = await record(app, present)
    assert PERSON not in (await texts(app, older))[0]
    state = await reread(app, tenant, STALE)
    assert (state.counted, state.read, state.resealed, state.unreadable) == (2, 2, 0, 0)
    assert state.remaining == 0
    for asset in (older, missing):
        found, note = await texts(app, asset)
        assert PERSON in found
        assert asset.path in found
        assert note is None
        after = await app.assets.find(tenant, asset.id)
        assert (after.metadata_reader, after.people) == (READER, asset.people)
        assert after == asset
    assert await record(app, present) == kept
    again = await reread(app, tenant, STALE)
    assert (again.counted, again.done) == (0, 0)
    entries = [one async for one in app.log_reading.every(tenant, EntryFilter())]
    told = [(one.action, one.actor.id) for one in entries if one.resource == f"rereads/{state.id}"]
    assert told == [("reread.completed", "vouchsafe.rereads"), ("reread.requested", "ada")]


async def test_a_newer_key_seals_anew_without_the_file(app, tenant, data_keys):
    photo = await filed(app, tenant, "a.jpg")
    large = await filed(app, tenant, "b.xmp", many("Zoë Ångström"))
    [before] = await blobs(app, large)
    # What the file does not say shows that the file was not read.
    data_keys.rotate()
    recent = await filed(app, tenant, "c.jpg")
    await app.blobs.delete(photo.container, photo.blob)
    state = await reread(app, tenant, OLDER_KEY)
    assert (state.counted, state.read, state.resealed, state.unreadable) == (2, 0, 2, 0)
    data_keys.destroyed.add("1")
    for asset, name in ((photo, PERSON), (large, "Zoë Ångström"), (recent, PERSON)):
        row = await record(app, asset)
        assert (row.values["key"], row.values["reader"]) == ("2", READER)
        found, note = await texts(app, asset)
        assert name in found
        assert note is None
    [after] = await blobs(app, large)
    assert after != before


async def test_a_record_under_a_destroyed_key_is_made_anew_from_the_file(app, tenant, data_keys):
    asset = await filed(app, tenant, "a.jpg")
    data_keys.rotate()
    data_keys.destroyed.add("1")
    assert await texts(app, asset) == (set(), "metadata-not-opened")
    state = await reread(app, tenant, OLDER_KEY)
    assert (state.counted, state.read) == (1, 1)
    assert PERSON in (await texts(app, asset))[0]


async def test_both_conditions_widen_each_other(app, tenant, data_keys):
    under_older_key = await filed(app, tenant, "a.jpg")
    data_keys.rotate()
    of_older_reader = await filed(app, tenant, "b.jpg")
    await made_by(app, of_older_reader, 1)
    await filed(app, tenant, "c.jpg")
    state = await reread(app, tenant, Selection(reader_before=2, older_key=True))
    assert (state.counted, state.read, state.resealed) == (2, 1, 1)
    assert PERSON in (await texts(app, under_older_key))[0]
    assert PERSON in (await texts(app, of_older_reader))[0]


async def test_a_range_of_time_limits_the_choice(app, tenant):
    assets = [await filed(app, tenant, f"{n}.jpg") for n in range(3)]
    for asset in assets:
        await made_by(app, asset, 1)
    chosen = Selection(filed_from=assets[1].filed_at, filed_before=assets[2].filed_at)
    state = await reread(app, tenant, chosen)
    assert (state.counted, state.read) == (1, 1)
    found = [(await app.assets.find(tenant, one.id)).metadata_reader for one in assets]
    assert found == [1, READER, 1]


async def test_a_dry_run_counts_and_changes_nothing(app, tenant):
    asset = await filed(app, tenant, "a.jpg")
    await made_by(app, asset, 1)
    before = await record(app, asset)
    state = await reread(app, tenant, Selection(dry_run=True))
    assert (state.status, state.counted, state.remaining, state.done) == ("completed", 1, 1, 0)
    assert await record(app, asset) == before


async def test_a_file_that_is_gone_or_changed_keeps_its_earlier_texts(app, tenant):
    gone = await filed(app, tenant, "gone.jpg")
    changed = await filed(app, tenant, "changed.jpg")
    lost = await filed(app, tenant, "lost.jpg")
    for asset in (gone, changed):
        await noted(app, asset, reader=1)
    await made_by(app, lost, None)
    for asset in (gone, lost, changed):
        await app.blobs.delete(asset.container, asset.blob)
    await app.blobs.write(changed.container, changed.blob, PHOTO + b"other", "image/jpeg")
    state = await reread(app, tenant, STALE)
    assert (state.counted, state.read, state.unreadable) == (3, 0, 3)
    for asset in (gone, changed):
        assert PERSON in (await texts(app, asset))[0]
        assert (await record(app, asset)).values["reader"] == 1
    assert await texts(app, lost) == ({"lost.jpg"}, UNREAD)
    after = await app.assets.find(tenant, lost.id)
    assert (after.metadata_note, after.metadata_reader) == (UNREAD, NO_READER)


async def test_malware_is_not_opened_again(app, tenant):
    asset = await filed(app, tenant, "a.txt", eicar())
    assert asset.verdict == "infected"
    await made_by(app, asset, None)
    state = await reread(app, tenant, STALE)
    assert (state.counted, state.resealed, state.unreadable) == (1, 1, 0)
    assert await texts(app, asset) == ({"a.txt"}, UNREAD)
    assert (await reread(app, tenant, STALE)).counted == 0


async def test_an_asset_erased_meanwhile_gets_no_record(app, other, tenant, monkeypatch):
    erased = await filed(app, tenant, "a.xmp", many(PERSON))
    kept = await filed(app, tenant, "b.jpg")
    write = other.blobs.write_stream

    async def erase_first(container, name, *rest):
        if erased.id in name and await app.assets.look_up(key(tenant), erased.id) is not None:
            entry = rules.step_of((await other.rereads.find(tenant, running))[0], "asset.erased")
            await app.assets.erase(tenant, erased.id, "request", entry)
        await write(container, name, *rest)

    monkeypatch.setattr(other.blobs, "write_stream", erase_first)
    running = await requested(other, tenant)
    state = await run(other, tenant, running)
    assert (state.status, state.read) == ("completed", 1)
    assert isinstance(await app.assets.look_up(key(tenant), erased.id), Tombstone)
    assert await record(app, erased) is None
    assert await blobs(app, erased) == []
    assert PERSON in (await texts(app, kept))[0]


async def test_a_blob_that_a_killed_reread_left_behind_an_erasure_goes(app, tenant):
    asset = await filed(app, tenant, "a.jpg")
    running = await requested(app, tenant)
    await app.rereads.advance(tenant, running, 0)
    state, _ = await app.rereads.find(tenant, running)
    await app.assets.erase(tenant, asset.id, "request", rules.step_of(state, "asset.erased"))
    await app.blobs.write("metadata", f"{tenant}/{asset.id}.left", b"sealed", "x/y")
    await run(app, tenant, running)
    assert await blobs(app, asset) == []


async def test_a_batch_goes_behind_other_tenants_and_on_where_it_ended(app, tenant, monkeypatch):
    from shared.assets import runs

    monkeypatch.setattr(runs, "BATCH_SIZE", 2)
    assets = [await filed(app, tenant, f"{n}.xmp", sidecar([PERSON])) for n in range(5)]
    for asset in assets:
        await made_by(app, asset, 1)
    running = await requested(app, tenant, STALE)
    await app.rereads.advance(tenant, running, 0)
    await app.rereads.advance(tenant, running, 1)
    # The same message once more.
    await app.rereads.advance(tenant, running, 1)
    state, _ = await app.rereads.find(tenant, running)
    assert (state.counted, state.read, state.batch) == (5, 2, 2)
    state = await run(app, tenant, running)
    assert (state.read, state.status) == (5, "completed")


async def test_many_bytes_end_a_batch(app, tenant, monkeypatch):
    from shared.assets import runs

    monkeypatch.setattr(runs, "BATCH_BYTES", len(PHOTO))
    for n in range(6):
        await filed(app, tenant, f"{n}.jpg")
    running = await requested(app, tenant)
    await app.rereads.advance(tenant, running, 0)
    await app.rereads.advance(tenant, running, 1)
    state, _ = await app.rereads.find(tenant, running)
    assert state.read == rules.CONCURRENT
    assert (await run(app, tenant, running)).read == 6


async def test_a_file_that_ends_the_process_is_passed_over(app, tenant):
    first = await filed(app, tenant, "a.jpg")
    await filed(app, tenant, "b.jpg")
    await noted(app, first, reader=1)
    running = await requested(app, tenant)
    await app.rereads.advance(tenant, running, 0)
    await app.rereads.advance(tenant, running, 1, rules.MOST_DELIVERIES + 1)
    state, _ = await app.rereads.find(tenant, running)
    assert (state.read, state.unreadable) == (1, 1)
    assert PERSON in (await texts(app, first))[0]
    assert (await record(app, first)).values["reader"] == 1


async def test_one_reread_of_a_tenant_at_a_time(app, tenant):
    running = await requested(app, tenant)
    with pytest.raises(ConflictError) as refused:
        await requested(app, tenant)
    assert refused.value.code == "reread-unfinished"
    await run(app, tenant, running)
    await requested(app, tenant)
    with pytest.raises(NotFoundError):
        await app.rereads.find(tenant, "other")
    assert (await requested(app, await registered(app))) != running


async def test_a_destroyed_key_makes_the_reread_wait(app, tenant, data_keys):
    asset = await filed(app, tenant, "a.jpg")
    running = await requested(app, tenant)
    await app.rereads.advance(tenant, running, 0)
    data_keys.destroyed.add("1")
    with pytest.raises(UnavailableError):
        await app.rereads.advance(tenant, running, 1)
    data_keys.rotate()
    assert (await run(app, tenant, running)).read == 1
    assert PERSON in (await texts(app, asset))[0]


async def test_the_timer_sends_a_lost_message_again(app, tenant, monkeypatch):
    running = await requested(app, tenant)
    sent = []
    monkeypatch.setattr(app.rereads._store, "message", lambda state: sent.append(state) or None)

    async def commit(state, *_args, **_more):
        return None

    monkeypatch.setattr(app.rereads._store, "commit", commit)
    await app.rereads.resume()
    assert [one for one in sent if one.id == running] == []
    now = app.clock()
    monkeypatch.setattr(app.rereads, "_clock", lambda: now + timedelta(minutes=61))
    await app.rereads.resume()
    assert [one.batch for one in sent if one.id == running] == [0]
