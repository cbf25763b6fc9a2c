"""Discovery: the data subject is found, shown with evidence, and decided on."""

import json
import random
import struct
import zlib

import exiv2
import msgspec
import pytest

from shared.assets import AssetFilter
from shared.composition.erasures import ErasuresFlow
from shared.erasures import ranges
from shared.erasures.finds import (
    CertaintyDecision,
    FieldDecision,
    FoundAsset,
    SingleDecision,
)
from shared.errors import (
    ConflictError,
    DataKeyError,
    InvalidInputError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
)
from shared.ports import DataKey
from shared.subjects import records
from tests.compositions import OneDataKey, OneSecret, composed, registered
from tests.erasures.steps import (
    MIA,
    NOOR,
    PHOTO,
    approved,
    assets,
    filed,
    finds,
    finished,
    left,
    requested,
    searched,
)


class OwnKeys(OneDataKey):
    """Keys by version, some of them lost, in place of the vault."""

    def __init__(self):
        self.lost = set()
        self.current = "1"

    def _key(self, version):
        return DataKey(bytes([int(version)]) * 32, version)

    async def newest(self, tenant):
        if self.current in self.lost:
            raise DataKeyError(tenant, "destroyed")
        return self._key(self.current)

    async def version(self, tenant, version):
        if version in self.lost:
            raise DataKeyError(tenant, "disabled")
        return self._key(version)


def captioned(text, **more):
    """A photo whose caption is `text`."""
    image = exiv2.ImageFactory.open(PHOTO)
    image.readMetadata()
    image.clearMetadata()
    data = image.xmpData()
    data["Xmp.dc.description"] = text
    for key, value in more.items():
        data[f"Xmp.dc.{key}"] = value
    image.writeMetadata()
    return bytes(image.io().mmap())


def sidecar(name):
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>{name}</rdf:li></rdf:Bag>"
        "</Iptc4xmpExt:PersonInImage></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def shown(find):
    return [(one.asset.path, [match.how for match, _ in one.matches]) for one in find.evidence]


async def previewed(app, tenant, *identifiers, **given):
    request = await requested(app, tenant, *identifiers, **given)
    return request, await searched(app, tenant, request)


async def test_a_person_in_a_caption_is_found_with_the_text_that_names_her(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned("Zoë Müller opens the fair, with guests"))
    await filed(fast, f"{tenant}/b.jpg", captioned("Nobody at the fair"))
    request, state = await previewed(fast, tenant, "Zoe Mueller")
    assert (state.counts.named + state.counts.likely, state.assets_read) == (1, 2)
    certainty = "named" if state.counts.named else "likely"
    [find] = await finds(fast, tenant, request, certainty)
    [evidence] = find.evidence
    assert evidence.asset.path == "a.jpg"
    assert evidence.matches[0][1] == "Zoë Müller opens the fair, with guests"


async def test_the_name_of_a_file_and_of_its_folders_is_searched(fast, tenant):
    await filed(fast, f"{tenant}/Nora_Hahn/img-1.txt", b"text")
    request, state = await previewed(fast, tenant, "Nora Hahn")
    assert state.counts.named == 1
    [find] = await finds(fast, tenant, request)
    assert find.find.fields == ("path",)


async def test_a_sidecar_brings_its_photo_and_they_are_one(services, fast, tenant):
    photo = await filed(fast, f"{tenant}/shoot/IMG_7.jpg", captioned("A fair"))
    other = await filed(fast, f"{tenant}/shoot/IMG_8.jpg", captioned("A fair"))
    await filed(fast, f"{tenant}/shoot/IMG_7.jpg.xmp", sidecar("Nora Hahn"))
    request, state = await previewed(fast, tenant, "Nora Hahn")
    assert (state.counts.named, state.counts.assets) == (1, 2)
    [find] = await finds(fast, tenant, request)
    assert sorted(path for path, _ in shown(find)) == [
        "shoot/IMG_7.jpg",
        "shoot/IMG_7.jpg.xmp",
    ]
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    with pytest.raises(NotFoundError):
        await fast.assets.find(tenant, photo.id)
    assert [one.id for one in await assets(fast, tenant)] == [other.id]
    names, kept = await left(services, tenant)
    assert (names, kept) == (["shoot/IMG_8.jpg"], [f"record|{other.id}"])


