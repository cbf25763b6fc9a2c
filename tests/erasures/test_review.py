"""The review of a preview: every match, decisions that hold, and an approval of shown evidence."""

import exiv2
import msgspec
import pytest

from shared.composition.assets import AssetsFlow
from shared.composition.erasures import ErasuresFlow
from shared.erasures.finds import CertaintyDecision, FieldDecision, SingleDecision
from shared.errors import (
    ConflictError,
    MalformedInputError,
    NotFoundError,
    PreconditionFailedError,
)
from tests.compositions import OneSecret, composed, registered
from tests.erasures.steps import (
    NOOR,
    PHOTO,
    approved,
    assets,
    batches_run,
    filed,
    finds,
    finished,
    requested,
    searched,
)
from tests.erasures.test_discovery import OwnKeys, captioned, previewed, sidecar

NAME = "Nora Hahn"


def with_people(count):
    """A photo of so many people, of whom every one is called Nora Hahn."""
    image = exiv2.ImageFactory.open(PHOTO)
    image.readMetadata()
    image.clearMetadata()
    people = [f"{NAME} {number}" for number in range(count)]
    image.xmpData()["Xmp.iptcExt.PersonInImage"] = people
    image.writeMetadata()
    return bytes(memoryview(image.io().mmap()))


async def decided(app, tenant, request, **given):
    _, etag = await app.erasures.find(tenant, request)
    return (await app.erasures.decide(tenant, request, NOOR, etag, **given)).state


async def matches(app, tenant, request, find, asset, size, continuation=None):
    return await app.flow(ErasuresFlow).evidence.matches(
        tenant, request, find, asset, size=size, continuation=continuation
    )


async def test_four_hundred_names_in_a_picture_are_shown(fast, tenant):
    photo = await filed(fast, f"{tenant}/a.jpg", with_people(400))
    request, _ = await previewed(fast, tenant, NAME)
    [find] = await finds(fast, tenant, request)
    [first] = find.evidence
    assert (len(first.matches), first.count) == (20, 400)
    shown, continuation = [], None
    for expected in (150, 150, 100):
        page, continuation = await matches(
            fast, tenant, request, find.find.id, photo.id, 150, continuation
        )
        assert (len(page.matches), page.count) == (expected, 400)
        shown += [text for _, text in page.matches]
    assert continuation is None
    assert sorted(shown) == sorted(f"{NAME} {number}" for number in range(400))


@pytest.mark.parametrize("continuation", ["x", "-1", "1.5", "9" * 10, "\u0663", " 1", ""])
async def test_a_foreign_place_among_matches_is_refused(fast, tenant, continuation):
    photo = await filed(fast, f"{tenant}/a.jpg", captioned(NAME))
    request, _ = await previewed(fast, tenant, NAME)
    with pytest.raises(MalformedInputError):
        await matches(fast, tenant, request, photo.id, photo.id, 9, continuation)


async def test_matches_are_of_assets_of_the_find_alone(fast, tenant):
    photo = await filed(fast, f"{tenant}/a.jpg", captioned(NAME))
    other = await filed(fast, f"{tenant}/b.jpg", captioned("Somebody Else"))
    request, _ = await previewed(fast, tenant, NAME)
    page, _ = await matches(fast, tenant, request, photo.id, photo.id, 9, "7")
    assert (list(page.matches), page.count) == ([], 1)
    for find, asset in ((photo.id, other.id), (other.id, other.id), (other.id, photo.id)):
        with pytest.raises(NotFoundError):
            await matches(fast, tenant, request, find, asset, 9)
    await approved(fast, tenant, request)
    await finished(fast, tenant, request)
    with pytest.raises(ConflictError):
        await matches(fast, tenant, request, photo.id, photo.id, 9)


async def test_an_approval_without_the_key_of_the_identifiers_is_refused(services):
    keys = OwnKeys()
    async with composed(services.settings, OneSecret(), data_keys=keys) as app:
        tenant = await registered(app)
        await filed(app, f"{tenant}/a.jpg", captioned(NAME))
        request = await requested(app, tenant, NAME)
        await searched(app, tenant, request)
        keys.lost = {"1"}
        for call in (approved(app, tenant, request), finds(app, tenant, request)):
            with pytest.raises(ConflictError) as refused:
                await call
            assert refused.value.code == "data-key-unusable"
        opened = [row async for row in app.tables.scan("incidents", tenant)]
        assert [row.values["kind"] for row in opened] == ["data-key.unusable"]
        keys.lost = set()
        await approved(app, tenant, request)
        assert (await finished(app, tenant, request)).status == "completed"


