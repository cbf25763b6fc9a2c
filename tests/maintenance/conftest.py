"""Storage and queues without the app's host, so that nobody else takes a notice."""

from datetime import UTC, datetime, timedelta

import pytest


class Clock:
    """A clock that tests set."""

    def __init__(self):
        self.ahead = timedelta(0)

    def __call__(self):
        return datetime.now(UTC).replace(microsecond=0) + self.ahead


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    from infra.local.stack import Stack

    processes = ["azurite", "servicebus"]
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, processes=processes) as started:
        yield started


@pytest.fixture(scope="module")
async def bus(services):
    from azure.servicebus.aio import ServiceBusClient

    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


@pytest.fixture
async def app(services):
    from tests.compositions import composed

    async with composed(services.settings, clock=Clock()) as app:
        yield app