async def test_a_namesake_is_left_out_and_stays(fast, tenant):
    her = await filed(fast, f"{tenant}/her.jpg", captioned("Nora Hahn"))
    namesake = await filed(fast, f"{tenant}/namesake.jpg", captioned("Nora Hahn, of Basel"))
    request, state = await previewed(fast, tenant, "Nora Hahn")
    assert state.counts.assets == 2
    _, etag = await fast.erasures.find(tenant, request)
    [find] = [one for one in await finds(fast, tenant, request) if "namesake" in str(shown(one))]
    out = SingleDecision(id=find.find.id, decision="leave-out", reason="another-person")
    await fast.erasures.decide(tenant, request, NOOR, etag, finds=[out])
    assert await approved(fast, tenant, request) == 1
    assert (await finished(fast, tenant, request)).status == "completed"
    assert [one.id for one in await assets(fast, tenant)] == [namesake.id]
    assert her.id != namesake.id


async def test_an_approval_is_of_the_decisions_that_were_seen(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned("Nora Hahn"))
    request, _ = await previewed(fast, tenant, "Nora Hahn")
    _, seen = await fast.erasures.find(tenant, request)
    out = FieldDecision(field="dc:description", decision="leave-out", reason="other")
    decision = await fast.erasures.decide(tenant, request, NOOR, seen, fields=[out])
    assert (decision.state.counts.named, decision.state.counts.assets) == (1, 0)
    with pytest.raises(PreconditionFailedError):
        await fast.erasures.approve(tenant, request, NOOR, seen)
    with pytest.raises(PreconditionFailedError):
        await fast.erasures.decide(tenant, request, NOOR, seen, fields=[out])
    missing = SingleDecision(id="01ARZ3NDEKTSV4RRFFQ69G5FAV", decision="include")
    with pytest.raises(NotFoundError):
        await fast.erasures.decide(tenant, request, NOOR, seen, finds=[missing])
    assert await approved(fast, tenant, request) == 0
    assert (await finished(fast, tenant, request)).status == "completed"
    assert len(await assets(fast, tenant)) == 1
    _, etag = await fast.erasures.find(tenant, request)
    with pytest.raises(ConflictError):
        await fast.erasures.decide(tenant, request, NOOR, etag, fields=[out])


async def test_what_is_only_possible_is_found_when_asked_for_and_never_preselected(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned("Frau Hahn and guests"))
    _, without = await previewed(fast, tenant, "Nora Hahn")
    assert without.counts.possible == 0
    request, state = await previewed(fast, tenant, "Nora Hahn", possible=True)
    assert (state.counts.possible, state.counts.assets) == (1, 0)
    _, etag = await fast.erasures.find(tenant, request)
    every = CertaintyDecision(certainty="possible", decision="include")
    decision = await fast.erasures.decide(tenant, request, MIA, etag, certainties=[every])
    assert decision.state.counts.assets == 1


async def test_one_tenants_request_finds_nothing_of_another(fast, tenant):
    other = await registered(fast)
    await filed(fast, f"{other}/a.jpg", captioned("Nora Hahn"))
    _, state = await previewed(fast, tenant, "Nora Hahn")
    assert (state.counts.named, state.assets_read) == (0, 0)


@pytest.mark.parametrize("identifiers", [[" - "], ["x"], ["Nora Hahn", "y"], ["\ud800"]])
async def test_an_identifier_that_cannot_be_searched_for_opens_no_request(
    fast, tenant, identifiers
):
    with pytest.raises(InvalidInputError):
        await fast.erasures.request(tenant, identifiers, MIA, fast.new_id())
    assert (await fast.erasures.page(tenant, size=9, continuation=None))[0] == []


async def test_a_record_that_is_too_large_for_a_row_is_found_and_erased(fast, tenant):
    random.seed(7)
    # Random letters do not compress.
    words = ["".join(random.choices("ghijklmnop", k=40)) for _ in range(5000)]
    names = "</rdf:li><rdf:li>".join([*words, "Nora Hahn"])
    asset = await filed(fast, f"{tenant}/a.xmp", sidecar(names))
    row = await fast.tables.get("assets", tenant, f"record|{asset.id}")
    assert row.values["blob"].startswith(f"{tenant}/{asset.id}.")
    assert await fast.blobs.head("metadata", row.values["blob"]) is not None
    request, state = await previewed(fast, tenant, "Nora Hahn")
    assert state.counts.named == 1
    await approved(fast, tenant, request)
    await finished(fast, tenant, request)
    assert [blob async for blob in fast.blobs.scan("metadata", f"{tenant}/")] == []


