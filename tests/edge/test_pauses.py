"""How long a message waits before it is given back to its queue."""

import pytest

from functions.edge import batches, queues, retries
from functions.edge.retries import pause_seconds
from infra.local.ports import Ports
from infra.local.settings import app_settings
from shared import composition
from shared.catalogue import INCIDENTS_QUEUE, SCAN_RESULTS_QUEUE
from shared.composition import core
from shared.composition.messages import MessagesFlow
from shared.errors import UnavailableError
from shared.messages.contracts import IncidentOpened
from tests.edge.test_unforeseen import delivery


@pytest.fixture
def pauses(monkeypatch, tmp_path):
    """The pauses that are made, none of which takes time; the app reaches nothing."""
    monkeypatch.setattr(core, "_current", None)
    composition.start(app_settings(Ports(), tmp_path / "ca.pem", "header"))
    made = []

    def pause(deliveries, longest):
        made.append((deliveries, longest))
        return 0.0

    monkeypatch.setattr(retries, "pause_seconds", pause)
    return made


@pytest.mark.parametrize(
    ("deliveries", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (2000, 30)]
)
def test_the_pause_doubles_with_each_delivery_up_to_the_longest(deliveries, seconds):
    assert pause_seconds(deliveries, 30) == seconds


async def unavailable(*_):
    raise UnavailableError("storage")


@pytest.mark.parametrize(
    ("consumer", "message"),
    [
        (queues.consumer(MessagesFlow, INCIDENTS_QUEUE, IncidentOpened)(unavailable), delivery()),
        (queues.raw_consumer(MessagesFlow, SCAN_RESULTS_QUEUE)(unavailable), delivery()),
        (
            batches.batch_consumer(MessagesFlow, INCIDENTS_QUEUE, IncidentOpened)(unavailable),
            [delivery()],
        ),
    ],
    ids=["single", "raw", "batch"],
)
async def test_every_message_waits_before_it_goes_back(pauses, consumer, message):
    with pytest.raises(UnavailableError):
        await consumer(message)
    assert len(pauses) == 1


async def unforeseen(*_):
    raise ValueError("of one message")


async def test_a_message_with_an_unforeseen_error_holds_up_no_other_message(pauses):
    consumer = queues.consumer(MessagesFlow, INCIDENTS_QUEUE, IncidentOpened)(unforeseen)
    with pytest.raises(retries.DeliveryFailedError):
        await consumer(delivery())
    assert pauses == []
