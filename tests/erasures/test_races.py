"""Erasures that other deliveries cross: one delivery is held up where another overtakes it."""

import pytest

from shared.errors import RowConflictError, UnavailableError
from shared.intake.rules import Filing
from tests.erasures.steps import (
    MIA,
    PERSON,
    approved,
    assets,
    erased,
    finished,
    indexed,
    left,
    uploaded,
)


async def test_a_discovery_that_was_overtaken_changes_nothing_of_what_was_approved(
    fast, slow, tenant, monkeypatch
):
    for number in range(2):
        await fast.intake.process_upload(await uploaded(fast, f"{tenant}/{number}.jpg"))
    request = (await fast.erasures.request(tenant, PERSON, MIA, fast.new_id())).state.id
    search = slow.assets.of_subject

    async def overtaken(*sought):
        found = await search(*sought)
        await fast.intake.process_upload(await uploaded(fast, f"{tenant}/2.jpg"))
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
    index = slow.assets._index_people

    async def overtaken(asset):
        await fast.intake.process_upload(event)
        assert (await erased(fast, tenant)).assets == 1
        await index(asset)

    monkeypatch.setattr(slow.assets, "_index_people", overtaken)
    await slow.intake.process_upload(event)
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
            await fast.intake.process_upload(event)
        monkeypatch.setattr(fast.blobs, "delete", delete)
        assert (await erased(fast, tenant)).assets == 1
        return await copy(*wanted)

    monkeypatch.setattr(slow.blobs, "copy", overtaken)
    if crashes:
        monkeypatch.setattr(slow.assets, "add", crash)
        with pytest.raises(UnavailableError):
            await slow.intake.process_upload(event)
        monkeypatch.setattr(slow.assets, "add", add)
    await slow.intake.process_upload(event)
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
        await fast.intake.process_upload(event)
    monkeypatch.setattr(fast.assets, "add", add)
    # As it would be with signatures that are newer than those of the first delivery.
    newer = Filing("infected", "malware-found")
    monkeypatch.setattr("shared.intake.service.decide", lambda _: newer)
    await fast.intake.process_upload(event)
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
    await slow.intake.process_upload(event)
    assert await assets(fast, tenant) == []
    assert await left(services, tenant) == ([], [])


async def test_index_rows_that_a_crash_left_of_an_erased_asset_go_with_the_next_request(
    fast, slow, tenant, monkeypatch
):
    event = await uploaded(fast, f"{tenant}/a.jpg")
    index = slow.assets._index_people

    async def overtaken(asset):
        await fast.intake.process_upload(event)
        await erased(fast, tenant)
        await index(asset)
        raise UnavailableError("storage")

    monkeypatch.setattr(slow.assets, "_index_people", overtaken)
    with pytest.raises(UnavailableError):
        await slow.intake.process_upload(event)
    assert await indexed(fast, tenant)
    assert (await erased(fast, tenant)).assets == 0
    assert not await indexed(fast, tenant)
