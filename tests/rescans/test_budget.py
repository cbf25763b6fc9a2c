"""The day's budget, the timer, batches, and deliveries that cross."""

import asyncio
from datetime import timedelta

import pytest

from shared.assets import runs
from shared.errors import ConflictError, UnavailableError
from shared.messages.contracts import AccessRecorded
from shared.rescans.rules import SYSTEM
from tests.compositions import OneSecret, composed, registered
from tests.rescans.steps import ALL, MARK, MIA, With, assets, indexed, notices, run, upload, use

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
async def frugal(services, time, newer):
    """`await frugal(limit)` is the updated app with a budget of its own, in bytes a day."""
    made = []

    async def make(limit):
        settings = services.settings | {"RESCAN_BYTES_A_DAY": str(limit)}
        context = composed(settings, OneSecret(), time)
        app = await context.__aenter__()
        made.append(context)
        use(app, With(newer))
        return app

    yield make
    for context in made:
        await context.__aexit__(None, None, None)


async def day_of_its_own(app, time):
    """Move the clock to a day of whose budget nothing is taken yet."""
    while True:
        time.ahead += DAY
        day = time().date().isoformat()
        if await app.tables.get("rescans", "days", day) is None:
            return


async def test_the_budget_stops_a_rescan_and_the_next_day_goes_on(app, frugal, time, tenant):
    await day_of_its_own(app, time)
    for number in range(5):
        await upload(app, tenant, f"{number}.txt", b"x" * 100)
        time.ahead += timedelta(seconds=1)
    order = await indexed(app, tenant, time() + DAY)
    updated = await frugal(250)
    state, _, _ = await updated.rescans.request(tenant, ALL, MIA, app.new_id())
    state = await run(updated, tenant, state.id)
    # The last asset of a day may exceed the budget.
    assert (state.status, state.scanned, state.bytes, state.remaining) == ("paused", 3, 300, 2)
    assert await indexed(app, tenant, time() + DAY) == [*order[3:], *order[:3]]
    await updated.rescan_schedule.run()
    assert (await run(updated, tenant, state.id)).status == "paused"
    await day_of_its_own(app, time)
    await updated.rescan_schedule.run()
    state = await run(updated, tenant, state.id)
    assert (state.status, state.scanned, state.bytes) == ("completed", 5, 500)
    assert await indexed(app, tenant, time() + DAY) == order


async def test_a_file_larger_than_the_budget_has_its_turn(app, frugal, time, tenant):
    await day_of_its_own(app, time)
    asset = await upload(app, tenant, "a.txt", MARK * 10)
    updated = await frugal(1)
    state, _, _ = await updated.rescans.request(tenant, ALL, MIA, app.new_id())
    await run(updated, tenant, state.id)
    assert (await app.assets.find(tenant, asset.id)).verdict == "infected"


async def test_a_budget_of_0_bytes_is_no_rescan(app, frugal, time, tenant):
    await upload(app, tenant, "a.txt", MARK)
    updated = await frugal(0)
    time.ahead += DAY
    await updated.rescan_schedule.run()
    with pytest.raises(ConflictError) as refused:
        await updated.rescans.request(tenant, ALL, MIA, app.new_id())
    assert refused.value.code == "rescans-off"
    assert await updated.rescans.page(tenant, size=10, continuation=None) == ([], None)


async def test_new_signatures_open_one_rescan_an_hour_later(app, updated, time, tenant):
    asset = await upload(app, tenant, "a.txt", MARK)

    async def opened():
        found, _ = await app.rescans.page(tenant, size=10, continuation=None)
        return found

    # Whatever other tests left, from here on the stamp has had the older signatures for long.
    await app.rescan_schedule.run()
    time.ahead += 2 * HOUR
    late = await upload(app, tenant, "late.txt", b"late")
    assert [one.requested_by for one in await opened()] == []
    await updated.rescan_schedule.run()
    assert await opened() == []
    time.ahead += HOUR - timedelta(minutes=1)
    await updated.rescan_schedule.run()
    assert await opened() == []
    time.ahead += timedelta(minutes=2)
    await updated.rescan_schedule.run()
    await updated.rescan_schedule.run()
    [state] = await opened()
    assert state.requested_by == SYSTEM
    state = await run(updated, tenant, state.id)
    assert (state.status, state.scanned, state.found) == ("completed", 2, 1)
    assert (await app.assets.find(tenant, asset.id)).verdict == "infected"
    assert (await app.assets.find(tenant, late.id)).verdict == "clean"
    time.ahead += 3 * HOUR
    await updated.rescan_schedule.run()
    assert len(await opened()) == 1


async def test_the_timer_sends_a_lost_message_again(app, updated, time, tenant, monkeypatch):
    await upload(app, tenant, "a.txt", b"a")
    state, _, _ = await updated.rescans.request(tenant, ALL, MIA, app.new_id())
    sent = []
    send = updated.bus.send

    async def watch(messages):
        sent.extend(one for one in messages if one.queue == "rescans")
        await send(messages)

    monkeypatch.setattr(updated.bus, "send", watch)
    await updated.rescan_schedule.run()
    mine = [one for one in sent if state.id in one.body.decode()]
    assert mine == []
    time.ahead += runs.STALLED + timedelta(minutes=1)
    await updated.rescan_schedule.run()
    mine = [one for one in sent if state.id in one.body.decode()]
    assert [one.session for one in mine] == [runs.lane_of(tenant)]


