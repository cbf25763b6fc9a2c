"""The work of an incident is killed at each of its steps in turn and started again."""

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime

import pytest
from azure.servicebus.aio import ServiceBusClient

from infra.local.stack import Stack
from tests.compositions import OneSecret, composed
from tests.dying_workers import dying_workers
from tests.queues import data_of, peeked

WORKERS = 4


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Storage and queues without the app's host, so that nobody else does the work."""
    processes = ["azurite", "servicebus"]
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, processes=processes) as started:
        yield started


@pytest.fixture(scope="module")
async def do(services):
    async with dying_workers(WORKERS, "tests.incidents.dying_worker", services.settings) as do:
        yield do


async def test_an_incident_counts_and_tells_once_wherever_the_work_is_killed(services, do):
    at = datetime.now(UTC).isoformat()

    def event():
        return {"kind": f"k-{uuid.uuid4().hex}", "at": at}

    events = [event(), event()]
    # The first of all makes the tables; the steps of the second are the rule.
    await do(events[0])
    total = await do(events[1])
    assert total > 10

    async def die_and_live(step):
        own = event()
        events.append(own)
        assert await do(own, step) is None, f"nothing died at step {step} of {total}"
        assert await do(own) is not None

    await asyncio.gather(*(die_and_live(step) for step in range(total + 1)))

    async with composed(services.settings, OneSecret()) as app:
        rows = [row async for row in app.tables.scan("incidents", "_records")]
        records = [row.values for row in rows if row.row.startswith("incident|")]
        steps = Counter(
            (row.row.split("|")[1], row.values["action"])
            for row in rows
            if row.row.startswith("timeline|")
        )
        await app.outbox.sweep()
    for own in events:
        mine = {one["resource"]: one for one in records if one["kind"] == own["kind"]}
        assert sorted(mine) == ["other", "r"]
        assert (mine["r"]["occurrences"], mine["other"]["occurrences"]) == (3, 1)
        assert (mine["r"]["status"], mine["other"]["status"]) == ("resolved", "open")
        assert mine["r"]["told"] == '["critical-0","critical-15m"]'
        told = {action: count for (name, action), count in steps.items() if name == mine["r"]["id"]}
        assert told == {"opened": 1, "escalated": 2, "scoped": 1, "assessed": 1, "resolved": 1}
    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as bus:
        notices = [data_of(message) for message in await peeked(bus, "notices")]
    kinds = Counter((one["kind"], one["resource"], one["step"]) for one in notices)
    assert kinds == {
        (own["kind"], resource, step): 1
        for own in events
        for resource, step in (("r", 0), ("r", 1), ("other", 0))
    }
