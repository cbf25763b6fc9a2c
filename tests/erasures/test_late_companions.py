"""Companions filed after the preview: a sidecar goes with its photo, a photo is asked about."""

import pytest

from shared.composition.erasures import ErasuresFlow
from shared.erasures.finds import SingleDecision
from shared.errors import UnavailableError
from tests.erasures.steps import (
    NOOR,
    PHOTO,
    approved,
    assets,
    batches_run,
    filed,
    finds,
    finished,
    left,
    requested,
    searched,
)
from tests.erasures.test_discovery import captioned, sidecar

NAME = "Nora Hahn"


async def opened(app, tenant):
    request = await requested(app, tenant, NAME)
    await searched(app, tenant, request)
    return request


async def paths(app, tenant):
    return sorted(one.path for one in await assets(app, tenant))


@pytest.mark.parametrize(
    "late", ["IMG_1.xmp", "IMG_1.JPG.xmp", "img_1.jpg.json", "IMG_1.aae", "IMG_E1.aae"]
)
async def test_a_sidecar_that_is_filed_after_the_batches_goes_with_its_photo(
    services, fast, tenant, late
):
    await filed(fast, f"{tenant}/x/IMG_1.jpg", captioned(NAME))
    request = await opened(fast, tenant)
    await approved(fast, tenant, request)
    assert (await batches_run(fast, tenant, request)).status == "verifying"
    orphan = await filed(fast, f"{tenant}/x/{late}", sidecar("Somebody Else"))
    other = await filed(fast, f"{tenant}/y/{late}", sidecar("Somebody Else"))
    if late == "IMG_E1.aae":
        other = orphan
    state = await searched(fast, tenant, request)
    assert state.status == "completed"
    assert await paths(fast, tenant) == sorted({f"y/{late}", other.path})


async def test_a_late_photo_of_a_sidecar_that_was_found_is_asked_about(fast, tenant):
    note = await filed(fast, f"{tenant}/IMG_1.xmp", sidecar(NAME))
    request = await opened(fast, tenant)
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    photo = await filed(fast, f"{tenant}/IMG_1.jpg", PHOTO)
    late = await filed(fast, f"{tenant}/IMG_1.jpg.xmp", sidecar("Somebody Else"))
    state = await searched(fast, tenant, request)
    assert (state.status, state.counts.named, state.counts.assets) == ("awaiting-approval", 1, 2)
    [find] = await finds(fast, tenant, request)
    assert find.find.companion_of == note.id
    assert {one.asset.id for one in find.evidence} == {photo.id, late.id}
    assert [list(one.matches) for one in find.evidence] == [[], []]
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    assert await assets(fast, tenant) == []


async def test_a_late_photo_that_is_left_out_stays_with_its_sidecars(fast, tenant):
    await filed(fast, f"{tenant}/IMG_1.xmp", sidecar(NAME))
    request = await opened(fast, tenant)
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    await filed(fast, f"{tenant}/IMG_1.jpg", PHOTO)
    await filed(fast, f"{tenant}/IMG_1.jpg.xmp", sidecar("Somebody Else"))
    await searched(fast, tenant, request)
    [find] = await finds(fast, tenant, request)
    _, etag = await fast.erasures.find(tenant, request)
    out = SingleDecision(id=find.find.id, decision="leave-out", reason="another-person")
    await fast.erasures.decide(tenant, request, NOOR, etag, finds=[out])
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    assert await paths(fast, tenant) == ["IMG_1.jpg", "IMG_1.jpg.xmp"]


async def test_a_photo_that_replaced_hers_stays_until_somebody_decides_on_its_sidecar(fast, tenant):
    """A new version of the photo, without her, and its sidecar: nobody has seen either."""
    await filed(fast, f"{tenant}/IMG_1.jpg", captioned(NAME))
    request = await opened(fast, tenant)
    await filed(fast, f"{tenant}/IMG_1.jpg", PHOTO)
    await filed(fast, f"{tenant}/IMG_1.xmp", sidecar("Somebody Else"))
    await approved(fast, tenant, request)
    state = await finished(fast, tenant, request)
    assert (state.status, state.counts.assets) == ("awaiting-approval", 1)
    [find] = await finds(fast, tenant, request)
    assert [one.asset.path for one in find.evidence] == ["IMG_1.xmp"]
    assert await paths(fast, tenant) == ["IMG_1.jpg", "IMG_1.xmp"]