async def test_the_timer_ends_a_move_that_a_crash_left(app, updated, bus, tenant, monkeypatch):
    asset = await upload(app, tenant, "a.txt", MARK)
    state, _, _ = await updated.rescans.request(tenant, ALL, MIA, app.new_id())

    async def crash(*_):
        raise UnavailableError("storage")

    copy = updated.blobs.copy
    monkeypatch.setattr(updated.blobs, "copy", crash)
    with pytest.raises(UnavailableError):
        await run(updated, tenant, state.id)
    # Access is refused although the bytes are still there.
    assert (await app.assets.find(tenant, asset.id)).verdict == "infected"
    assert await app.blobs.head(asset.container, asset.blob) is not None
    assert await notices(bus, tenant) == []
    monkeypatch.setattr(updated.blobs, "copy", copy)
    await updated.rescan_schedule.run()
    assert await app.blobs.head(asset.container, asset.blob) is None
    assert len(await notices(bus, tenant)) == 1


async def test_many_assets_are_scanned_in_batches_the_oldest_first(
    app, updated, time, tenant, monkeypatch
):
    monkeypatch.setattr(runs, "COUNT_SIZE", 1)
    number = 60
    for place in range(number):
        await upload(app, tenant, f"{place}.txt", f"{place}".encode())
        time.ahead += timedelta(seconds=1)
    order = await indexed(app, tenant, time() + DAY)
    assert len(order) == number
    state, _, _ = await updated.rescans.request(tenant, ALL, MIA, app.new_id())
    await run(updated, tenant, state.id, most=2)
    moved = await indexed(app, tenant, time() + DAY)
    assert moved == [*order[runs.BATCH_SIZE :], *order[: runs.BATCH_SIZE]]
    state = await run(updated, tenant, state.id)
    assert (state.counted, state.scanned, state.batch) == (number, number, 3)
    assert await indexed(app, tenant, time() + DAY) == order


async def test_two_deliveries_of_a_batch_count_each_asset_once(
    services, app, updated, newer, time, tenant
):
    for place in range(6):
        await upload(app, tenant, f"{place}.txt", MARK if place == 3 else f"{place}".encode())
    state, _, _ = await updated.rescans.request(tenant, ALL, MIA, app.new_id())
    await updated.rescans.advance(tenant, state.id, 0)
    async with composed(services.settings, OneSecret(), time) as second:
        use(second, With(newer))
        await asyncio.gather(
            *(one.rescans.advance(tenant, state.id, 1) for one in (updated, second))
        )
    state = await run(updated, tenant, state.id)
    assert (state.status, state.scanned, state.found) == ("completed", 6, 1)


@pytest.mark.parametrize("step", ["read", "commit", "copy"])
@pytest.mark.parametrize("data", [b"harmless", MARK])
async def test_an_erasure_that_crosses_a_rescan_leaves_nothing(
    services, app, updated, time, tenant, monkeypatch, step, data
):
    asset = await upload(app, tenant, "a.txt", data)
    entry = AccessRecorded(
        tenant=tenant, actor=SYSTEM, action="asset.erased", resource="a", outcome="allowed"
    )
    erased = False
    place, name = {
        "read": (updated.blobs, "head"),
        "commit": (updated.outbox, "commit"),
        "copy": (updated.blobs, "copy"),
    }[step]
    call = getattr(place, name)

    async def overtaken(*args, **kwargs):
        nonlocal erased
        if not erased and time.armed:
            erased = True
            await app.assets.erase(tenant, asset.id, "R1", entry)
        return await call(*args, **kwargs)

    time.armed = False
    state, _, _ = await updated.rescans.request(tenant, ALL, MIA, app.new_id())
    await updated.rescans.advance(tenant, state.id, 0)
    monkeypatch.setattr(place, name, overtaken)
    time.armed = True
    state = await run(updated, tenant, state.id)
    if not erased:
        await app.assets.erase(tenant, asset.id, "R1", entry)
    await updated.rescan_schedule.run()
    assert state.status == "completed"
    assert await assets(app, tenant) == []
    assert [one async for one in app.blobs.scan(f"tenant-{tenant}")] == []
    assert [one async for one in app.blobs.scan("quarantine", f"{tenant}/")] == []
    left = [row.row async for row in app.tables.scan("assets", tenant)]
    assert [row for row in left if row.startswith(("moving", "scanned", "outbox"))] == []


async def test_a_tenant_that_the_stamp_may_not_keep_holds_up_no_other(app, updated, time, tenant):
    await upload(app, tenant, "a.txt", b"a")
    odd = await registered(app)
    row = await app.tables.get("tenants", "westeurope", odd)
    from shared.ports import Replace, Row

    values = dict(row.values) | {"residencyZone": "us"}
    await app.tables.commit("tenants", [Replace(Row(row.partition, row.row, values, row.etag))])
    await updated.rescan_schedule.run()
    time.ahead += 2 * HOUR
    await updated.rescan_schedule.run()
    found, _ = await app.rescans.page(tenant, size=10, continuation=None)
    assert len(found) == 1
