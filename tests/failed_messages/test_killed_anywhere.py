"""A replay is killed at each of its steps in turn and started again: nothing is lost."""

import json
import uuid

import pytest

from tests.compositions import registered
from tests.dying_workers import dying_workers
from tests.failed_messages.steps import body_of, dead_letter, event, listed, park, taken_off
from tests.journeys.portal import eventually


@pytest.fixture(scope="module")
async def do(services):
    """`do(event, steps)` has a worker replay, to be killed before that step."""
    module = "tests.failed_messages.dying_worker"
    async with dying_workers(1, module, services.settings) as do:
        yield do


async def test_nothing_is_lost_wherever_a_replay_is_killed(app, bus, do):
    base = f"killed-{uuid.uuid4().hex[:8]}"

    async def failed(number):
        """A tenant with a parked copy that was cut, and two dead letters."""
        tenant = await registered(app, f"{base}-{number}")
        for grant in ("g-1", "g-2"):
            await dead_letter(bus, "consent-grants", event(tenant, grantId=grant), tenant)
        long = event(tenant, grantId="g-3", x="x" * 200_000)
        await park(app, "consent-grants", uuid.uuid4().int % 10**9 + 10**9, long, tenant)
        return {"tenant": tenant}

    await do(await failed("warm"))
    total = await do(await failed("count"))
    assert total >= 5
    for step in range(total + 1):
        one = await failed(step)
        tenant = one["tenant"]
        assert await do(one, step) is None, f"nothing died at step {step} of {total}"

        async def again(one=one):
            assert await do(one) is not None
            return await listed(app, tenant=one["tenant"])

        # The locks of the killed worker end after some seconds.
        await eventually(again, lambda left: left == [])
        grants = [
            json.loads(body_of(message))["data"]["grantId"]
            for message in await taken_off(bus, "consent-grants", tenant)
        ]
        assert list(dict.fromkeys(grants)) == ["g-1", "g-2", "g-3"], (step, grants)
