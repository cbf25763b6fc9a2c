"""Entries of ours go straight to the log; what it does not take now stays in the outbox."""

from datetime import UTC, datetime

import pytest

from shared.accesslog import AccessLog, LogStore, entry_message
from shared.accesslog.direct import LoggingBus
from shared.accesslog.entries import same
from shared.accesslog.reading.filters import EntryFilter
from shared.accesslog.reading.listing import Reading
from shared.accesslog.storage import layout
from shared.azure.tables import AzureTables
from shared.context import Context, during
from shared.errors import UnavailableError
from shared.ids import new_id
from shared.messages import Outbox, encode, queues
from shared.messages.contracts import AccessRecorded, Actor, IncidentOpened
from shared.ports import Row, Upsert

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Queue:
    """A bus that keeps what it is sent."""

    def __init__(self):
        self.sent = []

    async def send(self, messages):
        self.sent += messages


class Failing:
    """A log that cannot be appended to."""

    def __init__(self, error):
        self._error = error

    async def record_events(self, events):
        raise self._error


@pytest.fixture
async def store(stack):
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield LogStore(tables, same=same)
    await tables.close()


@pytest.fixture
def tenant():
    return "t" + new_id(datetime.now(UTC)).lower()


def entry(tenant, identifier, **changed):
    actor = Actor(id="sven", role="vendor.support", organisation="vendor")
    given = {"action": "asset.read", "resource": "assets/1", "outcome": "allowed"} | changed
    return entry_message(AccessRecorded(tenant=tenant, actor=actor, **given), identifier, NOW)


def incident():
    opened = IncidentOpened(kind="k", severity="warning", summary="s", resource="r")
    return encode(queues.INCIDENTS, opened, identifier="i", now=NOW)


async def test_entries_are_in_the_log_once_they_are_sent_and_the_rest_is_on_the_bus(store, tenant):
    queue = Queue()
    bus = LoggingBus(queue, AccessLog(store, lambda: NOW), lambda: NOW)
    with during(Context("c1")):
        messages = [entry(tenant, "e1"), incident(), entry(tenant, "e2")]
    for _ in range(2):
        await bus.send(messages)
    assert [message.id for message in queue.sent] == ["i", "i"]
    entries, _ = await Reading(store).page(tenant, EntryFilter(), size=10, continuation=None)
    assert [(one.id, one.time, one.correlation_id) for one in entries] == [
        ("e2", NOW, "c1"),
        ("e1", NOW, "c1"),
    ]


async def test_what_the_log_never_takes_is_parked(store, tenant):
    queue = Queue()
    bus = LoggingBus(queue, AccessLog(store, lambda: NOW), lambda: NOW)
    await bus.send([entry(tenant, "e1")])
    other = entry(tenant, "e1", outcome="failed")
    await bus.send([other, entry(tenant, "e2")])
    [sent] = queue.sent
    assert (sent.queue, sent.id, sent.body) == (
        queues.PARKED_MESSAGES,
        "access-events|e1",
        other.body,
    )
    assert sent.properties["parked-reason"] == "event-id-reused"
    assert len([one async for one in store.read(tenant)]) == 2


@pytest.mark.parametrize("error", [UnavailableError("storage"), ValueError("unforeseen")], ids=str)
async def test_what_cannot_be_appended_now_stays_and_the_rest_is_sent(error, tenant):
    queue = Queue()
    messages = [entry(tenant, "e1"), incident(), entry(tenant, "e2")]
    with pytest.raises(UnavailableError):
        await LoggingBus(queue, Failing(error), lambda: NOW).send(messages)
    assert [message.id for message in queue.sent] == ["i"]


async def test_entries_of_a_damaged_log_stay_until_it_is_mended(store, kept, tenant):
    queue = Queue()
    outbox = Outbox(
        kept, LoggingBus(queue, AccessLog(store, lambda: NOW), lambda: NOW), lambda: NOW
    )
    await outbox.commit("assets", tenant, [], [entry(tenant, "e1")])
    head = await kept.get(layout.TABLE, tenant, layout.HEAD)
    await kept.commit(layout.TABLE, [Upsert(Row(tenant, layout.HEAD, {"size": 9}))])
    await outbox.commit("assets", tenant, [], [entry(tenant, "e2"), incident()])
    assert [message.id for message in queue.sent] == ["i"]
    await kept.commit(layout.TABLE, [Upsert(head)])
    await outbox.flush("assets", tenant)
    entries, _ = await Reading(store).page(tenant, EntryFilter(), size=10, continuation=None)
    assert [one.id for one in entries] == ["e2", "e1"]
    assert queue.sent[1:] in ([], [queue.sent[0]])
