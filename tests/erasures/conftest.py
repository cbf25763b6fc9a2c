"""The app within the test's own process, without a host, whose deliveries would be in the way."""

import base64

import pytest
from cryptography.fernet import Fernet

from shared.ports import Secret
from tests.compositions import OneSecret, composed, registered

FERNET = Fernet.generate_key().decode()


class TwoSecrets(OneSecret):
    """A vault in place of the real one, for which this process has no identity."""

    async def get(self, name):
        hmac = base64.b64encode(b"a key of these tests").decode()
        return Secret(hmac if name.startswith("subject") else FERNET, "1")


@pytest.fixture(scope="session")
def services(tmp_path_factory):
    """Storage and bus."""
    from infra.local.stack import Stack

    directory = tmp_path_factory.mktemp("services")
    with Stack(directory, in_memory=True, processes=("azurite", "servicebus")) as started:
        yield started


@pytest.fixture
async def fast(services):
    async with composed(services.settings, TwoSecrets()) as app:
        yield app


@pytest.fixture
async def slow(services):
    """A second instance of the app, to be held up."""
    async with composed(services.settings, TwoSecrets()) as app:
        yield app


@pytest.fixture
async def tenant(fast):
    return await registered(fast)
