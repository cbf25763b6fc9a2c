"""Rescans on the stack's own storage, delivery by delivery."""

from datetime import timedelta

import httpx
import msgspec
import pytest

from shared.accesslog.reading.filters import EntryFilter
from shared.assets import AssetFilter
from shared.composition.messages import MessagesFlow
from shared.errors import ConflictError, NotFoundError, UnavailableError
from shared.messages.contracts import AccessRecorded, Actor
from shared.ports import Replace, Row
from shared.rescans.rules import SYSTEM, Choice
from shared.rows import to_values
from shared.scanning.scanner import Engine, Findings
from tests.compositions import OneSecret, composed, registered
from tests.rescans.steps import (
    ALL,
    MARK,
    MIA,
    assets,
    incidents,
    indexed,
    notices,
    run,
    upload,
    use,
)


async def requested(app, tenant, choice=ALL):
    state, _, is_new = await app.rescans.request(tenant, choice, MIA, app.new_id())
    assert is_new
    return state.id


async def logged(app, tenant, *actions):
    entries = [entry async for entry in app.log_reading.every(tenant, EntryFilter())]
    return [(one.action, one.resource) for one in entries if one.action in actions]


async def read_by(app, tenant, asset, who, *, action="asset.read", outcome="allowed"):
    entry = AccessRecorded(
        tenant=tenant,
        actor=Actor(id=who, role="vendor.support", organisation="vendor"),
        action=action,
        resource=f"assets/{asset}",
        outcome=outcome,
    )
    await app.flow(MessagesFlow).log.record(entry, app.new_id(), app.clock())


async def test_clean_assets_get_a_newer_verdict_and_move_behind(app, updated, time, tenant):
    first = await upload(app, tenant, "a.txt", b"a")
    second = await upload(app, tenant, "b.txt", b"b")
    assert await indexed(app, tenant, time() + timedelta(days=1)) == [first.id, second.id]
    time.ahead += timedelta(minutes=1)
    third = await upload(app, tenant, "c.txt", b"c")
    rescan = await requested(updated, tenant, Choice(before=third.scanned_at))
    state = await run(updated, tenant, rescan)
    assert (state.status, state.counted, state.counted_bytes) == ("completed", 2, 2)
    assert (state.scanned, state.bytes, state.found, state.remaining) == (2, 2, 0, 0)
    found = {one.id: one for one in await assets(updated, tenant)}
    for before in (first, second):
        after = found[before.id]
        assert (after.verdict, after.people, after.version) == ("clean", before.people, 1)
        assert after.scanned_at > before.scanned_at
        assert after.scans[0].signature_version != before.scans[0].signature_version
    assert found[third.id] == third
    later = time() + timedelta(days=1)
    assert await indexed(app, tenant, later) == [third.id, first.id, second.id]
    assert await logged(app, tenant, "rescan.requested", "rescan.completed") == [
        ("rescan.completed", f"rescans/{rescan}"),
        ("rescan.requested", f"rescans/{rescan}"),
    ]


async def test_a_stored_file_that_is_now_infected_is_taken_away(
    services, app, updated, bus, tenant
):
    asset = await upload(app, tenant, "mark.txt", MARK)
    other = await upload(app, tenant, "other.txt", b"harmless")
    await read_by(app, tenant, asset.id, "sven")
    await read_by(app, tenant, asset.id, "sven", outcome="denied")
    await read_by(app, tenant, asset.id, "mia", action="asset.viewed")
    await read_by(app, tenant, other.id, "olga")
    await read_by(app, tenant, asset.id, "portal-user", action="asset.downloaded")
    link = app.blobs.read_url(
        asset.container, asset.blob, app.clock() + timedelta(minutes=5), "mark.txt"
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(link)).content == MARK
        state = await run(updated, tenant, await requested(updated, tenant))
        assert (await client.get(link)).status_code == 404
    assert (state.scanned, state.found) == (2, 1)
    found = await app.assets.find(tenant, asset.id)
    assert (found.verdict, found.reason) == ("infected", "malware-found")
    assert (found.container, found.blob) == ("quarantine", f"{tenant}/{asset.id}")
    assert [scan.matches for scan in found.scans] == [("NewlyKnown",)]
    assert await app.blobs.head(asset.container, asset.blob) is None
    kept = await app.blobs.head("quarantine", f"{tenant}/{asset.id}")
    assert (kept.size, kept.metadata) == (len(MARK), {"asset": asset.id})
    assert await app.blobs.head(other.container, other.blob) is not None
    assert await incidents(bus, tenant) == [("asset.malware-found", f"assets/{asset.id}")]
    [notice] = await notices(bus, tenant)
    assert (notice["assetId"], notice["isComplete"]) == (asset.id, True)
    assert [(one["id"], one["action"]) for one in notice["recipients"]] == [
        ("portal-user", "asset.downloaded"),
        ("sven", "asset.read"),
    ]
    entries = await logged(app, tenant, "asset.quarantined")
    assert entries == [("asset.quarantined", f"assets/{asset.id}")]
    assert await indexed(app, tenant, app.clock() + timedelta(days=1)) == [other.id]
    assert [row async for row in app.tables.scan("assets", tenant, prefix="moving")] == []


