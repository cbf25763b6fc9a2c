"""The app within the test's own process, without a host, whose deliveries would be in the way."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.fernet import Fernet

from infra.local.stack import Stack
from shared.identity.rules import VENDOR_SERVICE, Caller
from shared.ids import new_id
from shared.ports import Secret
from shared.tenancy import Registration
from tests.compositions import composed

PORTAL = Caller("portal", frozenset({VENDOR_SERVICE}), None, "vendor")
FERNET = Fernet.generate_key().decode()


class TwoSecrets:
    """A vault in place of the real one, for which this process has no identity."""

    async def get(self, name):
        hmac = base64.b64encode(b"a key of these tests").decode()
        return Secret(hmac if name.startswith("subject") else FERNET, "1")


@pytest.fixture(scope="session")
def services(tmp_path_factory):
    """Storage and bus."""
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
    identifier = f"t{new_id(datetime.now(UTC)).lower()}"
    registration = Registration(id=identifier, display_name="A tenant", residency_zone="eu")
    await fast.tenants.register(registration, PORTAL, fast.new_id())
    return identifier
