"""Blob functions with the source Event Grid: delivered events run, and survive the host.

Sources: "Trigger Azure Functions on blob containers using an event subscription", "Webhook event
delivery" and "Azure Blob Storage as an Event Grid source" (learn.microsoft.com).
"""

import asyncio
import base64
import json
import re
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, Services, generate_account_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from tests.local.host.harness import PATIENCE_SECONDS, Host, eventually

FUNCTION = "Host.Functions.arrived"
NOTIFICATION = {"aeg-event-type": "Notification"}
VALIDATION = {"aeg-event-type": "SubscriptionValidation"}


@pytest.fixture
def host(new_host: Callable[..., Host], storage: str) -> Host:
    made = new_host("blobs", AzureWebJobsStorage=storage, FILES=storage, SOURCE="EventGrid")
    name = uuid.uuid4().hex
    made.settings["CONTAINER"] = f"incoming-{name}"
    made.settings["AzureFunctionsWebHost__hostid"] = f"host-{name}"
    return made


@pytest.fixture
async def incoming(host: Host, storage: str) -> AsyncIterator[ContainerClient]:
    async with ContainerClient.from_connection_string(
        storage, host.settings["CONTAINER"]
    ) as container:
        await container.create_container()
        yield container


@pytest.fixture
def code(host: Host, storage: str) -> Callable[[], Any]:
    """Return a reader of the extension's system key, which the host made."""

    async def read() -> str:
        name = f"{host.settings['AzureFunctionsWebHost__hostid']}/host.json"
        async with ContainerClient.from_connection_string(storage, "azure-webjobs-secrets") as kept:
            keys = json.loads(await (await kept.download_blob(name)).readall())
        [key] = [k for k in keys["systemKeys"] if k["name"] == "blobs_extension"]
        return str(key["value"])

    return read


async def created(incoming: ContainerClient, name: str) -> dict[str, Any]:
    """Upload a blob and return the event that Event Grid would deliver."""
    await incoming.upload_blob(name, b"bytes", overwrite=True)
    found = await incoming.get_blob_client(name).get_blob_properties()
    container = incoming.container_name
    return {
        "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a",
        "subject": f"/blobServices/default/containers/{container}/blobs/{name}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": "2026-11-23T12:00:00.0000000Z",
        "id": str(uuid.uuid4()),
        "data": {
            "api": "PutBlob",
            "clientRequestId": str(uuid.uuid4()),
            "requestId": str(uuid.uuid4()),
            "eTag": found.etag.strip('"'),
            "contentType": "application/octet-stream",
            "contentLength": 5,
            "blobType": "BlockBlob",
            "url": f"https://a.blob.core.windows.net/{container}/{name}",
            "sequencer": "00000000000004420000000000028963",
            "storageDiagnostics": {"batchId": str(uuid.uuid4())},
        },
        "dataVersion": "",
        "metadataVersion": "1",
    }


async def deliver(
    host: Host, code: str, events: object, function: str | None = FUNCTION, **headers: str
) -> httpx.Response:
    """POST events as Event Grid does."""
    params = {"code": code} | ({} if function is None else {"functionName": function})
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.post(
            f"{host.url}/runtime/webhooks/blobs",
            params=params,
            json=events,
            headers={**NOTIFICATION, **headers},
        )


def runs(host: Host, kind: str) -> list[str]:
    return [record["blob"] for record in host.records if record["name"] == kind]


async def pending(host: Host, storage: str) -> list[str]:
    """Return the names of the host's records of events and failures."""
    identity = host.settings["AzureFunctionsWebHost__hostid"]
    async with ContainerClient.from_connection_string(storage, "azure-webjobs-hosts") as kept:
        names = [name async for name in kept.list_blob_names()]
    return [n for n in names if identity in n and n.startswith(("blobevents", "blobfail"))]


async def settled(host: Host, storage: str) -> None:
    """Wait until the host has no record left."""
    left: list[str] = ["not looked yet"]
    for _ in range(int(PATIENCE_SECONDS / 0.05)):
        if not (left := await pending(host, storage)):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"still written down: {left}")


async def test_the_endpoint_proves_that_it_is_ours(
    host: Host, incoming: ContainerClient, code: Any
) -> None:
    await host.start()
    event = await created(incoming, "a.jpg")
    asked = event | {
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6", "validationUrl": "https://x.example/"},
    }
    answer = await deliver(host, await code(), [asked], **VALIDATION)
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "512d38b6"})
    assert runs(host, "started") == []


async def test_a_blob_is_run_when_its_event_comes_and_not_before(
    host: Host, incoming: ContainerClient, code: Any, storage: str
) -> None:
    await host.start()
    untold = await created(incoming, "untold.jpg")
    told = [await created(incoming, name) for name in ("a b/c#ü%20.jpg", "b.jpg")]
    elsewhere = {**untold, "subject": untold["subject"].replace("incoming", "outgoing")}
    answer = await deliver(host, await code(), [*told, elsewhere])
    assert answer.status_code == 200, answer.text
    await eventually(lambda: len(runs(host, "done")) == 2)
    assert sorted(runs(host, "done")) == ["a b/c#ü%20.jpg", "b.jpg"]
    await settled(host, storage)


