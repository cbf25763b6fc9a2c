"""Two instances of the app on one stack, of which one is killed again and again.

Services report what they did on `access-events`; the tenant's log has each source's events in the
order in which they were sent, each once.
"""

import asyncio
import json
import random
import uuid
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from infra.local.stack import Stack
from shared.catalogue import ACCESS_EVENTS_QUEUE
from tests.journeys.portal import Portal, eventually
from tests.local.host.harness import ROOT, Host

SOURCES = ("/dam", "/portal", "/renditions")
KILLS = 3
# So many events are logged between two kills, at least.
BETWEEN = 100


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    """Locks are short: those of a killed instance end soon."""
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, lock_duration="PT5S") as started:
        yield started


@pytest.fixture
async def second(own_stack, tmp_path):
    """Another instance."""
    host = Host(ROOT, tmp_path, own_stack.settings)
    await host.start()
    yield host
    await host.kill()


def event(tenant, source, number):
    return {
        "specversion": "1.0",
        "id": f"{number}",
        "source": source,
        "type": "vouchsafe.access.recorded.v1",
        "time": datetime.now(UTC).isoformat(),
        "data": {
            "tenant": tenant,
            "actor": {"id": "dam", "role": "system", "organisation": "vendor"},
            "action": "asset.rendered",
            "resource": f"assets/{number}",
            "outcome": "allowed",
        },
    }


async def report(bus, tenant, source, enough):
    """What a service does: it sends its events in order, some at a time. Returns how many."""
    chosen = random.Random(source)
    sent = 0
    async with bus.get_queue_sender(ACCESS_EVENTS_QUEUE.name) as sender:
        while not enough.is_set():
            bodies = [
                json.dumps(event(tenant, source, sent + number))
                for number in range(chosen.randint(1, 12))
            ]
            await sender.send_messages(
                [ServiceBusMessage(body, message_id=str(uuid.uuid4())) for body in bodies]
            )
            sent += len(bodies)
            await asyncio.sleep(0.02)
    return sent


async def test_a_sources_events_keep_their_order_on_two_instances(own_stack, second):
    string = own_stack.info["connection_strings"]["service_bus"]
    async with (
        Portal(own_stack, "instances") as portal,
        ServiceBusClient.from_connection_string(string) as bus,
    ):

        async def rendered():
            entries = [one for one in await portal.log() if one["action"] == "asset.rendered"]
            return {
                source: [one["id"] for one in reversed(entries) if one["source"] == source]
                for source in SOURCES
            }

        async def count():
            return sum(map(len, (await rendered()).values()))

        enough = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            reports = {
                source: tasks.create_task(report(bus, portal.tenant, source, enough))
                for source in SOURCES
            }
            for _ in range(KILLS):
                before = await count()
                await eventually(count, lambda now, before=before: now >= before + BETWEEN)
                await second.kill()
                await second.start()
            enough.set()
        sent = {source: report.result() for source, report in reports.items()}
        await eventually(count, lambda now: now >= sum(sent.values()))
        assert await rendered() == {
            source: [str(number) for number in range(total)] for source, total in sent.items()
        }
