"""The watch opens an incident by queue and reason, and clears the incident of a clean queue."""

from datetime import UTC, datetime, timedelta

import pytest

from infra.local.stack import Stack
from shared.catalogue import INCIDENTS_QUEUE
from shared.errors import UnavailableError
from shared.failed_messages.rules import severity_of
from shared.failed_messages.watch import FailedMessageWatch
from tests.compositions import composed, registered
from tests.failed_messages.steps import ITO, dead_letter, event, flow, listed, park
from tests.queues import data_of, peeked

PARKED = "queues/consent-grants/message-invalid"
DEAD = "queues/intake/MaxDeliveryCountExceeded"


class Clock:
    """A clock that tests set."""

    def __init__(self):
        self.ahead = timedelta(0)

    def __call__(self):
        return datetime.now(UTC) + self.ahead


@pytest.fixture
async def app(tmp_path_factory):
    """Queues of the test's own, as the watch sees the whole stamp."""
    processes = ["azurite", "servicebus"]
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, in_memory=True, processes=processes) as services:
        async with composed(services.settings, clock=Clock()) as app:
            app.string = services.info["connection_strings"]["service_bus"]
            yield app


@pytest.fixture
async def bus(app):
    from azure.servicebus.aio import ServiceBusClient

    async with ServiceBusClient.from_connection_string(app.string) as client:
        yield client


async def told(bus):
    """The messages about failed messages so far: opened with a severity, or cleared."""
    found = [data_of(message) for message in await peeked(bus, INCIDENTS_QUEUE.name)]
    return [(one["resource"], one.get("severity", "cleared")) for one in found]


async def test_an_incident_by_queue_and_reason_ends_with_the_last_message(app, bus):
    watch = app.failed_message_watch.watch
    assert await watch() == []
    tenant = await registered(app)
    await park(app, "consent-grants", 7, event(tenant), tenant)
    await dead_letter(bus, "intake", b"x")
    await dead_letter(bus, "intake", b"y")
    assert await watch() == [PARKED, DEAD]
    # Once a day.
    assert await watch() == []
    assert await told(bus) == [(PARKED, "critical"), (DEAD, "warning")]
    app.clock.ahead = timedelta(days=1)
    assert await watch() == [PARKED, DEAD]

    # An incident ends with the last message of the reason, and not before.
    dead = await listed(app, queue="intake")
    await flow(app).discard([dead[0].id], "x", ITO)
    await flow(app).discard([one.id for one in await listed(app, tenant=tenant)], "x", ITO)
    assert await watch() == []
    assert (await told(bus))[4:] == [(PARKED, "cleared")]
    await flow(app).discard([dead[1].id], "x", ITO)
    assert await watch() == []
    assert await watch() == []
    assert (await told(bus))[5:] == [(DEAD, "cleared")]
    # The matter is opened again within the day when a message fails again.
    await dead_letter(bus, "intake", b"z")
    assert await watch() == [DEAD]


async def test_what_is_beyond_the_sample_ends_no_incident(app, bus):
    tenant = await registered(app)
    watch = app.failed_message_watch.watch
    await dead_letter(bus, "intake", b"x")
    await watch()
    await flow(app).discard([one.id for one in await listed(app, queue="intake")], "x", ITO)
    for number in range(260):
        await park(app, "consent-grants", number, event(tenant), tenant)
    assert await watch() == [PARKED]
    assert (DEAD, "cleared") not in await told(bus)
    summaries = [data_of(one)["summary"] for one in await peeked(bus, INCIDENTS_QUEUE.name)]
    assert any("or more" in one for one in summaries)


async def test_a_place_that_does_not_answer_ends_no_incident(app, bus):
    await dead_letter(bus, "intake", b"x")
    await app.failed_message_watch.watch()

    class Deaf:
        """The bus, without the dead letters of one queue."""

        async def browse(self, place, first, most):
            if place.queue == "intake":
                raise UnavailableError("bus")
            return await app.bus.browse(place, first, most)

    with pytest.raises(UnavailableError):
        await FailedMessageWatch(Deaf(), app.incidents, app.clock).watch()
    assert await told(bus) == [(DEAD, "warning")]


def test_a_message_that_a_timer_sends_again_is_a_warning():
    assert severity_of("intake") == severity_of("rescans") == "warning"
    assert severity_of("consent-grants") == severity_of("access-events") == "critical"
