"""A rescan that finds malware is killed at each of its steps in turn and started again."""

import asyncio
import uuid
from collections import Counter

import pytest

from shared.accesslog.reading.filters import EntryFilter
from tests.compositions import registered
from tests.dying_workers import dying_workers
from tests.rescans.steps import MARK, assets, incidents, newer_signatures, notices, upload

WORKERS = 4


@pytest.fixture(scope="module")
async def do(services, tmp_path_factory):
    """`do(event, steps)` has a worker do a rescan, to be killed before that step."""
    folder = tmp_path_factory.mktemp("worker")
    newer_signatures(folder)
    signatures = str(folder / "signatures")
    async with dying_workers(
        WORKERS, "tests.rescans.dying_worker", services.settings, signatures
    ) as do:
        yield do


async def test_a_rescan_counts_and_tells_once_wherever_it_is_killed(app, bus, do):
    base = f"killed-{uuid.uuid4().hex[:8]}"

    async def stored(number):
        """A tenant with an infected file, a second version of the bytes, and a harmless file."""
        tenant = await registered(app, f"{base}-{number}")
        for path, data in (("a.txt", MARK), ("b.txt", b"b"), ("a.txt", MARK)):
            await upload(app, tenant, path, data)
        return {"tenant": tenant, "rescan": app.new_id()}

    # The first of all makes the tables and containers; what the second takes is the rule.
    events = [await stored("warm"), await stored("count")]
    await do(events[0])
    total = await do(events[1])
    assert total > 10

    async def die_and_live(step):
        event = await stored(step)
        events.append(event)
        assert await do(event, step) is None, f"nothing died at step {step} of {total}"
        assert await do(event) is not None

    await asyncio.gather(*(die_and_live(step) for step in range(total + 1)))

    for event in events:
        tenant = event["tenant"]
        found = await assets(app, tenant)
        infected = {one.id for one in found if one.path == "a.txt"}
        assert {one.id for one in found if one.verdict == "infected"} == infected
        assert len(infected) == 2
        [harmless] = [one for one in found if one.path == "b.txt"]
        assert harmless.verdict == "clean"
        state, _ = await app.rescans.find(tenant, event["rescan"])
        assert (state.status, state.counted, state.remaining) == ("completed", 3, 0)
        # The second version goes with the first, and the rescan does not see it again.
        assert (state.scanned, state.found, state.failed) == (2, 1, 0), event
        places = {(one.container, one.blob) for one in found}
        here = {(f"tenant-{tenant}", b.name) async for b in app.blobs.scan(f"tenant-{tenant}")}
        here |= {("quarantine", b.name) async for b in app.blobs.scan("quarantine", f"{tenant}/")}
        assert here == places
        left = [row.row async for row in app.tables.scan("assets", tenant)]
        assert [row for row in left if row.startswith(("moving", "outbox"))] == []
        assert len([row for row in left if row.startswith("scanned")]) == 1
        assert Counter(one["assetId"] for one in await notices(bus, tenant)) == dict.fromkeys(
            infected, 1
        )
        assert Counter(await incidents(bus, tenant)) == {
            ("asset.malware-found", f"assets/{one}"): 1 for one in infected
        }
        entries = [one async for one in app.log_reading.every(tenant, EntryFilter())]
        told = Counter(one.action for one in entries)
        assert told == {
            "tenant.registered": 1,
            "asset.cleared": 3,
            "rescan.requested": 1,
            "asset.quarantined": 2,
            "rescan.completed": 1,
        }
