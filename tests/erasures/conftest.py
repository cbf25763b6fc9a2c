"""The app within the test's own process, without a host, whose deliveries would be in the way."""

import pytest

from tests.compositions import OneSecret, composed, registered


@pytest.fixture(scope="session")
def services(tmp_path_factory):
    """Storage and bus."""
    from infra.local.stack import Stack

    directory = tmp_path_factory.mktemp("services")
    with Stack(directory, in_memory=True, processes=("azurite", "servicebus")) as started:
        yield started


@pytest.fixture
async def fast(services):
    async with composed(services.settings, OneSecret()) as app:
        yield app


@pytest.fixture
async def slow(services):
    """A second instance of the app, to be held up."""
    async with composed(services.settings, OneSecret()) as app:
        yield app


@pytest.fixture
async def tenant(fast):
    return await registered(fast)
