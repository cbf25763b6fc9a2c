"""Service Bus queue functions: hosts that start, end and die with messages in flight.

Sources: "Azure Service Bus bindings for Azure Functions", host.json settings (concurrent calls and
sessions, renewal of locks), and "Azure Service Bus trigger for Azure Functions", PeekLock behaviour
(learn.microsoft.com).
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from azure.servicebus.aio import ServiceBusClient

from tests.local.host.conftest import Broker
from tests.local.host.harness import Host, eventually
from tests.local.host.messages import emptied, left, message, named, send


@pytest.fixture
def host(new_host: Callable[..., Host], broker: Broker) -> Host:
    return new_host("queues", BUS=broker.connection, SESSIONS_QUEUE="sessions")


@pytest.fixture
async def bus(broker: Broker) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(broker.connection) as client:
        yield client


async def test_calls_and_sessions_run_side_by_side_up_to_their_limits(
    host: Host, bus: ServiceBusClient
) -> None:
    await send(bus, "plain", *(message(order="wait") for _ in range(6)))
    await send(bus, "sessions", *(message("1", "wait", session_id=key) for key in "xyz"))
    await host.start()
    # maxConcurrentCalls is 4 and maxConcurrentSessions 2. Every call waits, so no more may come.
    await eventually(lambda: len(named(host, "plain")) == 4 and len(named(host, "started")) == 2)
    assert len(await left(bus, "plain")) == 6
    assert (len(named(host, "plain")), len(named(host, "started"))) == (4, 2)
    host.gate.touch()
    await eventually(lambda: len(named(host, "plain done")) == 6)
    await eventually(lambda: len(named(host, "ended")) == 3)
    assert await host.stop() == 0
    assert await left(bus, "plain") == []


async def test_the_locks_are_renewed_while_functions_run(host: Host, bus: ServiceBusClient) -> None:
    await host.start()
    await send(bus, "plain", message(order="wait"))
    await send(bus, "sessions", message("long", "wait", session_id="long"))
    await eventually(lambda: named(host, "plain") and named(host, "started"))
    # Longer than the queues' lock duration; then the broker would deliver the messages again.
    await asyncio.sleep(5)
    host.gate.touch()
    await emptied(bus, "plain")
    await eventually(lambda: named(host, "ended"))
    assert [one["delivery_count"] for one in named(host, "plain")] == [1]
    assert len(named(host, "started")) == 1
    assert await host.stop() == 0


async def test_without_renewal_a_lock_that_runs_out_is_lost(
    host: Host, bus: ServiceBusClient
) -> None:
    place = "AzureFunctionsJobHost__extensions__serviceBus__maxAutoLockRenewalDuration"
    host.settings[place] = "00:00:00"
    await host.start()
    await send(bus, "plain", message("slow", "wait", message_id="not renewed"))
    # No lock is renewed, so the queue delivers the message again while the function still runs.
    await eventually(lambda: len(named(host, "plain", message_id="not renewed")) >= 2)
    host.gate.touch()
    await emptied(bus, "plain")
    counts = [one["delivery_count"] for one in named(host, "plain", message_id="not renewed")]
    assert counts[:2] == [1, 2]
    assert await host.stop() == 0


async def test_a_session_that_is_idle_makes_room_for_the_next(
    host: Host, bus: ServiceBusClient
) -> None:
    """sessionIdleTimeout, with one session at a time (maxConcurrentSessions)."""
    place = "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentSessions"
    host.settings[place] = "1"
    await send(bus, "sessions", *(message("1", "wait", session_id=key) for key in "pq"))
    await host.start()
    await eventually(lambda: len(named(host, "started")) == 1)
    # The second session waits for the first.
    assert [one.get("name") for one in host.records] == ["started"]
    host.gate.touch()
    await eventually(lambda: len(named(host, "ended")) == 2)
    assert {one["session"] for one in named(host, "ended")} == {"p", "q"}
    assert await host.stop() == 0


async def test_a_queue_function_is_run_by_hand_with_a_text(host: Host) -> None:
    """ "Manually run a non HTTP-triggered function" (learn.microsoft.com)."""
    await host.start()
    async with httpx.AsyncClient(base_url=host.url, trust_env=False) as client:
        for function in ("plain", "text", "batches"):
            place = f"/admin/functions/{function}"
            assert (await client.post(place, json={"input": "grüße"})).status_code == 202
        assert (await client.post("/admin/functions/plain", json={"input": 1})).status_code == 400
    await eventually(lambda: named(host, "plain done") and named(host, "text"))
    await eventually(lambda: named(host, "batch done"))
    assert [one["body"] for one in named(host, "text")] == ["grüße"]
    assert [one["bodies"] for one in named(host, "batch")] == [["grüße"]]
    (seen,) = named(host, "plain")
    assert (seen["body"], seen["delivery_count"], seen["properties"]) == ("grüße", 1, {})
    assert await host.stop() == 0


async def test_the_host_waits_for_its_broker_and_outlives_it(host: Host, broker: Broker) -> None:
    broker.kill()
    host.spawn()
    await eventually(lambda: "Failed to initiate the connection" in host.log)
    assert "ready" not in host.output
    broker.start()
    await eventually(lambda: "ready" in host.output)
    broker.kill()
    broker.start()
    async with ServiceBusClient.from_connection_string(broker.connection) as bus:
        await send(bus, "plain", message(message_id="after"))
        await send(bus, "sessions", message("after", session_id="after"))
        await eventually(lambda: named(host, "plain done", message_id="after"))
        await eventually(lambda: named(host, "ended", session="after"))
    assert await host.stop() == 0


async def test_messages_in_flight_are_finished_on_sigterm(
    host: Host, bus: ServiceBusClient
) -> None:
    await host.start()
    await send(bus, "plain", message(order="wait", message_id="in flight"))
    await send(bus, "sessions", message("in flight", "wait", session_id="flying"))
    await eventually(lambda: named(host, "plain") and named(host, "started"))
    stopping = asyncio.create_task(host.stop())
    await eventually(lambda: "stopping" in host.log)
    await send(bus, "plain", message(message_id="too late"))
    assert host.exit_code is None
    host.gate.touch()
    assert await stopping == 0
    assert named(host, "plain done", message_id="in flight")
    assert named(host, "ended", session="flying")
    assert await left(bus, "plain") == ["too late"]


async def test_a_killed_hosts_messages_are_delivered_to_the_next(
    host: Host, bus: ServiceBusClient
) -> None:
    await host.start()
    await send(bus, "plain", message(order="wait", message_id="survivor"))
    await send(
        bus,
        "sessions",
        message("1", "wait", session_id="orphan"),
        message("2", session_id="orphan"),
    )
    await eventually(lambda: named(host, "plain", message_id="survivor"))
    await eventually(lambda: named(host, "started", session="orphan"))
    await host.kill()
    host.gate.touch()
    await host.start()
    await emptied(bus, "plain")
    await eventually(lambda: named(host, "ended", session="orphan", body="2"))
    assert len(named(host, "plain done", message_id="survivor")) == 1
    ended = [one["body"] for one in named(host, "ended", session="orphan")]
    assert ended == ["1", "2"]
    assert await host.stop() == 0
