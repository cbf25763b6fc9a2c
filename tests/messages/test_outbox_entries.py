"""Entries of ours go straight to the log; what it does not take now stays in the outbox."""

from datetime import UTC, datetime

import pytest

from shared.accesslog import AccessLog, new_entry
from shared.accesslog.reading.filters import EntryFilter
from shared.accesslog.reading.listing import Reading
from shared.azure.tables import AzureTables
from shared.catalogue import (
    ACCESS_EVENTS_QUEUE,
    ACCESS_LOG_TABLE,
    ASSETS_TABLE,
    INCIDENTS_QUEUE,
    PARKED_MESSAGES_QUEUE,
)
from shared.context import Context, during
from shared.errors import InvalidInputError, UnavailableError
from shared.ids import new_id
from shared.messages import Outbox, encode
from shared.messages.contracts import AccessRecorded, Actor, IncidentOpened
from shared.ports import Row, Upsert
from tests.accesslog.logs import log_store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE = ASSETS_TABLE.name


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

    async def record_entries(self, entries):
        raise self._error


@pytest.fixture
async def kept(stack):
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield tables
    await tables.close()


@pytest.fixture
def store(kept):
    return log_store(kept)


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def outbox(kept, store, queue):
    return Outbox(kept, queue, AccessLog(store, lambda: NOW), lambda: NOW)


@pytest.fixture
def tenant():
    return "t" + new_id(datetime.now(UTC)).lower()


def entry(tenant, identifier, **changed):
    actor = Actor(id="sven", role="vendor.support", organisation="vendor")
    given = {"action": "asset.read", "resource": "assets/1", "outcome": "allowed"} | changed
    return new_entry(AccessRecorded(tenant=tenant, actor=actor, **given), identifier, NOW)


def incident():
    opened = IncidentOpened(kind="k", severity="warning", summary="s", resource="r")
    return encode(INCIDENTS_QUEUE.name, opened, identifier="i", now=NOW)


async def waiting(kept, tenant):
    return [row.row async for row in kept.scan(TABLE, tenant, prefix="outbox|")]


async def listed(store, tenant):
    entries, _ = await Reading(store).page(tenant, EntryFilter(), size=10, continuation=None)
    return entries


async def test_entries_are_in_the_log_after_the_commit_and_the_rest_is_on_the_bus(
    kept, store, outbox, queue, tenant
):
    with during(Context("c1")):
        outgoing = [entry(tenant, "e1"), incident(), entry(tenant, "e2")]
    for _ in range(2):
        await outbox.commit(TABLE, tenant, [], outgoing)
    assert [message.id for message in queue.sent] == ["i", "i"]
    assert [(one.id, one.time, one.correlation_id) for one in await listed(store, tenant)] == [
        ("e2", NOW, "c1"),
        ("e1", NOW, "c1"),
    ]
    assert await waiting(kept, tenant) == []


async def test_a_sweep_appends_an_entry_that_a_crash_left(kept, store, outbox, queue, tenant):
    """The row holds the whole entry: what was attributed when it was made comes back."""
    dead = Outbox(kept, queue, Failing(UnavailableError("storage")), lambda: NOW)
    with during(Context("c1", "203.0.113.7")):
        made = entry(tenant, "e1", purpose="Überprüfung", ticket="T-1", grant_id="g")
    await dead.commit(TABLE, tenant, [], [made])
    assert len(await waiting(kept, tenant)) == 1
    await outbox.flush(TABLE, tenant)
    [found] = await listed(store, tenant)
    assert (found.correlation_id, found.client_address) == ("c1", "203.0.113.7")
    assert (found.purpose, found.ticket, found.grant_id) == ("Überprüfung", "T-1", "g")
    assert await waiting(kept, tenant) == []


async def test_an_entry_that_the_log_never_takes_is_parked(kept, store, outbox, queue, tenant):
    await outbox.commit(TABLE, tenant, [], [entry(tenant, "e1")])
    await outbox.commit(
        TABLE, tenant, [], [entry(tenant, "e1", outcome="failed"), entry(tenant, "e2")]
    )
    [sent] = queue.sent
    assert (sent.queue, sent.id) == (
        PARKED_MESSAGES_QUEUE.name,
        f"{ACCESS_EVENTS_QUEUE.name}|e1",
    )
    assert b'"outcome":"failed"' in sent.body
    assert sent.properties["parked-reason"] == "event-id-reused"
    assert len([one async for one in store.read(tenant)]) == 2
    assert await waiting(kept, tenant) == []


def test_an_entry_that_the_log_would_refuse_is_never_made(tenant):
    with pytest.raises(InvalidInputError):
        entry(tenant, "e1", purpose="for eileen@example.com")


@pytest.mark.parametrize("error", [UnavailableError("storage"), ValueError("unforeseen")], ids=str)
async def test_entries_that_cannot_be_appended_now_stay_and_the_rest_is_sent(
    kept, queue, error, tenant
):
    outbox = Outbox(kept, queue, Failing(error), lambda: NOW)
    outgoing = [entry(tenant, "e1"), incident(), entry(tenant, "e2")]
    await outbox.commit(TABLE, tenant, [], outgoing)
    assert [message.id for message in queue.sent] == ["i"]
    assert len(await waiting(kept, tenant)) == 2


async def test_entries_of_a_damaged_log_stay_until_the_log_is_mended(
    kept, store, outbox, queue, tenant
):
    table, head_row = ACCESS_LOG_TABLE.name, "head"
    await outbox.commit(TABLE, tenant, [], [entry(tenant, "e1")])
    head = await kept.get(table, tenant, head_row)
    await kept.commit(table, [Upsert(Row(tenant, head_row, {"size": 9}))])
    await outbox.commit(TABLE, tenant, [], [entry(tenant, "e2"), incident()])
    assert [message.id for message in queue.sent] == ["i"]
    assert len(await waiting(kept, tenant)) == 1
    await kept.commit(table, [Upsert(head)])
    await outbox.flush(TABLE, tenant)
    assert [one.id for one in await listed(store, tenant)] == ["e2", "e1"]
    assert await waiting(kept, tenant) == []
