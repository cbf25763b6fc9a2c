"""The adapters of the composition open the stores of the catalogue alone."""

from datetime import timedelta

import pytest

from infra.local.ports import Ports
from infra.local.settings import app_settings
from shared.catalogue import CONTAINERS, QUEUES, TABLES, UnlistedStoreError, require_container
from shared.composition.core import Composition, _utc_now
from shared.ports import OutgoingMessage, QueuePlace
from shared.settings import read_settings


@pytest.fixture
async def adapters(tmp_path):
    settings = read_settings(app_settings(Ports(), tmp_path / "ca.pem", "header"))
    built = Composition(settings).adapters
    yield built
    await built.tables.close()
    await built.blobs.close()
    await built.bus.close()


async def test_an_unlisted_table_is_refused(adapters):
    with pytest.raises(UnlistedStoreError):
        await adapters.tables.get("planted", "p", "r")
    with pytest.raises(UnlistedStoreError):
        await adapters.tables.commit("planted", [])


async def test_an_unlisted_container_is_refused(adapters):
    with pytest.raises(UnlistedStoreError):
        await adapters.blobs.ensure_container("planted")
    with pytest.raises(UnlistedStoreError):
        await adapters.blobs.write("planted", "a", b"", "text/plain")
    with pytest.raises(UnlistedStoreError):
        adapters.blobs.read_url("planted", "a", _utc_now() + timedelta(minutes=1), "a")
    with pytest.raises(UnlistedStoreError):
        async for _ in adapters.blobs.scan("planted"):
            pass


@pytest.mark.parametrize("name", ["tenant-", "tenant-../exports", "tenant-a--b", "tenant-A"])
def test_a_container_of_no_tenant_is_refused(name):
    with pytest.raises(UnlistedStoreError):
        require_container(name)


async def test_an_unlisted_queue_is_refused(adapters):
    with pytest.raises(UnlistedStoreError):
        await adapters.bus.send([OutgoingMessage("planted", "E1", b"{}")])
    with pytest.raises(UnlistedStoreError):
        await adapters.bus.oldest("planted")
    with pytest.raises(UnlistedStoreError):
        await adapters.bus.browse(QueuePlace("planted"), 1, 1)


def test_a_store_of_one_kind_is_no_store_of_another_kind(adapters):
    tables = {store.name for store in TABLES}
    for queue in {store.name for store in QUEUES} - tables:
        with pytest.raises(UnlistedStoreError):
            adapters.tables._client(queue)
    for container in {store.name for store in CONTAINERS} - tables:
        with pytest.raises(UnlistedStoreError):
            adapters.tables._client(container)


def test_every_listed_table_is_opened(adapters):
    for table in TABLES:
        assert adapters.tables._client(table.name).table_name == table.name
