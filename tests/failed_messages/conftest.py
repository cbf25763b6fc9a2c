"""Storage and queues without the app's host, so that nobody else takes a message."""

import pytest


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    from infra.local.stack import Stack

    processes = ["azurite", "servicebus"]
    folder = tmp_path_factory.mktemp("stack")
    # Locks end soon, so that a killed worker's messages are free again.
    with Stack(folder, in_memory=True, processes=processes, lock_duration="PT5S") as started:
        yield started


@pytest.fixture(scope="module")
async def bus(services):
    from azure.servicebus.aio import ServiceBusClient

    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


@pytest.fixture(scope="module")
async def app(services):
    from tests.compositions import composed

    async with composed(services.settings) as app:
        yield app
