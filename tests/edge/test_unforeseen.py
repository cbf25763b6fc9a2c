"""An error that nobody foresaw never shows its text: it could hold personal data."""

import json
import logging

import azure.functions as func
import pytest
from azure.functions.servicebus import ServiceBusMessage

from functions.edge import batches, deliveries, http, queues, retries
from infra.local.ports import Ports
from infra.local.settings import app_settings
from shared import composition
from shared.catalogue import INCIDENTS_QUEUE
from shared.composition import core
from shared.composition.messages import MessagesFlow
from shared.errors import IntegrityError, RowConflictError, UnavailableError
from shared.messages.contracts import IncidentOpened

SECRET = "Ada Lovelace, ada@example.com"
EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "source": "/test",
    "type": "vouchsafe.incident.opened.v1",
    "time": "2026-11-23T12:00:00Z",
    # It names no tenant, so that none is looked for.
    "data": {"kind": "k", "severity": "warning", "summary": "s", "resource": "r"},
}


@pytest.fixture(autouse=True)
def started(monkeypatch, tmp_path):
    """A composition that reaches nothing; the one that was current comes back afterwards."""
    monkeypatch.setattr(core, "_current", None)
    monkeypatch.setattr(retries, "_LONGEST_PAUSE", 0.0)
    composition.start(app_settings(Ports(), tmp_path / "ca.pem", "header"))


def consumer_of(error):
    async def handler(_delivery):
        raise error

    return queues.consumer(MessagesFlow, INCIDENTS_QUEUE, IncidentOpened)(handler)


def delivery():
    return ServiceBusMessage(
        body=json.dumps(EVENT).encode(),
        message_id="e1",
        application_properties={},
        user_properties={},
    )


async def test_a_message_fails_with_the_kind_of_the_error_only(caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(retries.DeliveryFailedError) as failed:
        await consumer_of(ValueError(SECRET))(delivery())
    assert str(failed.value) == "ValueError"
    assert failed.value.__suppress_context__
    assert "unforeseen ValueError" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("error", [UnavailableError("bus"), RowConflictError("assets")])
async def test_what_may_pass_is_raised_as_it_is(error):
    with pytest.raises(type(error)):
        await consumer_of(error)(delivery())


def batch(*ids, deliveries=1):
    return [
        ServiceBusMessage(
            body=json.dumps(EVENT | {"id": one}).encode(),
            message_id=one,
            application_properties={},
            user_properties={},
            sequence_number=number,
            delivery_count=deliveries,
        )
        for number, one in enumerate(ids)
    ]


def batch_consumer_of(bad, error, handled):
    """Of a handler that fails as soon as it is given the message `bad`."""

    async def handler(_app, deliveries):
        if bad in [one.event.id for one in deliveries]:
            raise error
        handled.extend(one.event.id for one in deliveries)
        return []

    return batches.batch_consumer(MessagesFlow, INCIDENTS_QUEUE, IncidentOpened)(handler)


async def test_one_message_of_a_batch_that_fails_does_not_take_the_others_with_it(caplog):
    caplog.set_level(logging.DEBUG)
    handled = []
    with pytest.raises(retries.DeliveryFailedError) as failed:
        await batch_consumer_of("e2", ValueError(SECRET), handled)(batch("e1", "e2", "e3"))
    assert str(failed.value) == "ValueError"
    assert handled == ["e1", "e3"]
    assert SECRET not in caplog.text


async def test_what_failed_only_together_is_done(caplog):
    handled = []

    async def handler(_app, deliveries):
        if len(deliveries) > 1:
            raise ValueError(SECRET)
        handled.extend(one.event.id for one in deliveries)
        return []

    await batches.batch_consumer(MessagesFlow, INCIDENTS_QUEUE, IncidentOpened)(handler)(
        batch("e1", "e2")
    )
    assert handled == ["e1", "e2"]


class Queue:
    """A bus that keeps what it is sent."""

    def __init__(self):
        self.sent = []

    async def send(self, messages):
        self.sent += messages


async def test_one_that_fails_again_and_again_is_parked_and_spares_the_others(caplog):
    caplog.set_level(logging.DEBUG)
    handled = []
    core._current.adapters.bus = bus = Queue()
    failing = batch_consumer_of("e2", ValueError(SECRET), handled)
    with pytest.raises(retries.DeliveryFailedError):
        await failing(batch("e1", "e2", deliveries=2))
    assert bus.sent == []
    await failing(batch("e1", "e2", deliveries=3))
    [parked] = bus.sent
    assert json.loads(parked.body)["id"] == "e2"
    assert parked.properties["parked-reason"] == "internal-error"
    assert handled == ["e1", "e1"]
    assert SECRET not in caplog.text + json.dumps(parked.properties)


async def test_a_single_message_that_fails_again_and_again_is_parked(caplog):
    caplog.set_level(logging.DEBUG)
    core._current.adapters.bus = bus = Queue()
    failing = consumer_of(ValueError(SECRET))
    with pytest.raises(retries.DeliveryFailedError):
        await failing(batch("e1", deliveries=2)[0])
    assert bus.sent == []
    await failing(batch("e1", deliveries=3)[0])
    [parked] = bus.sent
    assert parked.properties["parked-reason"] == "internal-error"
    assert SECRET not in caplog.text + json.dumps(parked.properties)


@pytest.mark.parametrize(
    "error", [UnavailableError("bus"), RowConflictError("assets"), IntegrityError("log")]
)
async def test_what_may_pass_is_never_parked(error):
    core._current.adapters.bus = bus = Queue()
    with pytest.raises((type(error), retries.DeliveryFailedError)):
        await consumer_of(error)(batch("e1", deliveries=9)[0])
    assert bus.sent == []


async def test_one_that_cannot_even_be_read_does_not_take_the_others_with_it(monkeypatch):
    def decode(body):
        if b'"e2"' in body:
            raise ValueError(SECRET)
        return messages_decode(body)

    messages_decode = deliveries.decode
    monkeypatch.setattr(deliveries, "decode", decode)
    handled = []
    with pytest.raises(retries.DeliveryFailedError):
        await batch_consumer_of("none", ValueError(), handled)(batch("e1", "e2", "e3"))
    assert handled == ["e1", "e3"]


async def test_a_batch_that_may_pass_later_is_not_tried_one_by_one():
    handled = []
    with pytest.raises(UnavailableError):
        await batch_consumer_of("e2", UnavailableError("storage"), handled)(batch("e1", "e2"))
    assert handled == []


async def test_a_request_fails_without_the_text(caplog, monkeypatch):
    monkeypatch.setattr(http, "OPERATIONS", {})
    caplog.set_level(logging.DEBUG)

    async def handler(_call):
        raise ValueError(SECRET)

    request = func.HttpRequest("GET", "/api/x", body=b"")
    blueprint = func.Blueprint()
    http.HttpRoutes(blueprint, MessagesFlow).endpoint("GET", "x", roles=None, discloses=None)(
        handler
    )
    [served] = blueprint._function_builders
    answer = await served._function.get_user_function()(request)
    problem = json.loads(answer.get_body())
    assert (answer.status_code, problem["type"]) == (500, "urn:vouchsafe:problem:internal-error")
    assert "unforeseen ValueError" in caplog.text
    assert SECRET not in caplog.text + json.dumps(problem)