async def test_further_versions_of_the_same_bytes_go_with_the_first(app, updated, bus, tenant):
    first = await upload(app, tenant, "a.txt", MARK)
    second = await upload(app, tenant, "a.txt", MARK)
    third = await upload(app, tenant, "elsewhere/b.txt", MARK)
    other = await upload(app, tenant, "c.txt", b"harmless")
    rescan = await requested(updated, tenant)
    await updated.rescans.advance(tenant, rescan, 0)
    state, _ = await updated.rescans.find(tenant, rescan)
    await updated.rescans.advance(tenant, rescan, state.batch)
    found = {one.id: one for one in await assets(app, tenant)}
    assert [found[one.id].verdict for one in (first, second, third)] == ["infected"] * 3
    assert found[other.id].verdict == "clean"
    for one in (first, second, third):
        assert await app.blobs.head(one.container, one.blob) is None
        assert await app.blobs.head("quarantine", f"{tenant}/{one.id}") is not None
    assert {one["assetId"] for one in await notices(bus, tenant)} == {first.id, second.id, third.id}
    assert (await run(updated, tenant, rescan)).found == 1


class Odd:
    """An engine, and a scan of its own, that refuses or fails as a test says."""

    name = "yara-x"
    scans_on_demand = True
    engine_of_tests = Engine("yara-x", "2", "2", None)

    def __init__(self, *, begins=None, feeds=None):
        self._begins = begins
        self._feeds = feeds

    async def engine(self):
        return self.engine_of_tests

    async def begin(self, upload, blob):
        if self._begins:
            raise self._begins
        return OddScan(self._feeds)


class OddScan:
    engine = Odd.engine_of_tests

    def __init__(self, feeds):
        self._feeds = feeds

    def feed(self, chunk):
        if self._feeds:
            raise self._feeds

    def finish(self, file):
        return Findings(refusal="archive-unsupported")

    def close(self):
        pass


@pytest.fixture
async def other(services, time):
    """A further instance of the app, whose scanner a test chooses."""
    async with composed(services.settings, OneSecret(), time) as app:
        yield app


async def test_a_file_that_an_engine_now_refuses_stays_with_a_note_and_one_incident(
    app, other, bus, tenant, time
):
    use(other, Odd())
    asset = await upload(app, tenant, "a.txt", b"a")
    for _ in range(2):
        time.ahead += timedelta(minutes=1)
        state = await run(other, tenant, await requested(other, tenant))
        assert (state.scanned, state.failed, state.found) == (1, 0, 0)
    found = await app.assets.find(tenant, asset.id)
    assert (found.verdict, found.reason) == ("clean", None)
    assert [scan.refusal for scan in found.scans] == ["archive-unsupported"]
    assert found.scanned_at > asset.scanned_at
    assert await app.blobs.head(asset.container, asset.blob) is not None
    assert await incidents(bus, tenant) == [("asset.not-scannable", f"assets/{asset.id}")]


async def test_a_file_on_which_an_engine_fails_holds_up_no_other(app, other, bus, tenant):
    use(other, Odd(feeds=ValueError("a secret")))
    asset = await upload(app, tenant, "a.txt", b"a")
    state = await run(other, tenant, await requested(other, tenant))
    assert (state.status, state.scanned, state.failed) == ("completed", 0, 1)
    found = await app.assets.find(tenant, asset.id)
    assert (found.verdict, found.scans) == ("clean", asset.scans)
    assert found.scan_failed_at > found.scanned_at
    assert await incidents(bus, tenant) == [("asset.scan-failure", f"assets/{asset.id}")]


async def test_while_an_engine_is_down_a_batch_waits(app, other, tenant):
    use(other, Odd(begins=UnavailableError("scanner")))
    asset = await upload(app, tenant, "a.txt", b"a")
    rescan = await requested(other, tenant)
    with pytest.raises(UnavailableError):
        await run(other, tenant, rescan)
    assert await app.assets.find(tenant, asset.id) == asset
    state, _ = await app.rescans.find(tenant, rescan)
    assert (state.status, state.scanned, state.failed) == ("running", 0, 0)
    assert (await run(app, tenant, rescan)).scanned == 1


@pytest.mark.parametrize(
    ("harm", "kind"), [("missing", "asset.bytes-missing"), ("changed", "asset.bytes-differ")]
)
async def test_bytes_that_are_gone_or_changed_are_an_incident_and_no_endless_retry(
    app, updated, bus, tenant, harm, kind
):
    asset = await upload(app, tenant, "a.txt", b"a")
    other = await upload(app, tenant, "b.txt", b"b")
    blob = await app.blobs.head(asset.container, asset.blob)
    await app.blobs.delete(asset.container, asset.blob)
    if harm == "changed":
        await app.blobs.write("incoming", f"{tenant}/x", b"forged", "text/plain")
        forged = await app.blobs.head("incoming", f"{tenant}/x")
        await app.blobs.copy(forged, asset.container, asset.blob, blob.metadata, "text/plain")
    state = await run(updated, tenant, await requested(updated, tenant))
    assert (state.status, state.scanned, state.failed) == ("completed", 1, 1)
    assert await incidents(bus, tenant) == [(kind, f"assets/{asset.id}")]
    found = await app.assets.find(tenant, asset.id)
    assert (found.verdict, found.scans) == ("clean", asset.scans)
    order = await indexed(app, tenant, app.clock() + timedelta(days=1))
    assert order == [asset.id, other.id]


