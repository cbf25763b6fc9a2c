"""Windows are planned and announced on real storage and real queues."""

import asyncio
from datetime import timedelta

import pytest

from shared.errors import ConflictError, NotFoundError, PreconditionFailedError
from shared.maintenance import access_basis
from shared.maintenance.rules import WindowChange
from shared.tenancy.rules import TenantChange
from tests.compositions import PORTAL, registered
from tests.maintenance.steps import DAY, HOUR, ITO, call_off, flow, plan, told


@pytest.fixture(autouse=True)
async def no_other_window(app):
    """Call off what an earlier test planned."""
    yield
    windows, _ = await flow(app).page(size=1000, continuation=None)
    for window in windows:
        if window.status == "planned" and window.ends_at > app.clock():
            await call_off(app, window)


async def leave(app, tenant):
    seen, etag = await app.tenants.read(tenant)
    await app.tenants.change(seen, etag, TenantChange(status="leaving"), PORTAL, app.new_id())


async def test_every_tenant_is_told_once_a_version(app, bus):
    tenants = [await registered(app) for _ in range(3)]
    await leave(app, tenants[2])
    window = await plan(app)
    assert window not in await flow(app).announced()
    await flow(app).announce()
    assert await flow(app).announce() == 0
    for tenant in tenants:
        assert await told(bus, window, tenant) == [("announced", 1)]
    assert window in await flow(app).announced()

    # A tenant that joins is told within ten minutes.
    late = await registered(app)
    app.clock.ahead = timedelta(minutes=11)
    assert await flow(app).announce() == 1
    assert await told(bus, window, late) == [("announced", 1)]

    change = WindowChange(reason="More disks", work="More disks")
    after, _ = await flow(app).change(window.id, change, ITO, lambda _etag: None)
    # Staff has no access under a version that nobody knows yet.
    assert after not in await flow(app).announced()
    await flow(app).announce()
    assert after in await flow(app).announced()
    # One that joins now hears of the second version alone.
    last = await registered(app)
    app.clock.ahead = timedelta(minutes=22)
    await flow(app).announce()
    assert await told(bus, window, last) == [("announced", 2)]
    await call_off(app, window)
    await flow(app).announce()
    await flow(app).announce()
    for tenant in tenants:
        history = [("announced", 1), ("changed", 2), ("called-off", 3)]
        assert await told(bus, window, tenant) == history
    assert await told(bus, window, last) == [("announced", 2), ("called-off", 3)]


async def test_reminders_come_once_even_when_the_clock_goes_back(app, bus):
    tenant = await registered(app)
    window = await plan(app)
    await flow(app).announce()
    for ahead in (5 * DAY, 5 * DAY - HOUR, 5 * DAY, 6 * DAY - HOUR, 6 * DAY - 2 * HOUR, 6 * DAY):
        app.clock.ahead = ahead
        await flow(app).announce()
        await flow(app).announce()
    assert await told(bus, window, tenant) == [
        ("announced", 1),
        ("reminder", 1),
        ("reminder", 1),
    ]
    app.clock.ahead = timedelta(0)


async def test_access_begins_with_the_announcement_and_ends_with_the_window(app, bus):
    await registered(app)
    window = await plan(app, timedelta(0), emergency="A disk fails")

    async def basis(at=timedelta(0)):
        app.clock.ahead = at
        return access_basis(await flow(app).announced(), (), "eu", app.clock())

    assert await basis() is None
    await flow(app).announce()
    assert await basis(timedelta(seconds=2)) == f"maintenance-windows/{window.id}"
    assert await basis(3 * HOUR) is None
    await basis(timedelta(seconds=2))
    await call_off(app, window)
    await flow(app).announce()
    assert await basis(timedelta(seconds=3)) is None


async def test_two_rounds_at_once_tell_once(app, bus):
    tenants = [await registered(app) for _ in range(3)]
    window = await plan(app)
    await asyncio.gather(*(flow(app).announce() for _ in range(4)))
    for tenant in tenants:
        assert await told(bus, window, tenant) == [("announced", 1)]


async def test_the_same_id_is_the_same_window_and_two_at_once_do_not_overlap(app):
    identifier = app.new_id()
    window = await plan(app, identifier=identifier)
    assert await plan(app, 8 * DAY, identifier=identifier) == window
    await call_off(app, window)
    both = await asyncio.gather(
        *(plan(app, 6 * DAY + number * HOUR) for number in range(3)), return_exceptions=True
    )
    refused = [one for one in both if isinstance(one, ConflictError)]
    assert {one.code for one in refused} == {"maintenance-overlaps"}
    # The first and the third meet, and do not overlap.
    assert len(both) - len(refused) in (1, 2)


async def test_a_change_needs_the_state_that_was_seen(app):
    window = await plan(app)

    def differs(_etag):
        raise PreconditionFailedError("if-match-failed", "d", "r")

    change = WindowChange(reason="r", work="x")
    with pytest.raises(PreconditionFailedError):
        await flow(app).change(window.id, change, ITO, differs)
    with pytest.raises(PreconditionFailedError):
        await flow(app).call_off(window.id, "r", ITO, differs)
    assert (await flow(app).find(window.id))[0] == window
    for act in (
        flow(app).find("nothing"),
        flow(app).change("nothing", change, ITO, differs),
        flow(app).call_off("nothing", "r", ITO, differs),
    ):
        with pytest.raises(NotFoundError):
            await act


async def test_tenants_of_ids_that_begin_alike_are_told_apart(app, bus):
    base = f"t{app.new_id().lower()}"
    tenants = [await registered(app, f"{base}{end}") for end in ("", "-a", "0", "z", "-a-b")]
    window = await plan(app)
    await flow(app).announce()
    await flow(app).announce()
    for tenant in tenants:
        assert await told(bus, window, tenant) == [("announced", 1)]
