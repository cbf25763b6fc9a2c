"""The app within the test's own process, without a host, whose deliveries would be in the way."""

import pytest

from tests.compositions import OneSecret, composed, registered
from tests.rereads.steps import DataKeyVersions


@pytest.fixture(scope="session")
def services(tmp_path_factory):
    """Storage and bus."""
    from infra.local.stack import Stack

    directory = tmp_path_factory.mktemp("services")
    with Stack(directory, in_memory=True, processes=("azurite", "servicebus")) as started:
        yield started


@pytest.fixture
def data_keys():
    """A vault with one version of each tenant's key, to be rotated."""
    return DataKeyVersions()


@pytest.fixture
async def app(services, data_keys):
    async with composed(services.settings, OneSecret(), data_keys=data_keys) as app:
        yield app


@pytest.fixture
async def other(services, data_keys):
    """A second instance of the app, to be held up."""
    async with composed(services.settings, OneSecret(), data_keys=data_keys) as app:
        yield app


@pytest.fixture
async def tenant(app):
    """A tenant of its own."""
    return await registered(app)