async def test_changed_bytes_that_are_infected_are_taken_away(app, updated, tenant):
    asset = await upload(app, tenant, "a.txt", b"a")
    await app.blobs.delete(asset.container, asset.blob)
    await app.blobs.write("incoming", f"{tenant}/x", MARK, "text/plain")
    forged = await app.blobs.head("incoming", f"{tenant}/x")
    await app.blobs.copy(forged, asset.container, asset.blob, {"asset": asset.id}, "text/plain")
    await run(updated, tenant, await requested(updated, tenant))
    assert (await app.assets.find(tenant, asset.id)).verdict == "infected"
    assert await app.blobs.head(asset.container, asset.blob) is None


async def test_only_assets_with_a_verdict_of_the_chosen_engine_are_scanned(app, updated, tenant):
    old = await upload(app, tenant, "a.txt", b"a")
    new = await upload(updated, tenant, "b.txt", b"b")
    version = old.scans[0].signature_version
    assert version != new.scans[0].signature_version
    for choice, scanned in (
        (Choice(signature_version=version), 1),
        (Choice(signature_version=version), 0),
        (Choice(engine="clamd"), 0),
        (Choice(engine="yara-x", engine_version=old.scans[0].engine_version), 2),
        (Choice(before=old.scanned_at), 0),
    ):
        state = await run(updated, tenant, await requested(updated, tenant, choice))
        assert (state.status, state.scanned) == ("completed", scanned), choice
        assert state.scanned + state.passed == state.counted


async def test_another_tenants_rescan_is_not_found_and_its_assets_stay(app, updated, tenant):
    neighbour = await registered(app)
    asset = await upload(app, neighbour, "a.txt", MARK)
    rescan = await requested(updated, tenant)
    with pytest.raises(NotFoundError):
        await updated.rescans.find(neighbour, rescan)
    with pytest.raises(NotFoundError):
        await updated.rescans.advance(neighbour, rescan, 0)
    await run(updated, tenant, rescan)
    assert await app.assets.find(neighbour, asset.id) == asset


async def test_one_request_at_a_time_and_the_same_id_is_one(app, tenant):
    rescan = await requested(app, tenant)
    state, _, is_new = await app.rescans.request(tenant, ALL, MIA, rescan)
    assert (state.id, is_new) == (rescan, False)
    with pytest.raises(ConflictError) as refused:
        await requested(app, tenant)
    assert refused.value.code == "rescan-unfinished"
    await run(app, tenant, rescan)
    await requested(app, tenant)


async def test_a_message_that_comes_late_or_twice_changes_nothing(app, updated, tenant):
    await upload(app, tenant, "a.txt", b"a")
    rescan = await requested(updated, tenant)
    done = await run(updated, tenant, rescan)
    for batch in range(4):
        await updated.rescans.advance(tenant, rescan, batch)
    assert (await updated.rescans.find(tenant, rescan))[0] == done


async def test_an_erased_asset_leaves_the_index(app, updated, tenant):
    asset = await upload(app, tenant, "a.txt", b"a")
    step = AccessRecorded(
        tenant=tenant, actor=SYSTEM, action="asset.erased", resource="a", outcome="allowed"
    )
    await app.assets.erase(tenant, asset.id, "R1", step)
    assert await indexed(app, tenant, app.clock() + timedelta(days=1)) == []


async def test_assets_are_listed_by_the_time_of_their_scan(app, updated, time, tenant):
    old = await upload(app, tenant, "a.txt", b"a")
    time.ahead += timedelta(minutes=1)
    new = await upload(app, tenant, "b.txt", b"b")
    for before, expected in (
        (old.scanned_at, set()),
        (new.scanned_at, {old.id}),
        (time() + timedelta(days=1), {old.id, new.id}),
    ):
        chosen = AssetFilter(scanned_before=before)
        found, _ = await app.assets.page(tenant, size=9, continuation=None, chosen=chosen)
        assert {one.id for one in found} == expected


async def test_a_scan_renews_the_notes_on_the_content(app, updated, time, tenant):
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'
    asset = await upload(app, tenant, "a.svg", drawing)
    assert asset.content_notes == ("active-content",)
    await noted(app, tenant, asset, "polyglot")
    time.ahead += timedelta(minutes=1)
    await run(updated, tenant, await requested(updated, tenant))
    [after] = await assets(app, tenant)
    assert (after.verdict, after.content_notes) == ("clean", ("active-content",))


async def noted(app, tenant, asset, *notes):
    """Give an asset the notes of an earlier scanner."""
    row = await app.tables.get("assets", tenant, f"asset|{asset.id}")
    values = to_values(msgspec.structs.replace(asset, content_notes=notes))
    await app.tables.commit("assets", [Replace(Row(tenant, row.row, values, row.etag))])