async def test_a_find_whose_evidence_is_lost_is_left_out_or_holds_the_approval(services):
    keys = OwnKeys()
    async with composed(services.settings, OneSecret(), data_keys=keys) as app:
        tenant = await registered(app)
        old = await filed(app, f"{tenant}/a.jpg", captioned(NAME))
        keys.current = "2"
        await filed(app, f"{tenant}/b.jpg", captioned(NAME))
        request = await requested(app, tenant, NAME)
        await searched(app, tenant, request)
        keys.lost = {"1"}
        shown = {one.find.id: one.evidence for one in await finds(app, tenant, request)}
        assert [(one.count, one.note) for one in shown[old.id]] == [(0, "metadata-not-opened")]
        with pytest.raises(ConflictError) as refused:
            await approved(app, tenant, request)
        assert refused.value.code == "evidence-unreadable"
        out = SingleDecision(id=old.id, decision="leave-out", reason="other")
        await decided(app, tenant, request, finds=[out])
        await approved(app, tenant, request)
        state = await finished(app, tenant, request)
        # The record that was lost since is not passed over.
        assert (state.status, state.counts.assets) == ("awaiting-approval", 0)
        assert state.not_looked_into == {"metadata-not-opened": 1}
        assert [one.id for one in await assets(app, tenant)] == [old.id]
        await approved(app, tenant, request)
        assert (await finished(app, tenant, request)).status == "completed"


async def test_a_find_whose_record_was_sealed_anew_is_shown_and_approved(services):
    """The key that sealed the record at the discovery is gone; the record is sealed by another."""
    keys = OwnKeys()
    async with composed(services.settings, OneSecret(), data_keys=keys) as app:
        tenant = await registered(app)
        await filed(app, f"{tenant}/a.jpg", captioned(NAME))
        keys.current = "2"
        newer = await filed(app, f"{tenant}/b.jpg", captioned(NAME))
        request = await requested(app, tenant, NAME)
        state = await searched(app, tenant, request)
        store = app.flow(ErasuresFlow)._store
        find = await store.find(state, state.discovery, newer.id)
        # As a reread between the discovery and the approval leaves it.
        await store.add_find(state, msgspec.structs.replace(find, keys=("0",)))
        keys.lost = {"0"}
        await approved(app, tenant, request)
        assert (await finished(app, tenant, request)).status == "completed"
        assert await assets(app, tenant) == []


async def test_assets_whose_record_cannot_be_opened_are_listed(services):
    keys = OwnKeys()
    async with composed(services.settings, OneSecret(), data_keys=keys) as app:
        tenant = await registered(app)
        search = app.flow(AssetsFlow).search
        assert await search.not_opened(tenant, []) == set()
        ids = [(await filed(app, f"{tenant}/{name}.jpg", PHOTO)).id for name in "abc"]
        keys.current = "2"
        ids += [(await filed(app, f"{tenant}/{name}.jpg", PHOTO)).id for name in "de"]
        assert await search.not_opened(tenant, ids) == set()
        keys.lost = {"1"}
        assert await search.not_opened(tenant, ids) == set(ids[:3])
        assert await search.not_opened(tenant, ids[2:]) == {ids[2]}
        assert await search.not_opened(tenant, [ids[0], ids[4]]) == {ids[0]}


async def test_a_field_in_which_nothing_was_found_is_not_decided_on(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned(NAME))
    request, _ = await previewed(fast, tenant, NAME)
    mistyped = FieldDecision(field="dc:descripton", decision="leave-out")
    with pytest.raises(NotFoundError) as refused:
        await decided(fast, tenant, request, fields=[mistyped])
    assert refused.value.code == "field-not-found"
    right = msgspec.structs.replace(mistyped, field="dc:description")
    assert (await decided(fast, tenant, request, fields=[right])).counts.assets == 0


