"""The app within the test's own process, without a host, whose deliveries would be in the way."""

import pytest

from tests.breaches.steps import Time
from tests.compositions import OneSecret, composed, registered


@pytest.fixture(scope="session")
def services(tmp_path_factory):
    """Storage and bus."""
    from infra.local.stack import Stack

    directory = tmp_path_factory.mktemp("services")
    with Stack(directory, in_memory=True, processes=("azurite", "servicebus")) as started:
        yield started


@pytest.fixture
async def bus(services):
    from azure.servicebus.aio import ServiceBusClient

    string = services.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


@pytest.fixture
def time():
    return Time()


@pytest.fixture
async def app(services, time):
    async with composed(services.settings, OneSecret(), time) as app:
        yield app


@pytest.fixture
async def tenant(app):
    return await registered(app)


@pytest.fixture
async def other(app):
    return await registered(app)