async def test_an_accepted_event_outlives_the_host(
    host: Host, incoming: ContainerClient, code: Any, storage: str
) -> None:
    await host.start()
    answer = await deliver(host, await code(), [await created(incoming, "slow/a.jpg")])
    assert answer.status_code == 200
    await eventually(lambda: runs(host, "started"))
    await host.kill()
    host.gate.touch()
    await host.start()
    await eventually(lambda: runs(host, "done"))
    assert runs(host, "done") == ["slow/a.jpg"]
    await settled(host, storage)


async def test_an_overtaken_version_is_not_run(
    host: Host, incoming: ContainerClient, code: Any, storage: str
) -> None:
    old = await created(incoming, "a.jpg")
    new = await created(incoming, "a.jpg")
    gone = await created(incoming, "gone.jpg")
    await incoming.delete_blob("gone.jpg")
    await host.start()
    key = await code()
    assert (await deliver(host, key, [gone])).status_code == 200
    assert (await deliver(host, key, [old, new])).status_code == 200
    await eventually(lambda: runs(host, "done"))
    await settled(host, storage)
    assert runs(host, "started") == ["a.jpg"]


async def test_a_blob_that_fails_ends_in_the_poison_queue(
    host: Host, incoming: ContainerClient, code: Any, storage: str
) -> None:
    await host.start()
    event = await created(incoming, "fail/a.jpg")
    assert (await deliver(host, await code(), [event])).status_code == 200
    await eventually(lambda: "gave up on a blob" in host.log)
    await settled(host, storage)
    assert runs(host, "started") == ["fail/a.jpg"] * 3
    here = incoming.container_name
    [message] = [one for one in await poisoned(storage) if one["ContainerName"] == here]
    assert message["BlobName"] == "fail/a.jpg"
    assert message["ETag"] == event["data"]["eTag"]


async def poisoned(storage: str) -> list[dict[str, str]]:
    """Return the messages in the poison queue; peeking removes no message."""
    async with BlobServiceClient.from_connection_string(storage) as service:
        account, key = service.account_name, service.credential.account_key
    endpoint = dict(p.split("=", 1) for p in storage.split(";") if p)["QueueEndpoint"]
    signature = generate_account_sas(
        account,
        key,
        ResourceTypes(container=True, object=True),
        AccountSasPermissions(read=True),
        datetime.now(UTC) + timedelta(minutes=5),
        services=Services(queue=True),
    )
    url = f"{endpoint}/webjobs-blobtrigger-poison/messages?peekonly=true&numofmessages=32"
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{url}&{signature}")
    texts = re.findall("<MessageText>(.*?)</MessageText>", answer.text)
    return [json.loads(base64.b64decode(text)) for text in texts]


async def test_only_the_keys_for_it_open_the_endpoint(
    host: Host, incoming: ContainerClient, code: Any
) -> None:
    await host.start()
    event = await created(incoming, "a.jpg")
    for wrong in ("", "wrong", (await code())[:-1]):
        assert (await deliver(host, wrong, [event])).status_code == 401
    assert runs(host, "started") == []


@pytest.mark.parametrize(
    ("change", "function", "headers", "status", "named"),
    [
        ({}, None, {}, 400, "functionName"),
        ({}, "Host.Functions.nobody", {}, 404, "Host.Functions.nobody"),
        ({}, FUNCTION, {"aeg-event-type": "Unsubscribe"}, 400, "Unsubscribe"),
        ({}, FUNCTION, {"content-type": "application/cloudevents+json"}, 415, "CloudEvents"),
        (
            {"eventType": "Microsoft.Storage.BlobDeleted"},
            FUNCTION,
            {},
            400,
            "Microsoft.Storage.BlobDeleted",
        ),
        ({"data": {"eTag": "0x1"}}, FUNCTION, {}, 400, "blobType"),
        ({"subject": 7}, FUNCTION, {}, 400, "subject"),
        ({}, FUNCTION, VALIDATION, 400, "validationCode"),
    ],
)
async def test_what_is_not_supported_is_refused_by_name(
    host: Host,
    incoming: ContainerClient,
    code: Any,
    change: dict[str, object],
    function: str | None,
    headers: dict[str, str],
    status: int,
    named: str,
) -> None:
    await host.start()
    event = await created(incoming, "a.jpg") | change
    answer = await deliver(host, await code(), [event], function, **headers)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text
    assert runs(host, "started") == []


async def test_an_unknown_source_is_refused(host: Host, tmp_path: Any) -> None:
    text = (host.app / "function_app.py").read_text()
    source = 'func.BlobSource(os.environ.get("SOURCE", "LogsAndContainerScan"))'
    assert source in text
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "function_app.py").write_text(text.replace(source, '"Polling"'))
    (folder / "host.json").write_text((host.app / "host.json").read_text())
    host.app = folder
    host.spawn()
    assert await host.wait() == 1
    assert "source Polling of blobTrigger" in host.log
