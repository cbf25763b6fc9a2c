"""An incident is opened once, whoever opens it and however often."""

import asyncio
from datetime import UTC, datetime

import pytest

from shared.azure.tables import AzureTables
from shared.catalogue import INCIDENTS_QUEUE
from shared.errors import UnavailableError
from shared.ids import new_id
from shared.incidents import Incidents, incident_id, incident_message
from shared.messages import Outbox, decode
from shared.messages.contracts import IncidentOpened
from tests.entrylogs import NoLog

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = "2026-03-01"


class Queue:
    """A bus that keeps what it is sent, and can be down."""

    def __init__(self):
        self.sent = []
        self.is_down = False

    async def send(self, messages):
        if self.is_down:
            raise UnavailableError("bus")
        self.sent += messages


@pytest.fixture
async def tables(stack):
    tables = AzureTables(stack.info["connection_strings"]["storage"])
    yield tables
    await tables.close()


@pytest.fixture
def queue():
    return Queue()


@pytest.fixture
def incidents(tables, queue):
    return Incidents(tables, Outbox(tables, queue, NoLog(), lambda: NOW), lambda: NOW)


def incident(tenant=None, **changed):
    given = {"kind": "k", "severity": "critical", "summary": "s", "resource": "r"} | changed
    return IncidentOpened(tenant=tenant, **given)


@pytest.fixture
def opened():
    """An incident of a tenant that no other test has."""
    return incident(f"t{new_id(datetime.now(UTC)).lower()}")


async def test_the_second_opening_within_a_day_opens_nothing(incidents, queue, opened):
    assert await incidents.open_once(opened, DAY)
    assert not await incidents.open_once(opened, DAY)
    [message] = queue.sent
    assert (message.queue, decode(message.body).data) == (INCIDENTS_QUEUE.name, opened)
    assert await incidents.open_once(opened, "2026-03-02")


async def test_a_matter_that_is_over_is_told_once_and_opened_anew(incidents, queue, opened):
    where = (opened.kind, opened.resource)
    assert not await incidents.clear(*where, "It never was.", opened.tenant)
    assert queue.sent == []
    await incidents.open_once(opened, DAY)
    assert await incidents.clear(*where, "It works again.", opened.tenant)
    assert not await incidents.clear(*where, "It works again.", opened.tenant)
    assert await incidents.open_once(opened, DAY)
    assert not await incidents.open_once(opened, DAY)
    events = [decode(message.body) for message in queue.sent]
    assert len({event.id for event in events}) == 3
    # The clock stands still, and the order holds.
    assert [event.time for event in events] == sorted({event.time for event in events})
    assert events[1].data.reason == "It works again."


async def test_instances_that_open_the_same_incident_at_once_open_one(incidents, queue, opened):
    answers = await asyncio.gather(*(incidents.open_once(opened, DAY) for _ in range(5)))
    assert sorted(answers) == [False] * 4 + [True]
    assert len({message.id for message in queue.sent}) == 1


async def test_a_message_that_could_not_be_sent_is_sent_by_the_next_opening(
    incidents, queue, opened
):
    queue.is_down = True
    assert await incidents.open_once(opened, DAY)
    queue.is_down = False
    assert queue.sent == []
    assert not await incidents.open_once(opened, DAY)
    assert [message.id for message in queue.sent] == [incident_id(opened, DAY)]


@pytest.mark.parametrize(
    "other",
    [
        (incident("acme"), DAY),
        (incident(kind="other"), DAY),
        (incident(resource="other"), DAY),
        (incident(), "2026-03-02"),
    ],
)
def test_another_kind_tenant_resource_or_span_is_another_incident(other):
    assert incident_id(*other) != incident_id(incident(), DAY)


def test_a_summary_or_a_severity_makes_no_other_incident():
    assert incident_id(incident(summary="x", severity="warning"), DAY) == incident_id(
        incident(), DAY
    )


def test_a_message_for_an_outbox_has_the_incidents_id():
    assert incident_message(incident(), DAY, NOW).id == incident_id(incident(), DAY)