async def test_a_late_sidecar_of_what_was_left_out_stays(fast, tenant):
    await filed(fast, f"{tenant}/IMG_1.jpg", captioned(NAME))
    await filed(fast, f"{tenant}/IMG_2.jpg", captioned(NAME))
    request = await opened(fast, tenant)
    first = next(
        one
        for one in await finds(fast, tenant, request)
        if one.evidence[0].asset.path == "IMG_1.jpg"
    )
    _, etag = await fast.erasures.find(tenant, request)
    out = SingleDecision(id=first.find.id, decision="leave-out", reason="another-person")
    await fast.erasures.decide(tenant, request, NOOR, etag, finds=[out])
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    for number in (1, 2):
        await filed(fast, f"{tenant}/IMG_{number}.xmp", sidecar("Somebody Else"))
    assert (await searched(fast, tenant, request)).status == "completed"
    assert await paths(fast, tenant) == ["IMG_1.jpg", "IMG_1.xmp"]


async def test_a_late_sidecar_that_names_her_itself_is_asked_about(fast, tenant):
    await filed(fast, f"{tenant}/IMG_1.jpg", captioned(NAME))
    request = await opened(fast, tenant)
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    late = await filed(fast, f"{tenant}/IMG_1.xmp", sidecar(NAME))
    state = await searched(fast, tenant, request)
    assert (state.status, state.counts.named) == ("awaiting-approval", 1)
    [find] = await finds(fast, tenant, request)
    assert [(one.asset.id, one.count) for one in find.evidence] == [(late.id, 1)]
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    assert await assets(fast, tenant) == []


async def test_a_sidecar_that_comes_after_its_late_photo_was_left_out_stays(fast, tenant):
    await filed(fast, f"{tenant}/IMG_1.xmp", sidecar(NAME))
    request = await opened(fast, tenant)
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    photo = await filed(fast, f"{tenant}/IMG_1.jpg", PHOTO)
    await searched(fast, tenant, request)
    _, etag = await fast.erasures.find(tenant, request)
    out = SingleDecision(id=photo.id, decision="leave-out", reason="another-person")
    await fast.erasures.decide(tenant, request, NOOR, etag, finds=[out])
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    await filed(fast, f"{tenant}/IMG_1.aae", sidecar("Somebody Else"))
    assert (await searched(fast, tenant, request)).status == "completed"
    assert await paths(fast, tenant) == ["IMG_1.aae", "IMG_1.jpg"]


async def test_a_verification_that_dies_among_late_sidecars_goes_on(fast, tenant, monkeypatch):
    await filed(fast, f"{tenant}/IMG_1.jpg", captioned(NAME))
    request = await opened(fast, tenant)
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    for name in ("IMG_1.xmp", "IMG_1.jpg.xmp", "IMG_1.aae"):
        await filed(fast, f"{tenant}/{name}", sidecar("Somebody Else"))
    flow = fast.flow(ErasuresFlow)
    erase, forget = fast.assets.erase, flow._store.forget
    erased = []

    async def die_at_the_second(*given):
        if erased:
            raise UnavailableError("storage")
        erased.append(given)
        await erase(*given)

    async def die(*given):
        await forget(*given)
        raise UnavailableError("storage")

    monkeypatch.setattr(fast.assets, "erase", die_at_the_second)
    with pytest.raises(UnavailableError):
        await searched(fast, tenant, request)
    monkeypatch.setattr(fast.assets, "erase", erase)
    monkeypatch.setattr(flow._store, "forget", die)
    state, _ = await fast.erasures.find(tenant, request)
    with pytest.raises(UnavailableError):
        await flow.discovery.complete(state)
    monkeypatch.setattr(flow._store, "forget", forget)
    await fast.erasures.resume()
    assert (await fast.erasures.find(tenant, request))[0].status == "completed"
    assert await assets(fast, tenant) == []


async def test_nothing_of_the_paths_and_fields_is_left_of_a_completed_request(
    services, fast, tenant
):
    await filed(fast, f"{tenant}/of {NAME}/IMG_1.jpg", captioned(NAME))
    request = await opened(fast, tenant)
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    rows = [row async for row in fast.tables.scan("erasures", tenant)]
    assert not [row for row in rows if "hahn" in str(row).casefold()]
    assert [row for row in rows if row.row.startswith("item|") and row.values.get("path")]
    assert (await searched(fast, tenant, request)).status == "completed"
    rows = [row async for row in fast.tables.scan("erasures", tenant)]
    assert not [row for row in rows if row.row.startswith("item|")]
    assert not [
        row
        for row in rows
        if row.row.startswith("find|") and row.values.get("fields") not in (None, "[]", [])
    ]
    assert await left(services, tenant) == ([], [])
