"""Erasures that other deliveries cross: one delivery is held up where another overtakes it."""

import pytest

from shared.composition.erasures import ErasuresFlow
from shared.erasures.ranges import FIRST
from shared.errors import UnavailableError
from shared.intake.rules import Filing
from tests.erasures.steps import (
    approved,
    assets,
    batches_run,
    erased,
    filed,
    finds,
    finished,
    left,
    requested,
    searched,
    uploaded,
)


async def test_a_search_that_was_overtaken_changes_nothing_of_what_was_approved(
    fast, slow, tenant, monkeypatch
):
    for number in range(2):
        await filed(fast, f"{tenant}/{number}.jpg")
    request = await requested(fast, tenant)
    flow = slow.flow(ErasuresFlow)
    read = flow.discovery._search.read

    async def overtaken(*wanted, **given):
        found = await read(*wanted, **given)
        await filed(fast, f"{tenant}/2.jpg")
        await searched(fast, tenant, request)
        assert await approved(fast, tenant, request) == 3
        return found

    monkeypatch.setattr(flow.discovery._search, "read", overtaken)
    state, _ = await fast.erasures.find(tenant, request)
    await flow.discovery.search(tenant, request, state.discovery, FIRST)
    state = await finished(fast, tenant, request)
    assert state.status == "completed"
    assert await assets(fast, tenant) == []


async def test_a_delivery_that_an_erasure_overtook_keeps_no_record(
    services, fast, slow, tenant, monkeypatch
):
    event = await uploaded(fast, f"{tenant}/a.jpg")
    add = slow.assets.add

    async def overtaken(*kept):
        await fast.intake.process_upload(event)
        assert (await erased(fast, tenant)).counts.assets == 1
        return await add(*kept)

    monkeypatch.setattr(slow.assets, "add", overtaken)
    await slow.intake.process_upload(event)
    assert await left(services, tenant) == ([], [])


@pytest.mark.parametrize("crashes", [False, True])
async def test_a_delivery_that_an_erasure_overtook_does_not_bring_the_bytes_back(
    services, fast, slow, tenant, monkeypatch, crashes
):
    event = await uploaded(fast, f"{tenant}/a.jpg")
    copy, delete, add = slow.blobs.copy, fast.blobs.delete, slow.assets.add

    requests = []

    async def crash(*_):
        raise UnavailableError("storage")

    async def overtaken(*wanted):
        monkeypatch.setattr(fast.blobs, "delete", crash)
        with pytest.raises(UnavailableError):
            await fast.intake.process_upload(event)
        monkeypatch.setattr(fast.blobs, "delete", delete)
        request = await requested(fast, tenant)
        await searched(fast, tenant, request)
        assert await approved(fast, tenant, request) == 1
        # The bytes are in `incoming` still, so the request is not completed.
        assert (await batches_run(fast, tenant, request)).status == "erasing"
        requests.append(request)
        return await copy(*wanted)

    monkeypatch.setattr(slow.blobs, "copy", overtaken)
    if crashes:
        monkeypatch.setattr(slow.assets, "add", crash)
        with pytest.raises(UnavailableError):
            await slow.intake.process_upload(event)
        monkeypatch.setattr(slow.assets, "add", add)
    await slow.intake.process_upload(event, deliveries=2 if crashes else 1)
    assert await left(services, tenant) == ([], [])
    await fast.erasures.resume()
    assert (await searched(fast, tenant, requests[0])).status == "completed"


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
    await fast.intake.process_upload(event, deliveries=2)
    assert [asset.verdict for asset in await assets(fast, tenant)] == ["infected"]
    names, _ = await left(services, tenant)
    assert names == []


async def test_an_upload_that_waits_for_intake_keeps_a_request_open_and_is_asked_about(
    services, fast, tenant
):
    await filed(fast, f"{tenant}/a.jpg")
    event = await uploaded(fast, f"{tenant}/b.jpg")
    request = await requested(fast, tenant)
    await searched(fast, tenant, request)
    assert await approved(fast, tenant, request) == 1
    assert (await batches_run(fast, tenant, request)).status == "erasing"
    # The timer finds the upload waiting still.
    await fast.erasures.resume()
    assert (await fast.erasures.find(tenant, request))[0].status == "erasing"
    await fast.intake.process_upload(event)
    await fast.erasures.resume()
    state = await searched(fast, tenant, request)
    assert (state.status, state.counts.assets) == ("awaiting-approval", 1)
    [find] = await finds(fast, tenant, request)
    assert [one.asset.path for one in find.evidence] == ["b.jpg"]
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    assert await left(services, tenant) == ([], [])


async def test_an_upload_that_was_filed_while_the_batches_ran_is_asked_about(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg")
    request = await requested(fast, tenant)
    await searched(fast, tenant, request)
    late = await filed(fast, f"{tenant}/late.jpg")
    await approved(fast, tenant, request)
    state = await finished(fast, tenant, request)
    assert state.status == "awaiting-approval"
    [find] = await finds(fast, tenant, request)
    assert [one.asset.id for one in find.evidence] == [late.id]
    assert [asset.id for asset in await assets(fast, tenant)] == [late.id]
