"""Erasing one asset, on the stack's own storage."""

from datetime import UTC, datetime

import pytest

from shared.assets import ASSETS, Asset, Assets, asset_row
from shared.azure.blobs import AzureBlobs
from shared.azure.bus import AzureBus
from shared.azure.tables import AzureTables
from shared.catalogue import PARKED_MESSAGES_QUEUE
from shared.errors import NotFoundError
from shared.ids import key, new_id
from shared.messages import Outbox
from shared.messages.contracts import AccessRecorded, Actor
from shared.ports import Insert, Row
from shared.rows import to_values
from tests.entrylogs import NoLog


class House:
    """The assets of a tenant that has one."""

    def __init__(self, stack) -> None:
        strings = stack.info["connection_strings"]
        self.tables = AzureTables(strings["storage"])
        self.blobs = AzureBlobs(strings["storage"])
        self.bus = AzureBus(strings["service_bus"], ping_queue=PARKED_MESSAGES_QUEUE.name)
        self.tenant = f"t{new_id(datetime.now(UTC)).lower()}"
        self.container = f"tenant-{self.tenant}"
        self.asset = new_id(datetime.now(UTC))

        def clock() -> datetime:
            return datetime.now(UTC)

        outbox = Outbox(self.tables, self.bus, NoLog(), clock)
        self.assets = Assets(self.tables, self.blobs, outbox, clock)

    async def put(self, name: str, asset: str) -> None:
        """A blob that `asset` was filed as."""
        await self.blobs.ensure_container("incoming")
        await self.blobs.write("incoming", f"{self.tenant}/{asset}", b"bytes", "text/plain")
        source = await self.blobs.head("incoming", f"{self.tenant}/{asset}")
        await self.blobs.delete(self.container, name)
        assert await self.blobs.copy(source, self.container, name, {"asset": asset}, "text/plain")
        await self.blobs.delete("incoming", f"{self.tenant}/{asset}")

    async def known(self) -> None:
        now = datetime.now(UTC)
        asset = Asset(
            id=self.asset,
            tenant=self.tenant,
            path="a.txt",
            container=self.container,
            blob="a.txt",
            verdict="clean",
            size=5,
            uploaded_at=now,
            filed_at=now,
        )
        row = Row(key(self.tenant), asset_row(self.asset), to_values(asset))
        await self.tables.commit(ASSETS, [Insert(row)])

    async def erase(self) -> None:
        step = AccessRecorded(
            tenant=self.tenant,
            actor=Actor(id="test", role="system", organisation="vendor"),
            action="asset.erased",
            resource=f"assets/{self.asset}",
            outcome="allowed",
        )
        await self.assets.erase(self.tenant, self.asset, "R1", step)

    async def close(self) -> None:
        for client in (self.tables, self.blobs, self.bus):
            await client.close()


@pytest.fixture
async def house(stack):
    made = House(stack)
    await made.blobs.ensure_container(made.container)
    await made.put("a.txt", made.asset)
    await made.known()
    yield made
    await made.close()


async def test_an_erased_asset_leaves_a_tombstone_and_no_bytes(house):
    await house.erase()
    await house.erase()
    assert await house.blobs.head(house.container, "a.txt") is None
    with pytest.raises(NotFoundError):
        await house.assets.find(house.tenant, house.asset)
    row = await house.tables.get(ASSETS, key(house.tenant), asset_row(house.asset))
    assert row is not None
    assert set(row.values) == {"id", "tenant", "erasedAt", "erasureRequest"}


async def test_an_erasure_that_goes_on_after_a_crash_spares_a_newer_upload_of_the_name(house):
    await house.blobs.delete(house.container, "a.txt")
    await house.put("a.txt", newer := new_id(datetime.now(UTC)))
    await house.erase()
    blob = await house.blobs.head(house.container, "a.txt")
    assert blob is not None
    assert blob.metadata == {"asset": newer}
