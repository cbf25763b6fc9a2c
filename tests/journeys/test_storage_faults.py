"""Storage has a bad day, and restarts in the middle: nothing is lost, and nothing done twice.

One request in twelve or so fails: refused with 500, 503 or 429, cut before it gets there, cut in
its answer, or carried out with the answer lost ("Azure Storage retry guidance"; the fault proxy).
"""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobClient, BlobServiceClient, LinearRetry

from infra.local.faults.rules import Rule, bad_day
from infra.local.programs import FAULTS, PROCESSES
from infra.local.stack import Stack
from shared.catalogue import (
    ACCESS_EVENTS_QUEUE,
    CONSENT_GRANTS_QUEUE,
    INTAKE_QUEUE,
    PARKED_MESSAGES_QUEUE,
)
from tests.journeys.portal import Portal, eventually

PHOTO = (Path(__file__).parents[2] / "samples/astronaut.jpg").read_bytes()
NAME = "Eileen Collins"
COUNT = 16
PROBABILITY = 0.08


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    """A stack whose app reaches its storage through the fault proxy; Azurite keeps its data."""
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, processes=(*PROCESSES, FAULTS), lock_duration="PT10S") as started:
        yield started


@pytest.fixture(scope="module")
async def storage(own_stack):
    """The blobs and tables, past the proxy: what these tests themselves do must not fail."""
    string = own_stack.info["connection_strings"]["storage"]
    patient = {"retry_policy": LinearRetry(backoff=1, retry_total=30)}
    async with (
        BlobServiceClient.from_connection_string(string, **patient) as blobs,
        TableServiceClient.from_connection_string(string, retry_total=30) as tables,
    ):
        yield blobs, tables


@pytest.fixture(scope="module")
async def own_bus(own_stack):
    """The queues of that stack."""
    string = own_stack.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


class Insistent(Portal):
    """A portal that sends again, with its Idempotency-Key, what failed for a passing reason."""

    _keys = 0

    async def call(self, method, path, **given):
        if method == "POST":
            Insistent._keys += 1
            headers = {"Idempotency-Key": f"{self.tenant}-{Insistent._keys}"}
            given["headers"] = headers | (given.get("headers") or {})
        return await eventually(
            lambda: super(Insistent, self).call(method, path, **given),
            lambda answer: answer.status_code < 500,
        )


async def names(storage, container, prefix=""):
    client = storage[0].get_container_client(container)
    return [name async for name in client.list_blob_names(name_starts_with=prefix)]


async def rows(storage, table, partition_prefix):
    """The rows of a table whose partitions begin so; the app makes a table at its first row."""
    last = partition_prefix[:-1] + chr(ord(partition_prefix[-1]) + 1)
    found = storage[1].get_table_client(table)
    query = found.query_entities(
        "PartitionKey ge @first and PartitionKey lt @last",
        parameters={"first": partition_prefix, "last": last},
    )
    try:
        return [row async for row in query]
    except ResourceNotFoundError:
        return []


async def records(storage, tenant):
    """The ids of a tenant's assets that have a sealed record."""
    names = [row["RowKey"] for row in await rows(storage, "assets", tenant)]
    return {name.removeprefix("record|") for name in names if name.startswith("record|")}


async def upload_all(storage, portal):
    """Put the photos of one person where the portal's clients put them."""
    container = storage[0].get_container_client("incoming")
    given = {f"shoot/{number:03}.jpg": PHOTO + bytes([number]) for number in range(COUNT)}
    for path, data in given.items():
        url = await portal.upload_url(path, len(data))
        name = BlobClient.from_blob_url(url).blob_name
        await container.upload_blob(name, data)
    return given


async def assets_filed(storage, portal):
    return len([r for r in await rows(storage, "assets", portal.tenant) if "asset|" in r["RowKey"]])


async def none_left(storage, portal):
    await eventually(lambda: names(storage, "incoming", f"{portal.tenant}/"), lambda left: not left)


