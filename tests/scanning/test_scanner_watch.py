"""The watch over the scanner: when it speaks, and that it speaks once a day."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus.aio import ServiceBusClient

from infra.local.stack import Stack
from shared.catalogue import INCIDENTS_QUEUE
from shared.errors import UnavailableError
from shared.incidents import Incidents
from shared.scanning.engines import Engines
from shared.scanning.scanner import Engine
from shared.scanning.scanner_watch import ScannerWatch, fault_of
from shared.settings import read_settings
from tests.compositions import App
from tests.queues import data_of, peeked

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MAX_AGE = timedelta(days=7)


def engine(made_at, *, self_updating=False):
    return Engine("clamd", "1.4.6", "27817", made_at, self_updating)


@pytest.mark.parametrize(
    ("kind", "engine"),
    [
        (None, engine(NOW)),
        (None, engine(NOW - MAX_AGE)),
        (None, engine(None, self_updating=True)),
        ("scanner.signatures-old", engine(NOW - MAX_AGE - timedelta(seconds=1))),
        ("scanner.signatures-undated", engine(None)),
    ],
)
def test_what_calls_for_an_incident(kind, engine):
    incident = fault_of(engine, NOW, MAX_AGE)
    assert (incident.kind if incident else None) == kind


class Changing:
    """A scanner that is what a test says."""

    scans_on_demand = True

    def __init__(self, said, name="clamd"):
        self.said = said
        self.name = name

    async def engine(self):
        if self.said is None:
            raise UnavailableError("scanner")
        return self.said


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    with Stack(
        tmp_path_factory.mktemp("stack"), in_memory=True, processes=["azurite", "servicebus"]
    ) as stack:
        yield stack


@pytest.fixture
async def bus(services):
    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


async def test_one_incident_a_day_for_each_engine_and_fault(services, bus):
    app = App(read_settings(services.settings), clock=lambda: NOW)
    scanner = Changing(engine(NOW - timedelta(days=30)))
    second = Changing(Engine("yara-x", "1", "1", NOW), "yara-x")
    engines = Engines([scanner, second])

    async def watched(at):
        """The kinds of all incidents once the watch has looked, twice, at a time."""
        watch = ScannerWatch(
            engines, Incidents(app.tables, app.outbox, lambda: at), lambda: at, MAX_AGE
        )
        await watch.check()
        await watch.check()
        found = [data_of(message) for message in await peeked(bus, INCIDENTS_QUEUE.name)]
        return [
            (one["kind"], one["resource"]) if "summary" in one else (one["kind"], "over")
            for one in found
        ]

    old = ("scanner.signatures-old", "scanner/clamd")
    down = ("scanner.unavailable", "scanner/clamd")
    assert await watched(NOW) == [old]
    assert await watched(NOW + timedelta(hours=11)) == [old]
    scanner.said = None
    assert await watched(NOW + timedelta(hours=11)) == [old, down]
    assert await watched(NOW + timedelta(days=1)) == [old, down, down]
    scanner.said = engine(NOW)
    over = [("scanner.unavailable", "over"), ("scanner.signatures-old", "over")]
    assert await watched(NOW + timedelta(days=1)) == [old, down, down, *over]
    second.said = None
    also_down = ("scanner.unavailable", "scanner/yara-x")
    assert await watched(NOW + timedelta(days=1)) == [old, down, down, *over, also_down]
    scanner.said = None
    again = [old, down, down, *over, also_down, down]
    assert await watched(NOW + timedelta(days=1)) == again
    for client in (app.tables, app.bus):
        await client.close()
