"""The app within the test's own process, without a host, whose deliveries would be in the way."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.compositions import OneSecret, composed, registered


class Time:
    """A clock that a test moves."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        now = datetime.now(UTC) + self.ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)


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
    """The app with the signatures that it ships with."""
    async with composed(services.settings, OneSecret(), time) as app:
        yield app


@pytest.fixture(scope="session")
def newer(tmp_path_factory):
    """The signatures of a newer version of the app."""
    from tests.rescans.steps import newer_signatures

    return newer_signatures(tmp_path_factory.mktemp("newer"))


@pytest.fixture
async def updated(services, time, newer):
    """The app after an update of the signatures."""
    from tests.rescans.steps import With, use

    async with composed(services.settings, OneSecret(), time) as app:
        use(app, With(newer))
        yield app


@pytest.fixture
async def tenant(app):
    """A tenant of its own; the stamp has noted no signatures yet, by whatever clock."""
    await app.tables.delete("rescans", "signatures", "present")
    return await registered(app)
