"""A round of announcements is killed at each of its steps in turn, and another round goes on."""

from datetime import timedelta

import pytest

from tests.compositions import registered
from tests.dying_workers import dying_workers
from tests.maintenance.steps import DAY, call_off, flow, plan, told


@pytest.fixture
async def do(services):
    """`do(event, steps)` has a worker run a round, to be killed before that step."""
    async with dying_workers(1, "tests.maintenance.dying_worker", services.settings) as do:
        yield do


async def test_each_tenant_is_told_once_wherever_a_round_is_killed(app, bus, do):
    # More tenants than one transaction takes.
    tenants = [await registered(app) for _ in range(45)]
    warm = await plan(app, 20 * DAY)
    await do({})
    await call_off(app, warm)
    await do({})
    count = await plan(app, 20 * DAY)
    total = await do({})
    assert total >= 4
    await call_off(app, count)
    await flow(app).announce()
    for step in range(total + 1):
        window = await plan(app, (10 + step) * DAY)
        assert await do({}, step) is None, f"nothing died at step {step} of {total}"
        assert await do({}) is not None
        # What a crash left in the outbox is sent by the sweep.
        app.clock.ahead = timedelta(minutes=2)
        await app.outbox.sweep()
        app.clock.ahead = timedelta(0)
        sent = await told(bus, window)
        assert sent == [("announced", 1)] * len(tenants), (step, len(sent))
