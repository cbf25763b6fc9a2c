"""A stack without the app's host: the tests take every step of intake themselves."""

import pytest

from tests.compositions import OneSecret, composed, registered


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """Storage and queues."""
    from infra.local.stack import Stack

    processes = ["azurite", "servicebus"]
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, processes=processes) as started:
        yield started


@pytest.fixture
async def app(services):
    """The app's composition in this process."""
    async with composed(services.settings, OneSecret()) as app:
        yield app


@pytest.fixture
async def tenant(app):
    return await registered(app)
