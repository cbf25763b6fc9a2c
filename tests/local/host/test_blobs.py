"""Blob functions: each blob once, through every kind of end of the host.

Sources: "Azure Blob storage trigger for Azure Functions" (blob name patterns, receipts, poison
blobs, concurrency) and "Use SDK type bindings" of the Python developer guide (learn.microsoft.com).
"""

import asyncio
import base64
import json
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableClient
from azure.storage.blob import (
    AccountSasPermissions,
    ResourceTypes,
    Services,
    generate_account_sas,
)
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from infra.local.host.blobs import in_turn
from infra.local.host.errors import StartupError
from infra.local.host.listing import BlobVersion
from infra.local.host.patterns import BlobPattern
from infra.local.host.receipts import TABLE
from tests.local.host.harness import APPS, PATIENCE_SECONDS, Host, eventually


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("in/{name}", "a b/c#ü.jpg", {"name": "a b/c#ü.jpg"}),
        ("in/{tenant}/{name}.jpg", "acme/x.jpg", {"tenant": "acme", "name": "x"}),
        ("in/{tenant}/{name}.jpg", "acme/x.png", None),
        ("in/fixed.txt", "fixed.txt", {}),
        ("in/fixed.txt", "other.txt", None),
        ("in/a.{name}", "abc", None),
    ],
)
def test_a_path_matches_names(path: str, name: str, values: dict[str, str] | None) -> None:
    assert BlobPattern(path).match(name) == values


def test_a_pattern_narrows_the_listing() -> None:
    assert BlobPattern("in/photos/{name}").prefix == "photos/"
    assert BlobPattern("in/{name}").prefix == ""


@pytest.mark.parametrize("path", ["in", "in/", "{container}/{name}", "in/{name:guid}", "in/{{x}}"])
def test_an_unsupported_path_is_refused(path: str) -> None:
    with pytest.raises(StartupError, match="is not a container and a pattern"):
        BlobPattern(path)


@pytest.fixture
def host(new_host: Callable[..., Host], storage: str) -> Host:
    made = new_host("blobs", AzureWebJobsStorage=storage, FILES=storage)
    # Each test has a container and a host identity of its own; a port may repeat.
    name = uuid.uuid4().hex
    made.settings["CONTAINER"] = f"incoming-{name}"
    made.settings["AzureFunctionsWebHost__hostid"] = f"host-{name}"
    return made


@pytest.fixture
async def incoming(host: Host, storage: str) -> AsyncIterator[ContainerClient]:
    name = host.settings["CONTAINER"]
    async with ContainerClient.from_connection_string(storage, name) as container:
        await container.create_container()
        yield container


@pytest.fixture
async def kept(storage: str) -> AsyncIterator[TableClient]:
    """Yield a client of the table of receipts."""
    async with TableClient.from_connection_string(storage, TABLE) as table:
        yield table


async def upload(container: ContainerClient, *names: str) -> None:
    for name in names:
        await container.upload_blob(name, b"content", overwrite=True)


def done(host: Host) -> Counter[str]:
    return Counter(record["blob"] for record in host.records if record["name"] == "done")


async def receipts(kept: TableClient, host: Host, *, done: bool = True) -> list[str]:
    """Return the receipts of blobs that are done, or that failed so far."""
    partition = f"{host.settings['AzureFunctionsWebHost__hostid']}|arrived"
    asked = "PartitionKey eq @partition and done eq @done"
    rows = kept.query_entities(asked, parameters={"partition": partition, "done": done})
    try:
        return [row["RowKey"] async for row in rows]
    except ResourceNotFoundError:
        # The host makes the table.
        return []


async def poisoned(storage: str) -> list[dict[str, str]]:
    """Return the messages in the poison queue."""
    parts = dict(part.split("=", 1) for part in storage.strip(";").split(";"))
    signature = generate_account_sas(
        parts["AccountName"],
        parts["AccountKey"],
        ResourceTypes(object=True),
        AccountSasPermissions(read=True),
        datetime.now(UTC) + timedelta(minutes=5),
        services=Services(queue=True),
    )
    place = f"{parts['QueueEndpoint']}/webjobs-blobtrigger-poison/messages"
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{place}?peekonly=true&numofmessages=32&{signature}")
    answer.raise_for_status()
    texts = re.findall("<MessageText>(.*?)</MessageText>", answer.text)
    return [json.loads(base64.b64decode(text)) for text in texts]


