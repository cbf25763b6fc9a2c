"""Uploads on a stack whose app waits for what Defender for Storage says through Event Grid."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from infra.local.stack import Stack
from samples.eicar import eicar
from shared.catalogue import PARKED_MESSAGES_QUEUE, SCAN_RESULTS_QUEUE
from tests.journeys.portal import Portal, eventually
from tests.queues import peeked

PHOTO = (Path(__file__).parents[2] / "samples/cat.jpg").read_bytes()
EVENT_TYPE = "Microsoft.Security.MalwareScanningResult"


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory):
    settings = {"SCANNER": "defender", "SCAN_RESULT_MINUTES": "30"}
    with Stack(tmp_path_factory.mktemp("stack"), in_memory=True, settings=settings) as started:
        yield started


@pytest.fixture
async def own_bus(own_stack):
    string = own_stack.info["connection_strings"]["service_bus"]
    async with ServiceBusClient.from_connection_string(string) as client:
        yield client


@pytest.fixture
async def defender(own_stack, own_bus):
    """`await defender(name, kind)` says what Defender says of a blob, as a CloudEvent."""
    string = own_stack.info["connection_strings"]["storage"]
    async with BlobServiceClient.from_connection_string(string) as blobs:

        async def say(name, kind, container="incoming", **details):
            blob = blobs.get_blob_client("incoming", name)
            found = await blob.get_blob_properties()
            event = {
                "specversion": "1.0",
                "id": f"scan-{name}",
                "source": "/subscriptions/s/providers/Microsoft.EventGrid/topics/t",
                "type": EVENT_TYPE,
                "time": datetime.now(UTC).isoformat(),
                "data": {
                    "blobUri": f"{own_stack.info['endpoints']['blob']}/{container}/{name}",
                    "eTag": found.etag.strip('"'),
                    "scanFinishedTimeUtc": datetime.now(UTC).isoformat(),
                    "scanResultType": kind,
                    "scanResultDetails": details or None,
                },
            }
            async with own_bus.get_queue_sender(SCAN_RESULTS_QUEUE.name) as sender:
                await sender.send_messages(ServiceBusMessage(json.dumps(event)))

        yield say


async def test_defender_decides(own_stack, own_bus, defender):
    async with Portal(own_stack, "decided") as portal:
        cat = await portal.upload("cat.jpg", PHOTO)
        virus = await portal.upload("virus.com", eicar())
        waits = await portal.upload("waits.jpg", PHOTO)
        await defender(virus, "Malicious", malwareNamesFound=["DOS/EICAR_Test_File"])
        await defender(cat, "No threats found")
        # Not of our container: parked, and no verdict.
        await defender(waits, "No threats found", container="exports")
        found = await eventually(portal.assets, lambda assets: len(assets) == 2)
        assert {asset["path"]: asset["verdict"] for asset in found} == {
            "cat.jpg": "clean",
            "virus.com": "infected",
        }
        assert {asset["scans"][0]["engine"] for asset in found} == {"defender"}
        [parked] = await eventually(lambda: peeked(own_bus, PARKED_MESSAGES_QUEUE.name), bool)
        properties = {name.decode(): value for name, value in parked.application_properties.items()}
        assert properties["parked-reason"] == b"scan-result-not-ours"
        assert properties["parked-queue"] == b"scan-results"
        assert len(await portal.assets()) == 2
        await defender(waits, "No threats found")
        await eventually(portal.assets, lambda assets: len(assets) == 3)
