"""A reread is killed at each of its steps in turn and started again."""

import asyncio
import uuid
from collections import Counter

import pytest

from shared.accesslog.reading.filters import EntryFilter
from tests.compositions import registered
from tests.dying_workers import dying_workers
from tests.rereads.steps import PERSON, blobs, filed, made_by, many, record, texts

WORKERS = 4


@pytest.fixture(scope="module")
async def do(services):
    """`do(event, steps)` has a worker do a reread, to be killed before that step."""
    async with dying_workers(WORKERS, "tests.rereads.dying_worker", services.settings) as do:
        yield do


async def test_a_reread_counts_once_and_keeps_one_record_wherever_it_is_killed(app, do, data_keys):
    base = f"killed-{uuid.uuid4().hex[:8]}"

    async def stored(number):
        """A tenant with a large record, an older record, and an asset without a record."""
        tenant = await registered(app, f"{base}-{number}")
        large = await filed(app, tenant, "large.xmp", many(PERSON))
        older = await filed(app, tenant, "older.jpg")
        missing = await filed(app, tenant, "missing.jpg")
        await made_by(app, older, 1)
        await made_by(app, missing, None)
        return {"tenant": tenant, "reread": app.new_id()}, (large, older, missing)

    # The first of all makes the tables and containers; what the second takes is the rule.
    stocks = [await stored("warm"), await stored("count")]
    await do(stocks[0][0])
    total = await do(stocks[1][0])
    assert total > 8

    async def die_and_live(step):
        event, assets = await stored(step)
        stocks.append((event, assets))
        assert await do(event, step) is None, f"nothing died at step {step} of {total}"
        assert await do(event) is not None

    await asyncio.gather(*(die_and_live(step) for step in range(total + 1)))
    data_keys.rotate()

    for event, assets in stocks:
        tenant = event["tenant"]
        state, _ = await app.rereads.find(tenant, event["reread"])
        assert (state.status, state.counted, state.remaining) == ("completed", 3, 0)
        assert (state.read, state.resealed, state.unreadable) == (3, 0, 0), event
        for asset in assets:
            row = await record(app, asset)
            assert row.values["key"] == "2"
            found, note = await texts(app, asset)
            assert PERSON in found
            assert note is None
            assert await app.assets.find(tenant, asset.id) == asset
        large = assets[0]
        assert (await record(app, large)).values["blob"] in await blobs(app, large)
        left = [row.row async for row in app.tables.scan("assets", tenant, prefix="outbox")]
        assert left == []
        entries = [one async for one in app.log_reading.every(tenant, EntryFilter())]
        told = Counter(one.action for one in entries if one.action.startswith("reread"))
        assert told == {"reread.requested": 1, "reread.completed": 1}
