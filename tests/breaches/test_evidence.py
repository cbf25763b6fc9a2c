"""The scope follows the evidence, and says where the evidence cannot tell."""

from datetime import timedelta

import msgspec
import pytest
from msgspec import convert, to_builtins

from shared.assets.service import asset_row, record_row
from shared.breaches.notices import notice_message
from shared.breaches.scoping.rules import (
    BYTES_READ_DIRECTLY,
    LOG_DAMAGED,
    TENANT_UNKNOWN,
)
from shared.composition.accesslog import AccessLogFlow
from shared.identity import Caller
from shared.identity.rules import TENANT_ADMIN
from shared.ids import key
from shared.merkle import Note, open_checkpoint
from shared.messages.contracts import BreachNotified
from shared.ports import Delete, Merge, Row
from tests.breaches.steps import (
    ASSESSMENT,
    MALLORY,
    OFFICER,
    access,
    asset,
    criteria,
    decided,
    flow,
    incident,
    scoped,
    told,
)


@pytest.fixture
async def breach(app):
    number = await incident(app)
    await flow(app).desk.open(number, OFFICER)
    return number


async def test_only_what_meets_every_condition_counts(app, tenant, breach):
    inside = await asset(app, tenant, "shoot/a.jpg")
    outside = await asset(app, tenant, "other/b.jpg")
    for one in (inside, outside):
        await access(app, tenant, f"assets/{one}", grant_id="grant-1")
    await access(app, tenant, f"assets/{outside}", actor="somebody")
    await access(app, tenant, "assets", action="assets.listed")

    async def found(**given):
        return (await scoped(app, breach, criteria(app, tenants=(tenant,), **given)))[tenant]

    assert (await found()).assets == 2
    assert (await found()).disclosures == {"assets.listed": 1}
    by_path = await found(path_prefix="shoot/")
    assert (by_path.assets, by_path.disclosures) == (1, {})
    assert (await found(path_prefix="nothing/")).affected == "no"
    assert (await found(grant="grant-1")).assets == 2
    assert (await found(grant="grant-2")).affected == "no"
    assert (await found(actor="somebody")).assets == 1
    assert (await found(actor=None)).assets == 2
    long_ago = app.clock() - timedelta(days=9)
    past = await found(since=long_ago, until=long_ago + timedelta(hours=1))
    assert (past.affected, past.persons, past.unknown) == ("no", 0, ())


async def test_the_range_is_proven_by_a_signed_checkpoint(app, tenant, breach):
    for number in range(5):
        await access(app, tenant, f"assets/{number}", actor="somebody")
    one = await asset(app, tenant, "a.jpg")
    await access(app, tenant, f"assets/{one}")
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert found.log.is_whole
    keys = await app.checkpoints.verifiers(tenant)
    signed = open_checkpoint(found.log.checkpoint, keys)
    assert (signed.size, signed.origin) == (found.log.end, found.log.origin)
    assert Note.parse(found.log.checkpoint).signatures


async def test_a_late_window_begins_behind_the_first_entries(app, time, tenant, breach):
    for _ in range(3):
        await access(app, tenant, "assets/x", actor="somebody")
    time.ahead = timedelta(hours=5)
    one = await asset(app, tenant, "a.jpg")
    await access(app, tenant, f"assets/{one}")
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert found.log.first > 0
    assert found.log.consistency
    assert (found.assets, found.log.is_whole) == (1, True)


async def test_a_damaged_log_is_said_and_the_tenant_counts_as_undetermined(app, tenant, breach):
    await access(app, tenant, "assets/x", actor="somebody")
    rows = [row async for row in app.tables.scan("accesslog", key(tenant))]
    payloads = [row for row in rows if any(isinstance(v, bytes) for v in row.values.values())]
    entries = [row for row in payloads if "head" not in row.row and "tile" not in row.row]
    for row in entries:
        await app.tables.commit("accesslog", [Delete(row.partition, row.row)])
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert LOG_DAMAGED in found.unknown
    assert found.affected == "undetermined"
    assert found.persons is None
    assert not found.log.is_whole


async def test_a_changed_entry_breaks_the_proof(app, tenant, breach):
    one = await asset(app, tenant, "a.jpg")
    await access(app, tenant, f"assets/{one}")
    changed = 0
    async for row in app.tables.scan("accesslog", key(tenant)):
        for name, value in row.values.items():
            if isinstance(value, bytes) and MALLORY.encode() in value:
                forged = value.replace(MALLORY.encode(), b"x" * len(MALLORY))
                await app.tables.commit(
                    "accesslog", [Merge(Row(row.partition, row.row, {name: forged}))]
                )
                changed += 1
    assert changed
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert LOG_DAMAGED in found.unknown
    assert not found.log.is_whole


async def test_what_the_records_cannot_tell_is_said(app, tenant, breach):
    sound = await asset(app, tenant, "a.jpg", names=["Kim Larsen"])
    sealed = await asset(app, tenant, "b.jpg", names=["Nora Hahn"])
    erased = await asset(app, tenant, "c.jpg")
    recordless = await asset(app, tenant, "d.jpg")
    partition = key(tenant)
    # The version of the key that sealed the record was destroyed.
    gone = Merge(Row(partition, record_row(sealed), {"key": "2"}))
    await app.tables.commit("assets", [gone, Delete(partition, record_row(recordless))])
    await app.tables.commit(
        "assets", [Delete(partition, asset_row(erased)), Delete(partition, record_row(erased))]
    )
    for one in (sound, sealed, erased, recordless):
        await access(app, tenant, f"assets/{one}")
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert (found.assets, found.persons) == (4, 1)
    assert (found.unopened, found.erased, found.recordless) == (1, 1, 1)
    assert len(found.unknown) == 3
    assert found.categories["names"] == 1