async def test_each_blob_is_processed_once_over_a_restart(
    host: Host, incoming: ContainerClient
) -> None:
    names = {f"keep/é #{number}.jpg" for number in range(30)}
    await upload(incoming, *names)
    await host.start()
    await eventually(lambda: set(done(host)) == names)
    assert await host.stop() == 0
    await host.start()
    await upload(incoming, "keep/later")
    # Listed in one listing with the earlier blobs: the host saw the earlier blobs and ran no
    # function.
    await eventually(lambda: "keep/later" in done(host))
    assert await host.stop() == 0
    assert done(host) == dict.fromkeys({*names, "keep/later"}, 1)


async def test_a_changed_blob_is_new(host: Host, incoming: ContainerClient) -> None:
    await host.start()
    await upload(incoming, "keep/changing")
    await eventually(lambda: done(host)["keep/changing"] == 1)
    await upload(incoming, "keep/changing")
    await eventually(lambda: done(host)["keep/changing"] == 2)


async def test_a_container_may_be_made_after_the_host(host: Host, storage: str) -> None:
    await host.start()
    async with BlobServiceClient.from_connection_string(storage) as service:
        await upload(await service.create_container(host.settings["CONTAINER"]), "keep/1")
    await eventually(lambda: done(host)["keep/1"] == 1)


async def test_receipts_go_with_their_blobs(
    host: Host, incoming: ContainerClient, kept: TableClient
) -> None:
    await upload(incoming, *(f"move/{number}" for number in range(40)), "keep/1")
    await host.start()
    await eventually(lambda: len(done(host)) == 41)
    await until_receipts(kept, host, 1)
    assert [name async for name in incoming.list_blob_names()] == ["keep/1"]


async def test_no_blob_is_lost_or_done_twice_when_the_host_is_killed(
    host: Host, incoming: ContainerClient
) -> None:
    names = {f"{'move' if number % 2 else 'keep'}/{number}" for number in range(150)}
    # Fewer than the slots, and waiting for the gate: the host cannot have finished before the kill.
    names |= {f"slow/{number}" for number in range(10)}
    await upload(incoming, *names)
    await host.start()
    await eventually(lambda: len(done(host)) >= 50)
    await host.kill()
    before = done(host)
    assert len(before) < len(names)
    host.gate.touch()
    await host.start()
    await eventually(lambda: set(done(host)) == names)
    await upload(incoming, "keep/last")
    await eventually(lambda: "keep/last" in done(host))
    assert await host.stop() == 0
    # Only blobs in flight at the kill, at most 16 at a time, may have run again.
    repeated = [name for name, times in done(host).items() if times > 1]
    assert len(repeated) <= 16
    assert set(repeated) <= set(before)


async def test_the_folders_take_turns(host: Host, incoming: ContainerClient) -> None:
    many = [f"keep/{number:03}" for number in range(200)]
    await upload(incoming, *many, "zzz/few")
    await host.start()
    await eventually(lambda: len(done(host)) == len(many) + 1)
    order = [record["blob"] for record in host.records]
    assert order.index("zzz/few") < 50


def test_a_folder_with_few_blobs_goes_before_a_crowd() -> None:
    def blobs(folder: str, count: int) -> list[BlobVersion]:
        return [BlobVersion(f"{folder}/{n:03}", "", "BlockBlob", 0.0) for n in range(count)]

    order = [one.name for one in in_turn([*blobs("many", 900), *blobs("few", 30)])]
    # A tenth of the first turns is the crowd's.
    assert order.index("few/029") < 33
    assert order.index("many/000") < 30
    assert sorted(order) == sorted({*order})


async def test_folders_and_blobs_beside_folders_come_and_go(
    host: Host, incoming: ContainerClient, kept: TableClient
) -> None:
    await host.start()
    for turn in range(2):
        await upload(incoming, "keep/1", "keep/deep/2", "keep-beside")
        names = {"keep/1", "keep/deep/2", "keep-beside"}
        await eventually(
            lambda names=names, turn=turn: done(host) == dict.fromkeys(names, turn + 1)
        )
        for name in names:
            await incoming.delete_blob(name)
        await until_receipts(kept, host, 0)


async def test_receipts_of_blobs_that_went_while_no_host_ran_are_deleted(
    host: Host, incoming: ContainerClient, kept: TableClient
) -> None:
    # More receipts than a request deletes, and a folder that stays.
    await upload(incoming, *(f"keep/{number:03}" for number in range(120)), "keep-beside")
    await host.start()
    await eventually(lambda: len(done(host)) == 121)
    assert await host.stop() == 0
    assert len(await receipts(kept, host)) == 121
    for number in range(120):
        await incoming.delete_blob(f"keep/{number:03}")
    await host.start()
    await until_receipts(kept, host, 1)