async def test_ranges_are_parted_and_searched_by_several_instances(fast, slow, tenant, monkeypatch):
    monkeypatch.setattr(ranges, "BATCH", 2)
    monkeypatch.setattr("shared.subjects.search._PAGE", 2)
    for number in range(9):
        await filed(fast, f"{tenant}/{number}.txt", b"Nora")
    await filed(fast, f"{tenant}/Nora Hahn.txt", b"text")
    request = await requested(fast, tenant, "Nora Hahn")
    state, _ = await fast.erasures.find(tenant, request)
    first, second = fast.flow(ErasuresFlow), slow.flow(ErasuresFlow)
    seen = 0
    while state.status == "discovering":
        told = await fast.erasures.progress(state)
        assert told.assets_read >= seen
        seen = told.assets_read
        for one in await first._store.ranges(state):
            # Each message is delivered twice, to two instances.
            for flow in (first, second):
                await flow.discovery.search(tenant, request, state.discovery, one.after)
        state, _ = await fast.erasures.find(tenant, request)
    assert (state.assets_read, state.counts.named) == (10, 1)
    assert len(await first._store.ranges(state)) > 4


async def test_a_range_whose_message_is_gone_is_searched_in_the_end(fast, tenant, monkeypatch):
    await filed(fast, f"{tenant}/a.jpg", captioned("Nora Hahn"))
    request = await requested(fast, tenant, "Nora Hahn")
    sent = []

    async def send(messages):
        sent.extend(messages)

    flow = fast.flow(ErasuresFlow)
    monkeypatch.setattr(flow.discovery._bus, "send", send)
    state, _ = await fast.erasures.find(tenant, request)
    await fast.erasures.resume()
    assert [one for one in sent if request.encode() in one.body] == []
    monkeypatch.setattr("shared.erasures.service._FORGOTTEN", state.requested_at.resolution)
    await fast.erasures.resume()
    [again] = [one for one in sent if request.encode() in one.body]
    data = json.loads(again.body)["data"]
    await flow.discovery.search(tenant, request, data["discovery"], data["first"])
    assert (await fast.erasures.find(tenant, request))[0].status == "awaiting-approval"


async def test_a_new_version_of_the_key_seals_and_the_old_is_read_still(services):
    keys = OwnKeys()
    async with composed(services.settings, OneSecret(), data_keys=keys) as app:
        tenant = await registered(app)
        await filed(app, f"{tenant}/a.jpg", captioned("Nora Hahn"))
        request = await requested(app, tenant, "Nora Hahn")
        keys.current = "2"
        await filed(app, f"{tenant}/b.jpg", captioned("Nora Hahn"))
        state = await searched(app, tenant, request)
        assert state.counts.named == 2
        rows = [row async for row in app.tables.scan("assets", tenant, prefix="record|")]
        assert [row.values["key"] for row in rows] == ["1", "2"]


async def test_records_whose_key_is_lost_are_counted_and_reported(services):
    keys = OwnKeys()
    async with composed(services.settings, OneSecret(), data_keys=keys) as app:
        tenant = await registered(app)
        await filed(app, f"{tenant}/a.jpg", captioned("Nora Hahn"))
        keys.current = "2"
        await filed(app, f"{tenant}/b.jpg", captioned("Nora Hahn"))
        keys.lost = {"1"}
        request = await requested(app, tenant, "Nora Hahn")
        state = await searched(app, tenant, request)
        assert (state.counts.named, state.assets_read) == (1, 2)
        assert state.not_looked_into == {records.NOT_OPENED: 1}
        opened = [row async for row in app.tables.scan("incidents", tenant)]
        assert [row.values["kind"] for row in opened] == ["data-key.unusable"]


async def test_no_asset_is_filed_that_nobody_could_find(services):
    keys = OwnKeys()
    async with composed(services.settings, OneSecret(), data_keys=keys) as app:
        tenant = await registered(app)
        keys.lost = {"1"}
        with pytest.raises(UnavailableError):
            await filed(app, f"{tenant}/a.jpg", captioned("Nora Hahn"))
        assert await assets(app, tenant) == []
        opened = [row async for row in app.tables.scan("incidents", tenant)]
        assert [row.values["kind"] for row in opened] == ["data-key.unusable"]
        keys.lost = set()
        await filed(app, f"{tenant}/a.jpg", captioned("Nora Hahn"))


