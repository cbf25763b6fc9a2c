"""The outbox on the stack's own tables and bus: what is committed is sent, whatever dies."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.ports import Ports
from infra.local.settings import connection_strings
from shared.azure.bus import AzureBus
from shared.azure.tables import AzureTables
from shared.catalogue import INCIDENTS_QUEUE, PARKED_MESSAGES_QUEUE
from shared.errors import RowConflictError, UnavailableError
from shared.ids import key, new_id, rfc3339
from shared.messages import Outbox
from shared.messages.outbox_rows import LOG
from shared.ports import Delete, Insert, OutgoingMessage, Replace, Row
from tests.entrylogs import NoLog
from tests.journeys.portal import eventually
from tests.messages.outbox_child import PLACES, TABLE, messages
from tests.queues import peeked

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)


def now():
    return datetime.now(UTC)


def later():
    """The clock of a sweep that finds rows old enough: it leaves those of 30 seconds alone."""
    return now() + MINUTE


@pytest.fixture(scope="module")
async def kept(stack):
    """The app's own adapter of the stack's tables."""
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield tables
    await tables.close()


@pytest.fixture(autouse=True)
async def alone(kept):
    """No partition of another test in the outbox: entries of a damaged log wait there for ever."""
    async for row in kept.scan("outbox", "markers"):
        await kept.commit("outbox", [Delete(row.partition, row.row)])


@pytest.fixture(scope="module")
async def sending(stack):
    """The app's own adapter of the stack's bus."""
    bus = AzureBus(
        stack.info["connection_strings"]["service_bus"], ping_queue=PARKED_MESSAGES_QUEUE.name
    )
    yield bus
    await bus.close()


@pytest.fixture(scope="module")
async def dead_bus():
    """A bus on a port where nothing listens."""
    string = connection_strings(Ports.free())["service_bus"]
    bus = AzureBus(string, ping_queue=PARKED_MESSAGES_QUEUE.name)
    yield bus
    await bus.close()


class UnreachableBus:
    """A bus that is down, without the ten seconds and more for which the SDK tries to reach one."""

    async def send(self, messages):
        raise UnavailableError("bus")

    async def ping(self):
        raise UnavailableError("bus")


@pytest.fixture
def partition():
    """A partition that no other test uses; its messages' ids begin with it."""
    return new_id(now())


async def waiting(kept, partition):
    """The ids of the messages that wait in the outbox of a partition."""
    rows = kept.scan(TABLE, partition, prefix="outbox|")
    return sorted([row.values["messageId"] async for row in rows])


async def sent(bus, partition):
    """The ids and bodies of a partition's messages on the queue."""
    found = await peeked(bus, PARKED_MESSAGES_QUEUE.name)
    return sorted(
        (m.message_id, b"".join(m.body)) for m in found if m.message_id.startswith(partition)
    )


def expected(partition):
    return [(message.id, message.body) for message in messages(partition)]


def ids(partition):
    return [message.id for message in messages(partition)]


async def has_marker(kept, partition):
    return await kept.get("outbox", "markers", key(TABLE, partition)) is not None


def state(partition):
    return Row(partition, "state", {"step": 1})


async def test_a_commit_sends_its_messages_and_removes_the_rows(kept, sending, bus, partition):
    await Outbox(kept, sending, NoLog(), now).commit(
        TABLE, partition, [Insert(state(partition))], messages(partition)
    )
    assert await sent(bus, partition) == expected(partition)
    assert await waiting(kept, partition) == []
    assert (await kept.get(TABLE, partition, "state")).values == {"step": 1}


async def test_a_conflict_commits_and_sends_nothing(kept, sending, bus, partition):
    outbox = Outbox(kept, sending, NoLog(), now)
    await outbox.commit(TABLE, partition, [Insert(state(partition))])
    stale = await kept.get(TABLE, partition, "state")
    await kept.commit(TABLE, [Replace(Row(partition, "state", {"step": 2}, stale.etag))])
    change = Replace(Row(partition, "state", {"step": 3}, stale.etag))
    with pytest.raises(RowConflictError):
        await outbox.commit(TABLE, partition, [change], messages(partition))
    assert (await kept.get(TABLE, partition, "state")).values == {"step": 2}
    assert await waiting(kept, partition) == []
    assert await sent(bus, partition) == []