async def test_where_every_record_is_closed_no_number_is_given(app, tenant, breach):
    one = await asset(app, tenant, "a.jpg", names=["Kim Larsen"])
    row = Row(key(tenant), record_row(one), {"key": "2"})
    await app.tables.commit("assets", [Merge(row)])
    await access(app, tenant, f"assets/{one}")
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert (found.affected, found.assets, found.persons) == ("yes", 1, None)


async def test_of_a_store_every_asset_counts_whatever_the_log_says(app, tenant, breach):
    ids = [await asset(app, tenant, f"a/{n}.jpg", names=[f"Person N{n}x"]) for n in range(3)]
    asked = criteria(app, tenants=(tenant,), actor=None, store="tenant-{tenant}")
    found = (await scoped(app, breach, asked))[tenant]
    assert (found.assets, found.persons, found.entries) == (3, 3, 0)
    assert BYTES_READ_DIRECTLY in found.unknown
    listed, _ = await flow(app)._store.assets(found, 10, None)
    assert set(listed) == set(ids)
    asked = criteria(app, tenants=(tenant,), actor=None, store="quarantine")
    assert (await scoped(app, breach, asked))[tenant].assets == 0
    before = app.clock() - timedelta(hours=2)
    asked = criteria(
        app,
        tenants=(tenant,),
        actor=None,
        store="assets",
        since=before,
        until=before + timedelta(hours=1),
    )
    assert (await scoped(app, breach, asked))[tenant].assets == 0


async def test_an_unknown_tenant_is_said_and_holds_nobody_up(app, tenant, breach):
    asked = criteria(app, tenants=("no-such-tenant", tenant))
    found = await scoped(app, breach, asked)
    assert found["no-such-tenant"].unknown == (TENANT_UNKNOWN,)
    assert found[tenant].phase == "done"
    state, _ = await flow(app).desk.find(breach)
    overview = await flow(app).desk.overview(state)
    assert (overview.unknown_tenants, overview.is_complete) == (1, True)


async def test_a_long_log_and_many_assets_go_in_batches(app, tenant, breach, monkeypatch):
    from shared.breaches.scoping import log_reading, service

    monkeypatch.setattr(log_reading, "_AT_ONCE", 7)
    monkeypatch.setattr(service, "_ASSETS_AT_ONCE", 4)
    monkeypatch.setattr(service, "_STEPS_A_BATCH", 2)
    ids = [await asset(app, tenant, f"a/{n}.jpg", names=[f"Person N{n}x"]) for n in range(11)]
    for one in [*ids, *ids]:
        await access(app, tenant, f"assets/{one}")
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert (found.assets, found.entries, found.persons) == (11, 22, 11)
    assert found.batch > 2
    assert found.log.is_whole
    # A batch that is delivered once more changes nothing.
    await flow(app).scoping.advance(tenant, breach, found.run, 1)
    again, _ = await flow(app)._store.finding(breach, tenant)
    assert again == found
    # The hashes of names are gone with the end.
    rows = [row.row async for row in app.tables.scan("breaches", key("_scope", breach))]
    assert [row for row in rows if row.startswith(("sketch", "outbox"))] == []


@pytest.mark.parametrize(
    "resource", ["assets/" + "x" * 1000, "assets/a/b", "assets/", "assets/\u00e9", "assets/a b"]
)
async def test_what_no_asset_can_be_called_is_counted_beside_the_assets(
    app, tenant, breach, resource
):
    await access(app, tenant, resource)
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert (found.phase, found.assets, found.disclosures) == ("done", 0, {"asset.read": 1})
    assert (found.affected, found.persons) == ("yes", None)


async def test_the_longest_notice_of_a_leaving_tenant_is_kept_and_sent(app, tenant):
    long = "\N{GRINNING FACE}" * 2000
    assessment = msgspec.structs.replace(
        ASSESSMENT, what_happened=long, consequences=long, measures=long
    )
    number = await incident(app)
    for index in range(100):
        await access(app, tenant, f"assets/{index:064}")
    for index in range(25):
        await access(app, tenant, "assets", action="x" * 500 + str(index), grant_id=f"{index:0100}")
    row = Row("westeurope", tenant, {"status": "leaving"})
    await app.tables.commit("tenants", [Merge(row)])
    found = await decided(app, number, criteria(app, tenants=(tenant,)), assessment)
    assert (found[tenant].assets, found[tenant].erased) == (100, 100)
    assert (await told(app, number)).notices_done == 1
    notice = await flow(app).notifying.find(tenant, number)
    assert notice.form.what_happened == long
    convert(to_builtins(notice_message(notice, number)), BreachNotified)


async def test_a_redacted_entry_keeps_the_proof_and_is_said(app, tenant, breach):
    one = await asset(app, tenant, "a.jpg")
    await access(app, tenant, "assets/x", actor="somebody")
    await access(app, tenant, f"assets/{one}")
    admin = Caller("ada", frozenset({TENANT_ADMIN}), tenant, "A tenant")
    redactions = app.flow(AccessLogFlow).redactions
    index = (await app.log_store.head(tenant)).size - 2
    await redactions.redact(tenant, index, "gdpr-art-17", "DSR-1", admin)
    found = (await scoped(app, breach, criteria(app, tenants=(tenant,))))[tenant]
    assert (found.assets, found.redacted, found.log.is_whole) == (1, 1, True)
    assert any("redacted" in reason for reason in found.unknown)