async def test_decisions_that_include_are_of_the_finds_that_were_seen(fast, tenant):
    """A later find of the certainty or the field is asked about, and preselected as at first."""
    await filed(fast, f"{tenant}/a.jpg", captioned("N. Hahn"))
    request, _ = await previewed(fast, tenant, NAME)
    likely = CertaintyDecision(certainty="likely", decision="include", reason="other")
    field = FieldDecision(field="dc:description", decision="include")
    state = await decided(fast, tenant, request, certainties=[likely], fields=[field])
    assert state.counts.assets == 1
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    await filed(fast, f"{tenant}/b.jpg", captioned("N. Hahn"))
    state = await searched(fast, tenant, request)
    assert (state.status, state.counts.likely, state.counts.assets) == ("awaiting-approval", 1, 0)
    assert (state.choice.fields, state.choice.certainties) == ((), ())
    assert [asset.path for asset in await assets(fast, tenant)] == ["b.jpg"]


async def test_decisions_that_leave_out_hold_for_later_finds(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned(NAME))
    request, _ = await previewed(fast, tenant, NAME)
    out = FieldDecision(field="dc:description", decision="leave-out", reason="another-person")
    await decided(fast, tenant, request, fields=[out])
    await approved(fast, tenant, request)
    await batches_run(fast, tenant, request)
    await filed(fast, f"{tenant}/b.jpg", captioned(NAME))
    state = await searched(fast, tenant, request)
    assert (state.status, state.counts.named, state.counts.assets) == ("awaiting-approval", 1, 0)
    [find] = await finds(fast, tenant, request)
    assert (find.decision, find.reason) == ("leave-out", "another-person")


async def test_what_was_decided_by_field_is_told_after_the_completion(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned(NAME))
    request, _ = await previewed(fast, tenant, NAME)
    out = FieldDecision(field="dc:description", decision="leave-out", reason="kept-by-law")
    await decided(fast, tenant, request, fields=[out])
    await approved(fast, tenant, request)
    state = await finished(fast, tenant, request)
    assert (state.status, state.choice.fields) == ("completed", ())
    [find] = await finds(fast, tenant, request)
    assert (find.decision, find.reason) == ("leave-out", "kept-by-law")


@pytest.mark.parametrize("key", ["Ole Kirsch", "Nora Hahn"])
async def test_a_name_in_the_name_of_a_field_outlives_no_erasure(services, fast, tenant, key):
    text = (
        f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf="
        "'http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description xmlns:o='http://o/'>"
        f"<o:{key.replace(' ', '_')}>Nora Hahn</o:{key.replace(' ', '_')}>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    await filed(fast, f"{tenant}/a.xmp", text.encode())
    await filed(fast, f"{tenant}/b.xmp", sidecar(NAME))
    request, state = await previewed(fast, tenant, NAME)
    assert state.counts.named == 2
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    rows = [str(row) async for row in fast.tables.scan("erasures", tenant)]
    surname = key.partition(" ")[2].casefold()
    assert not [row for row in rows if surname in row.casefold()]


async def test_a_request_shows_what_holds(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned(NAME))
    request, _ = await previewed(fast, tenant, NAME)
    out = CertaintyDecision(certainty="named", decision="leave-out")
    state = await decided(fast, tenant, request, certainties=[out])
    assert state.choice.certainties == (out,)
    assert state.counts.assets == 0


async def test_two_managers_who_decide_at_once_do_not_undo_each_other(fast, slow, tenant):
    photo = await filed(fast, f"{tenant}/a.jpg", captioned(NAME))
    request, _ = await previewed(fast, tenant, NAME)
    _, etag = await fast.erasures.find(tenant, request)
    out = SingleDecision(id=photo.id, decision="leave-out")
    both = [SingleDecision(id=photo.id, decision="include"), out]
    await fast.erasures.decide(tenant, request, NOOR, etag, finds=[out])
    with pytest.raises(PreconditionFailedError):
        await slow.erasures.decide(tenant, request, NOOR, etag, finds=both[:1])
    assert (await fast.erasures.find(tenant, request))[0].counts.assets == 0
    [find] = await finds(fast, tenant, request)
    assert find.decision == "leave-out"
    # Of two decisions on a find in one body the later holds.
    state = await decided(fast, tenant, request, finds=both[::-1])
    assert state.counts.assets == 1