async def test_while_the_bus_is_down_messages_wait_for_a_sweep(
    kept, sending, dead_bus, bus, partition
):
    await Outbox(kept, dead_bus, NoLog(), now).commit(
        TABLE, partition, [Insert(state(partition))], messages(partition)
    )
    assert await waiting(kept, partition) == ids(partition)
    assert (await kept.get(TABLE, partition, "state")).values == {"step": 1}
    assert await sent(bus, partition) == []
    assert await Outbox(kept, sending, NoLog(), later).sweep() >= len(ids(partition))
    assert await sent(bus, partition) == expected(partition)
    assert await waiting(kept, partition) == []


async def test_a_sweep_leaves_young_rows_to_their_writer(kept, sending, bus, partition):
    await Outbox(kept, UnreachableBus(), NoLog(), now).commit(
        TABLE, partition, [], messages(partition)
    )
    await Outbox(kept, sending, NoLog(), now).sweep()
    assert await waiting(kept, partition) == ids(partition)
    await Outbox(kept, sending, NoLog(), now).flush(TABLE, partition)
    assert await sent(bus, partition) == expected(partition)
    assert await waiting(kept, partition) == []


async def test_a_marker_is_forgotten_half_an_hour_after_its_last_commit(kept, sending, partition):
    sweep = Outbox(kept, sending, NoLog(), now).sweep
    # The clock of the writer is set back, and not that of the sweep ahead, which would forget the
    # markers of others.
    for minutes, remains in ((29, True), (31, False)):
        writer = Outbox(kept, sending, NoLog(), lambda ago=minutes: now() - ago * MINUTE)
        await writer.commit(TABLE, partition, [], messages(partition))
        assert await has_marker(kept, partition) or not remains
        await sweep()
        assert await has_marker(kept, partition) is remains


async def test_a_sweep_while_the_bus_is_down_keeps_the_rows(kept, sending, bus, partition):
    outbox = Outbox(kept, UnreachableBus(), NoLog(), later)
    await Outbox(kept, UnreachableBus(), NoLog(), now).commit(
        TABLE, partition, [], messages(partition)
    )
    with pytest.raises(UnavailableError):
        await outbox.sweep()
    assert await waiting(kept, partition) == ids(partition)
    await Outbox(kept, sending, NoLog(), later).sweep()
    assert await sent(bus, partition) == expected(partition)


class HalfBus:
    """A bus of which one queue cannot be sent to: disabled, say, or full."""

    def __init__(self, bus):
        self.bus = bus

    async def send(self, messages):
        if any(message.queue == INCIDENTS_QUEUE.name for message in messages):
            raise UnavailableError("bus")
        await self.bus.send(messages)


async def test_a_queue_that_cannot_be_sent_to_holds_up_no_other(kept, sending, bus, partition):
    writer = Outbox(kept, UnreachableBus(), NoLog(), now)
    stuck, before, after = f"{partition}-1", f"{partition}-0", f"{partition}-2"
    broken = OutgoingMessage(INCIDENTS_QUEUE.name, f"{stuck}-i", b"{}")
    for one, held in ((before, []), (stuck, [broken]), (after, [])):
        await writer.commit(TABLE, one, [], [*held, *messages(one)])
    with pytest.raises(UnavailableError):
        await Outbox(kept, HalfBus(sending), NoLog(), later).sweep()
    wanted = [expected(one) for one in (before, stuck, after)]
    assert await sent(bus, partition) == sorted(pair for one in wanted for pair in one)
    assert await waiting(kept, stuck) == [broken.id]
    # Never to be sent: others read that queue.
    await kept.delete(TABLE, stuck, "outbox|" + key(broken.queue, broken.id))
    assert await waiting(kept, stuck) == []