async def test_assets_that_could_not_be_looked_into_are_counted_and_listed(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned("A fair"))
    broken = await filed(fast, f"{tenant}/b.jpg", PHOTO[:3000])
    _, state = await previewed(fast, tenant, "Nora Hahn")
    [(note, count)] = state.not_looked_into.items()
    assert count == 1
    chosen = {note: [broken.id], "any": [broken.id], "metadata-encrypted": []}
    for wanted, expected in chosen.items():
        found, _ = await fast.assets.page(
            tenant, size=9, continuation=None, chosen=AssetFilter(metadata_note=wanted)
        )
        assert [one.id for one in found] == expected


async def test_no_store_has_a_name_in_clear(services, fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned("Quirina Oyelaran"))
    request, _ = await previewed(fast, tenant, "Quirina Oyelaran", "q.oyelaran@example.org")
    for table in ("assets", "erasures", "outbox", "incidents"):
        for row in [one async for one in fast.tables.scan(table, tenant)]:
            assert b"Quirina" not in repr(row).encode(), row
            assert b"oyelaran" not in repr(row).lower().encode(), row
    await approved(fast, tenant, request)
    await finished(fast, tenant, request)
    state, _ = await fast.erasures.find(tenant, request)
    assert state.identifiers is None


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(keyword, text):
    """A picture of one pixel with a text under a keyword of the file's own choice."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"tEXt", keyword.encode() + b"\0" + text.encode())
        + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("text", ["hello", "Zelda Quorn was here"])
async def test_a_name_in_the_name_of_a_field_is_found_and_kept_nowhere(fast, tenant, text):
    await filed(fast, f"{tenant}/a.png", png("Zelda Quorn", text))
    request, state = await previewed(fast, tenant, "Zelda Quorn")
    assert state.counts.named == 1
    [find] = await finds(fast, tenant, request)
    assert "Zelda" in str([one.matches for one in find.evidence])
    for row in [one async for one in fast.tables.scan("erasures", tenant)]:
        assert "Zelda" not in repr(row), row


async def test_the_part_of_a_long_text_that_names_her_is_shown(fast, tenant):
    await filed(fast, f"{tenant}/a.jpg", captioned("word " * 700 + "Nora Hahn"))
    request, _ = await previewed(fast, tenant, "Nora Hahn")
    [find] = await finds(fast, tenant, request)
    [(_, text)] = find.evidence[0].matches
    assert "Nora Hahn" in text
    assert len(text) <= 1000


async def test_companions_of_companions_are_one_find(fast, tenant):
    for name in ("rep.pdf", "rep.docx", "rep.xmp"):
        await filed(fast, f"{tenant}/{name}", sidecar("Nora Hahn"))
    request, state = await previewed(fast, tenant, "Nora Hahn")
    assert (state.counts.named, state.counts.assets) == (1, 3)
    [find] = await finds(fast, tenant, request)
    assert len(find.find.assets) == 3


async def test_a_late_sidecar_does_not_undo_what_was_left_out(fast, tenant):
    photo = await filed(fast, f"{tenant}/IMG_2.jpg", captioned("Nora Hahn"))
    request, _ = await previewed(fast, tenant, "Nora Hahn")
    [find] = await finds(fast, tenant, request)
    _, etag = await fast.erasures.find(tenant, request)
    out = SingleDecision(id=find.find.id, decision="leave-out", reason="another-person")
    await fast.erasures.decide(tenant, request, NOOR, etag, finds=[out])
    late = await filed(fast, f"{tenant}/IMG_2.jpg.xmp", sidecar("Nora Hahn"))
    await approved(fast, tenant, request)
    state = await finished(fast, tenant, request)
    assert (state.status, state.counts.named, state.counts.assets) == ("awaiting-approval", 1, 0)
    [again] = await finds(fast, tenant, request)
    assert (again.decision, again.reason) == ("leave-out", "another-person")
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    assert {one.id for one in await assets(fast, tenant)} == {photo.id, late.id}


async def test_a_sidecar_that_comes_before_the_approval_goes_with_its_photo(fast, tenant):
    await filed(fast, f"{tenant}/IMG_3.jpg", captioned("Nora Hahn"))
    request, _ = await previewed(fast, tenant, "Nora Hahn")
    await filed(fast, f"{tenant}/IMG_3.xmp", sidecar("Somebody Else"))
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    assert await assets(fast, tenant) == []


async def test_a_request_that_is_sent_again_has_the_same_identifiers(fast, tenant):
    request = await requested(fast, tenant, "Nora Hahn")
    again = await fast.erasures.request(tenant, ["Nora Hahn"], MIA, request)
    assert again.entry is None
    with pytest.raises(InvalidInputError) as refused:
        await fast.erasures.request(tenant, ["Ida Quill"], MIA, request)
    assert refused.value.code == "idempotency-key-reused"


async def test_what_was_found_is_shown_after_the_completion(fast, tenant):
    photo = await filed(fast, f"{tenant}/a.jpg", captioned("Nora Hahn"))
    request, _ = await previewed(fast, tenant, "Nora Hahn")
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    [find] = await finds(fast, tenant, request)
    assert [one.id for one in find.find.assets] == [photo.id]
    assert find.evidence == []


@pytest.mark.parametrize("name", ["\u5c71\u7530\u82b1\u5b50" * 60, "x" * 81 + " y"])
async def test_a_name_that_is_longer_than_any_name_is_refused(fast, tenant, name):
    with pytest.raises(InvalidInputError) as refused:
        await fast.erasures.request(tenant, [name] * 200, MIA, fast.new_id())
    assert refused.value.code == "identifier-too-long"


async def test_an_asset_of_two_finds_is_erased_once(fast, tenant):
    """Two transactions of the same row would be refused, and the request would never end."""
    asset = await filed(fast, f"{tenant}/a.jpg", captioned("Nora Hahn"))
    other = await filed(fast, f"{tenant}/b.jpg", captioned("Nora Hahn"))
    request, state = await previewed(fast, tenant, "Nora Hahn")
    store = fast.flow(ErasuresFlow)._store
    [first, _] = [one async for one in store.finds(state)]
    shared = FoundAsset(id=other.id, size=other.size)
    await store.add_find(state, msgspec.structs.replace(first, assets=(*first.assets, shared)))
    included = [one async for one in fast.erasures.included(tenant, request)]
    assert sorted(included) == sorted([asset.id, other.id])
    await approved(fast, tenant, request)
    assert (await finished(fast, tenant, request)).status == "completed"
    assert await assets(fast, tenant) == []


async def test_photos_with_a_long_common_beginning_are_found_with_few_reads(
    fast, tenant, monkeypatch
):
    beginning = "2026-05-12 Annual Conference of the Association "
    assert len(beginning) > 46
    for number in range(12):
        await filed(fast, f"{tenant}/{beginning}{number:04}.jpg", captioned("Nora Hahn"))
    await filed(fast, f"{tenant}/{beginning}0003.xmp", sidecar("Nora Hahn"))
    await filed(fast, f"{tenant}/{beginning}0099.pdf", captioned("Nora Hahn"))
    await filed(fast, f"{tenant}/{beginning}0099.xmp", sidecar("Nora Hahn"))
    reads, look_up = [], fast.assets._filed

    async def counted(*given):
        reads.append(given)
        return await look_up(*given)

    monkeypatch.setattr(fast.assets, "_filed", counted)
    request, state = await previewed(fast, tenant, "Nora Hahn")
    assert (state.counts.named, state.counts.assets) == (13, 15)
    assert len(reads) <= 2 * 15
    found = await finds(fast, tenant, request)
    assert sorted(len(one.find.assets) for one in found) == [1] * 11 + [2, 2]


async def test_a_cut_sidecar_is_found_with_every_photo_that_the_name_fits(fast, tenant):
    beginning = "2026-05-12 Annual Conference of the Association"
    for number in range(3):
        await filed(fast, f"{tenant}/{beginning} {number}.jpg", captioned("Nora Hahn"))
    cut = await filed(fast, f"{tenant}/{beginning[:46]}.json", sidecar("Somebody Else"))
    request, state = await previewed(fast, tenant, "Nora Hahn")
    assert (state.counts.named, state.counts.assets) == (1, 4)
    [find] = await finds(fast, tenant, request)
    assert cut.id in {one.id for one in find.find.assets}
