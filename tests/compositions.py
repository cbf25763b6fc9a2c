"""The app's composition within a test's own process, on services that run."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from shared.composition import App
from shared.identity import Caller
from shared.identity.rules import VENDOR_SERVICE
from shared.ids import new_id
from shared.ports import Clock, Secret, Secrets
from shared.settings import read_settings
from shared.tenancy import Registration


class OneSecret:
    """A vault with one secret, in place of the real one, for which this process has no identity."""

    async def get(self, _name: str) -> Secret:
        return Secret(base64.b64encode(b"a key of these tests").decode(), "1")


PORTAL = Caller("portal", frozenset({VENDOR_SERVICE}), None, "vendor")


async def registered(app: App, tenant: str | None = None) -> str:
    """Register a tenant as the portal does, a new one where none is named; its id."""
    tenant = tenant or f"t{new_id(datetime.now(UTC)).lower()}"
    registration = Registration(id=tenant, display_name="A tenant", residency_zone="eu")
    await app.tenants.register(registration, PORTAL, app.new_id())
    return tenant


@asynccontextmanager
async def composed(
    settings: Mapping[str, str], secrets: Secrets | None = None, clock: Clock | None = None
) -> AsyncIterator[App]:
    """The app with these settings; `secrets` in place of the vault, `clock` of the real time."""
    app = App(read_settings(settings), **({"clock": clock} if clock else {}))
    if secrets is not None:
        app.secrets = secrets
    try:
        yield app
    finally:
        for client in (app.tables, app.blobs, app.bus):
            await client.close()