async def test_one_sweep_finds_what_waits_in_any_partition(kept, sending, bus, partition):
    writer = Outbox(kept, UnreachableBus(), NoLog(), now)
    partitions = [f"{partition}-{number}" for number in range(12)]
    for one in partitions:
        await writer.commit(TABLE, one, [], messages(one))
    wanted = [expected(one) for one in partitions]
    assert await Outbox(kept, sending, NoLog(), later).sweep() >= sum(map(len, wanted))
    assert await sent(bus, partition) == sorted(pair for one in wanted for pair in one)
    assert [await waiting(kept, one) for one in partitions] == [[]] * len(partitions)


@pytest.mark.parametrize("place", PLACES)
async def test_what_a_crash_left_is_sent_once(stack, kept, sending, bus, partition, place):
    strings = stack.info["connection_strings"]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.messages.outbox_child", place, partition),
        cwd=ROOT,
        env=os.environ | {"STORAGE": strings["storage"], "SERVICE_BUS": strings["service_bus"]},
    )
    assert await child.wait() == -signal.SIGKILL
    # The commit stands, and so do the rows; of the messages as many as were sent before.
    assert (await kept.get(TABLE, partition, "state")).values == {"step": 1}
    assert await waiting(kept, partition) == ids(partition)
    assert await sent(bus, partition) == expected(partition)[: PLACES[place]]

    await Outbox(kept, sending, NoLog(), later).sweep()
    assert await sent(bus, partition) == expected(partition)
    assert await waiting(kept, partition) == []
    await Outbox(kept, sending, NoLog(), later).sweep()
    assert await sent(bus, partition) == expected(partition)


async def test_the_app_sweeps_by_its_timer(http, kept, bus, partition):
    writer = Outbox(kept, UnreachableBus(), NoLog(), lambda: now() - MINUTE)
    await writer.commit(TABLE, partition, [], messages(partition))
    fired = await http.post("/admin/functions/sweep_outbox", json={"input": ""})
    assert fired.status_code == 202
    await eventually(lambda: waiting(kept, partition), lambda left: not left)
    assert await sent(bus, partition) == expected(partition)


class LostRemovals:
    """The stack's tables, of which the removal of sent rows fails in one partition."""

    def __init__(self, tables, partition):
        self.tables = tables
        self.partition = partition

    def __getattr__(self, name):
        return getattr(self.tables, name)

    async def delete(self, table, partition, row):
        if partition == self.partition:
            raise UnavailableError("storage")
        await self.tables.delete(table, partition, row)

    async def commit(self, table, operations):
        if any(isinstance(one, Delete) and one.partition == self.partition for one in operations):
            raise UnavailableError("storage")
        return await self.tables.commit(table, operations)


async def test_a_lost_removal_fails_no_commit_and_holds_up_no_other_partition(
    kept, sending, bus, partition
):
    stuck, after = f"{partition}-0", f"{partition}-1"
    failing = LostRemovals(kept, stuck)
    await Outbox(failing, sending, NoLog(), now).commit(
        TABLE, stuck, [Insert(state(stuck))], messages(stuck)
    )
    assert await sent(bus, stuck) == expected(stuck)
    await Outbox(kept, UnreachableBus(), NoLog(), now).commit(TABLE, after, [], messages(after))
    with pytest.raises(UnavailableError):
        await Outbox(failing, sending, NoLog(), later).sweep()
    assert await waiting(kept, after) == []
    await Outbox(kept, sending, NoLog(), later).sweep()
    assert await waiting(kept, stuck) == []


@pytest.mark.parametrize(
    "values",
    [
        {"queue": "notices", "messageId": "1", "body": "{}"},
        {"address": LOG, "entryId": "1", "time": "2026-11-23T12:00:00Z", "data": "{}"},
    ],
)
async def test_an_unreadable_row_stays_and_holds_up_no_other(kept, sending, bus, partition, values):
    await Outbox(kept, UnreachableBus(), NoLog(), now).commit(
        TABLE, partition, [], messages(partition)
    )
    row = Row(partition, "outbox|0", values | {"written": rfc3339(now())})
    await kept.commit(TABLE, [Insert(row)])
    with pytest.raises(UnavailableError, match="outbox"):
        await Outbox(kept, sending, NoLog(), later).sweep()
    assert await sent(bus, partition) == expected(partition)
    await kept.delete(TABLE, partition, "outbox|0")