async def test_a_new_blob_beside_many_is_found_and_a_changed_blob_in_time(
    host: Host, incoming: ContainerClient
) -> None:
    await upload(incoming, *(f"keep/{number:03}" for number in range(200)))
    await host.start()
    await eventually(lambda: len(done(host)) == 200)
    await upload(incoming, "keep/new")
    await eventually(lambda: done(host)["keep/new"] == 1)
    await incoming.upload_blob("keep/007", b"other content", overwrite=True)
    await eventually(lambda: done(host)["keep/007"] == 2)


async def test_a_failing_blob_is_retried_then_put_on_the_poison_queue(
    host: Host, incoming: ContainerClient, storage: str
) -> None:
    container = incoming.container_name
    await upload(incoming, "fail/1")
    properties = await incoming.get_blob_client("fail/1").get_blob_properties()
    await host.start()
    await eventually(lambda: "gave up on a blob" in host.log)
    assert await host.stop() == 0
    await host.start()
    await upload(incoming, "keep/after")
    await eventually(lambda: done(host)["keep/after"] == 1)
    # poisonBlobThreshold is 3; a restart adds no attempt.
    assert [record["blob"] for record in host.records].count("fail/1") == 3
    (record,) = [one for one in await poisoned(storage) if one["ContainerName"] == container]
    # "Azure Blob storage trigger for Azure Functions", poison blobs (learn.microsoft.com).
    assert record == {
        "Type": "BlobTrigger",
        "FunctionId": "Host.Functions.arrived",
        "BlobType": "BlockBlob",
        "ContainerName": container,
        "BlobName": "fail/1",
        "ETag": properties.etag.strip('"'),
    }
    assert "content" not in host.log


async def test_five_attempts_are_made_unless_host_json_says_otherwise(
    new_host: Callable[..., Host], tmp_path: Path, storage: str
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text((APPS / "blobs/function_app.py").read_text())
    (app / "host.json").write_text('{"version": "2.0"}')
    host = new_host(app, AzureWebJobsStorage=storage, FILES=storage, CONTAINER="five-times")
    async with ContainerClient.from_connection_string(storage, "five-times") as container:
        await container.create_container()
        await upload(container, "fail/five")
    await host.start()
    await eventually(lambda: "gave up on a blob" in host.log)
    assert await host.stop() == 0
    assert [record["name"] for record in host.records] == ["started"] * 5
    messages = [one for one in await poisoned(storage) if one["ContainerName"] == "five-times"]
    assert [one["BlobName"] for one in messages] == ["fail/five"]


async def test_a_host_that_starts_again_goes_on_counting(
    host: Host, incoming: ContainerClient, kept: TableClient
) -> None:
    await upload(incoming, "fail/often")
    host.settings["AzureFunctionsJobHost__extensions__blobs__poisonBlobThreshold"] = "6"
    for starts in range(1, 3):
        await host.start()
        await eventually(lambda starts=starts: len(host.records) >= starts * 2)
        # The host records a failure before the wait for the next attempt.
        await until_receipts(kept, host, 1, done=False)
        await host.kill()
    await host.start()
    await eventually(lambda: "gave up on a blob" in host.log)
    await until_receipts(kept, host, 0, done=False)
    assert await host.stop() == 0
    # Calls in flight at the kill may not have been counted.
    assert 6 <= len(host.records) <= 8


async def test_the_count_goes_with_its_blob(
    host: Host, incoming: ContainerClient, kept: TableClient
) -> None:
    await upload(incoming, "fail/once")
    await host.start()
    await until_receipts(kept, host, 1, done=False)
    await incoming.delete_blob("fail/once")
    await until_receipts(kept, host, 0, done=False)
    assert await host.stop() == 0
    assert "gave up" not in host.log


async def until_receipts(kept: TableClient, host: Host, blobs: int, *, done: bool = True) -> None:
    """Return once this many blobs have a receipt."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if len(await receipts(kept, host, done=done)) == blobs:
                return
            await asyncio.sleep(0.02)


async def test_a_blob_in_flight_is_finished_on_sigterm(
    host: Host, incoming: ContainerClient, kept: TableClient
) -> None:
    await upload(incoming, "slow/1")
    await host.start()
    await eventually(lambda: host.records)
    stopping = asyncio.create_task(host.stop())
    await asyncio.sleep(0.2)
    assert host.exit_code is None
    host.gate.touch()
    assert await stopping == 0
    assert done(host)["slow/1"] == 1
    assert len(await receipts(kept, host)) == 1


async def test_invocations_are_bounded(host: Host, incoming: ContainerClient) -> None:
    await upload(incoming, *(f"slow/{number}" for number in range(20)))
    await host.start()
    await eventually(lambda: len(host.records) == 16)
    await asyncio.sleep(1)
    assert len(host.records) == 16
    host.gate.touch()
    await eventually(lambda: len(done(host)) == 20)
