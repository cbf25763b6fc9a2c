"""A scope with its notices is killed at each of its steps in turn and started again."""

import asyncio
from collections import Counter

import pytest

from shared.accesslog.reading.filters import EntryFilter
from shared.ids import key
from tests.breaches.steps import ASSESSMENT, DPO, OFFICER, access, asset, flow, incident
from tests.compositions import registered
from tests.dying_workers import dying_workers
from tests.queues import data_of, peeked

WORKERS = 3


@pytest.fixture(scope="module")
async def do(services):
    """`do(event, steps)` has a worker do the work, to be killed before that step."""
    async with dying_workers(WORKERS, "tests.breaches.dying_worker", services.settings) as do:
        yield do


async def test_a_tenant_is_told_once_of_what_is_counted_once_wherever_it_is_killed(app, bus, do):
    async def prepared():
        tenant = await registered(app)
        for number in range(2):
            one = await asset(app, tenant, f"{number}.jpg", names=[f"Person N{number}x"])
            await access(app, tenant, f"assets/{one}")
        breach, desk = await incident(app), flow(app).desk
        seen, etag = await desk.open(breach, OFFICER)
        seen, etag = await desk.assess(seen, etag, ASSESSMENT, OFFICER)
        await desk.decide(seen, etag, "breach", "Seen.", DPO)
        return {"tenant": tenant, "breach": breach}

    events = [await prepared() for _ in range(2)]
    await do(events[0])
    total = await do(events[1])
    assert total > 20

    async def die_and_live(step):
        event = await prepared()
        events.append(event)
        assert await do(event, step) is None, f"nothing died at step {step} of {total}"
        assert await do(event) is not None

    await asyncio.gather(*(die_and_live(step) for step in range(total + 1)))

    sent = [data_of(one) for one in await peeked(bus, "notices")]
    told = Counter(one["tenant"] for one in sent if "breachId" in one)
    for event in events:
        tenant, breach = event["tenant"], event["breach"]
        # What a crash left in the outbox, the sweep sends.
        await flow(app)._store.flush(breach)
        finding, _ = await flow(app)._store.finding(breach, tenant)
        assert (finding.phase, finding.assets, finding.entries) == ("done", 2, 2), event
        assert (finding.persons, finding.notice_version) == (2, 1)
        assert finding.log.is_whole
        assert told[tenant] == 1, event
        state, _ = await flow(app).desk.find(breach)
        assert (state.notice_round, state.notices_done) == (1, 1)
        entries = [one async for one in app.log_reading.every(tenant, EntryFilter())]
        actions = Counter(one.action for one in entries)
        assert (actions["breach.scoped"], actions["breach.notified"]) == (1, 1)
        for partition in (key("_scope", breach), tenant):
            rows = [row.row async for row in app.tables.scan("breaches", partition)]
            assert [row for row in rows if row.startswith(("outbox", "sketch"))] == []