async def dead_letters(bus):
    """Messages that were given up on, by queue."""
    found = Counter()
    for queue in (
        INTAKE_QUEUE.name,
        CONSENT_GRANTS_QUEUE.name,
        ACCESS_EVENTS_QUEUE.name,
        PARKED_MESSAGES_QUEUE.name,
    ):
        sub_queue = None if queue == PARKED_MESSAGES_QUEUE.name else "deadletter"
        async with bus.get_queue_receiver(queue, sub_queue=sub_queue) as receiver:
            found[queue] += len(await receiver.peek_messages(100))
    return +found


async def test_uploads_are_taken_in_once_each(own_stack, storage, own_bus, faults):
    async with Insistent(own_stack, "bad-uploads") as portal:
        faults.set(bad_day(PROBABILITY, seed=1))
        given = await upload_all(storage, portal)
        await eventually(lambda: assets_filed(storage, portal), lambda n: n >= COUNT // 3)
        await asyncio.to_thread(own_stack.restart, "azurite")
        await none_left(storage, portal)
        assert sum(faults.hits()) > 10
        faults.clear()
        assets = await portal.assets()
        assert sorted(asset["path"] for asset in assets) == sorted(given)
        assert {asset["verdict"] for asset in assets} == {"clean"}
        kept = await names(storage, "tenant-bad-uploads")
        assert sorted(kept) == sorted(given)
        assert await records(storage, "bad-uploads") == {asset["id"] for asset in assets}
        log = await eventually(portal.log, lambda log: len(told(log, "asset.cleared")) == COUNT)
        assert set(told(log, "asset.cleared").values()) == {1}
        assert await dead_letters(own_bus) == {}


def told(log, action):
    """How often the log tells of this action, by resource."""
    return Counter(entry["resource"] for entry in log if entry["action"] == action)


def event(tenant, number):
    """What another service reports: an access of its own, as a message for `access-events`."""
    body = {
        "specversion": "1.0",
        "id": f"{tenant}-{number}",
        "source": "https://dam.example/viewer",
        "type": "vouchsafe.access.recorded.v1",
        "time": "2026-03-01T12:00:00Z",
        "data": {
            "tenant": tenant,
            "actor": {"id": "sven", "role": "vendor.support", "organisation": "vendor"},
            "action": "asset.viewed",
            "resource": f"assets/{number}",
            "outcome": "allowed",
        },
    }
    return ServiceBusMessage(
        json.dumps(body),
        content_type="application/cloudevents+json",
        message_id=f"{tenant}-{number}",
    )


async def test_an_outage_uses_up_no_deliveries(own_stack, own_bus, faults):
    """Ten at once would be gone in a second, and the event in the dead-letter queue."""
    async with Insistent(own_stack, "outage") as portal:
        with faults.rules(Rule(service="table", status=429)):
            async with own_bus.get_queue_sender(ACCESS_EVENTS_QUEUE.name) as sender:
                await sender.send_messages(event(portal.tenant, 1))
            await asyncio.sleep(10)
            assert sum(faults.hits()) > 1
        await eventually(portal.log, lambda log: told(log, "asset.viewed") == {"assets/1": 1})
        assert await dead_letters(own_bus) == {}


async def test_each_event_is_in_the_log_once(own_stack, storage, own_bus, faults):
    async with Insistent(own_stack, "bad-events") as portal:
        faults.set(bad_day(PROBABILITY, seed=2))
        messages = [event(portal.tenant, number) for number in range(200)]
        async with own_bus.get_queue_sender(ACCESS_EVENTS_QUEUE.name) as sender:
            for at in range(0, len(messages), 20):
                await sender.send_messages(messages[at : at + 20])
                if at == 100:
                    await asyncio.to_thread(own_stack.restart, "azurite")

        async def logged():
            return told(await portal.log(), "asset.viewed")

        counts = await eventually(logged, lambda counts: len(counts) == len(messages))
        faults.clear()
        assert sum((await logged()).values()) == len(messages)
        assert set(counts.values()) == {1}
        assert await dead_letters(own_bus) == {}


async def test_consent_is_given_once_and_every_access_is_told(own_stack, own_bus, faults):
    async with Insistent(own_stack, "bad-consents") as portal:
        await portal.upload("a.jpg", PHOTO)
        (asset,) = await eventually(portal.assets, bool)
        faults.set(bad_day(PROBABILITY, seed=3))
        grants = []
        for number in range(10):
            terms = {
                "pathPrefix": "",
                "operations": ["read"],
                "purpose": "repair",
                "ticket": f"T-{number}",
                "engineer": "sven",
                "expiresAt": "2100-01-01T00:00:00Z",
            }
            answer = await portal.mine("POST", "consent-grants", body=terms)
            assert answer.status_code == 201, answer.text
            grants.append(answer.json())
        let_in = []
        for grant in grants:
            wish = {
                "assetId": asset["id"],
                "operation": "read",
                "purpose": "repair",
                "ticket": grant["ticket"],
            }
            answer = await portal.mine("POST", "accesses", who="sven", body=wish)
            assert (answer.status_code, answer.content) == (200, PHOTO)
            assert answer.headers["Vouchsafe-Consent-Grant"] == grant["id"]
            let_in.append(answer.headers["Vouchsafe-Log-Entry"])
            if grant is grants[4]:
                await asyncio.to_thread(own_stack.restart, "azurite")
        for grant in grants:
            path = f"consent-grants/{grant['id']}/revocation"
            revoked = await portal.mine("PUT", path, who="noor")
            assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
        faults.clear()
        listed = await portal.listed("consent-grants", "consentGrants")
        assert Counter(grant["id"] for grant in listed) == Counter(grant["id"] for grant in grants)
        log = await eventually(
            portal.log, lambda log: sum(e["action"] == "consent.revoked" for e in log) == 10
        )
        for action in ("consent.granted", "consent.revoked"):
            of_grants = Counter(e["grantId"] for e in log if e["action"] == action)
            assert of_grants == Counter(grant["id"] for grant in grants)
        ids = Counter(entry["id"] for entry in log)
        assert set(ids.values()) == {1}
        assert ids.keys() >= set(let_in)
        assert len(set(let_in)) == len(grants)


async def test_an_erasure_is_completed_once(own_stack, storage, own_bus, faults):
    async with Insistent(own_stack, "bad-erasure") as portal:
        await upload_all(storage, portal)
        await none_left(storage, portal)
        assets = {f"assets/{asset['id']}" for asset in await portal.assets()}
        assert len(assets) == COUNT
        faults.set(bad_day(PROBABILITY, seed=4))
        asked = await portal.mine("POST", "erasure-requests", body={"name": NAME})
        assert asked.status_code == 202, asked.text
        request = f"erasure-requests/{asked.json()['id']}"

        async def state():
            return await portal.mine("GET", request)

        def has(status):
            return lambda answer: answer.status_code == 200 and answer.json()["status"] == status

        seen = await eventually(state, has("awaiting-approval"))
        assert seen.json()["assets"] == COUNT
        approved = await portal.mine(
            "PUT", f"{request}/approval", who="noor", headers={"If-Match": seen.headers["ETag"]}
        )
        # Told by the second try that the first, whose answer was lost, has changed the state.
        assert approved.status_code in {200, 412}, approved.text
        await asyncio.to_thread(own_stack.restart, "azurite")
        await eventually(state, has("completed"))
        faults.clear()
        assert await names(storage, "tenant-bad-erasure") == []
        assert await portal.assets() == []
        assert await records(storage, "bad-erasure") == set()
        log = await eventually(
            portal.log,
            lambda log: (
                told(log, "erasure.completed") and told(log, "asset.erased").keys() == assets
            ),
        )
        assert set(told(log, "asset.erased").values()) == {1}
        for step in ("requested", "previewed", "approved", "completed"):
            assert told(log, f"erasure.{step}") == {request: 1}
        said = Path(own_stack.info["processes"]["host"]["log"])
        assert "unforeseen" not in await asyncio.to_thread(said.read_text)
        assert await dead_letters(own_bus) == {}
