"""Uploads noticed by Event Grid, as in Azure: the same app, with one setting changed."""

import json

import httpx
import pytest
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from infra.local.settings import ROOT
from infra.local.stack import Stack
from tests.journeys.portal import Portal, eventually


@pytest.fixture(scope="module")
def by_events(tmp_path_factory):
    """A stack whose app waits for events."""
    settings = {"BLOB_TRIGGER_SOURCE": "EventGrid", "AzureFunctionsWebHost__hostid": "by-events"}
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, settings=settings, in_memory=True) as started:
        yield started


async def test_an_upload_is_filed_when_its_event_comes(by_events):
    storage = by_events.info["connection_strings"]["storage"]
    async with ContainerClient.from_connection_string(storage, "azure-webjobs-secrets") as kept:
        keys = json.loads(await (await kept.download_blob("by-events/host.json")).readall())
    [code] = [k["value"] for k in keys["systemKeys"] if k["name"] == "blobs_extension"]
    async with Portal(by_events, "by-events") as portal:
        name = await portal.upload("shoot/cat.jpg", (ROOT / "samples/cat.jpg").read_bytes())
        async with BlobServiceClient.from_connection_string(storage) as blobs:
            blob = blobs.get_blob_client("incoming", name)
            uploaded = await blob.get_blob_properties()
        event = {
            "id": "831e1650-001e-001b-66ab-eeb76e069631",
            "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/x/a",
            "subject": f"/blobServices/default/containers/incoming/blobs/{name}",
            "eventType": "Microsoft.Storage.BlobCreated",
            "eventTime": "2026-11-23T12:00:00Z",
            "data": {
                "api": "PutBlob",
                "eTag": uploaded.etag.strip('"'),
                "blobType": "BlockBlob",
                "url": blob.url,
            },
            "dataVersion": "",
            "metadataVersion": "1",
        }
        assert await portal.assets() == []
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            # Event Grid delivers at least once.
            for _ in range(2):
                answer = await http.post(
                    f"{by_events.info['endpoints']['app']}/runtime/webhooks/blobs",
                    params={"functionName": "Host.Functions.upload_arrived", "code": code},
                    headers={"aeg-event-type": "Notification"},
                    json=[event],
                )
                assert answer.status_code == 200, answer.text
        [asset] = await eventually(portal.assets, bool)
        assert (asset["path"], asset["verdict"]) == ("shoot/cat.jpg", "clean")
