"""Uploads: how fast the flow files 200 photos, against a bare loop of the same storage calls.

The photos are the repository's samples, uploaded while the host is stopped; then it starts and
finds them. `uploads` compares rates while the flow is at work, from the first photo filed to the
last, as the app itself notes the times. `uploads-whole` counts from the start of the host's
process, with all that it imports and does before the first photo is filed.

The bare loop downloads, copies, inserts one row and deletes, with the same SDK and as many photos
at once as `host.json` lets the host take. It scans, indexes and records nothing: the ratio says
what all that costs.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from azure.data.tables.aio import TableClient, TableServiceClient
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from tests.benchmarks.client import INCOMING, Portal
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

PHOTOS: Final = 200
BARE_ROUNDS: Final = 5
POLL_SECONDS: Final = 0.2
GIVE_UP_SECONDS: Final = 300.0


def run(step: Step) -> list[Result]:
    """Let the flow file the photos, then let the bare loop do it."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder,
        Stack(Path(folder), in_memory=True) as stack,
        Portal(stack) as portal,
    ):
        portal.register()
        # The app makes the container when it is first asked for an upload.
        portal.upload("unused.jpg")
        stack.kill("host")
        storage = stack.info["connection_strings"]["storage"]
        asyncio.run(_upload(storage, INCOMING, f"{portal.tenant}/"))
        started = time.time()
        stack.start_process("host")
        _wait(portal, step)
        stack.kill("host")
        filed = sorted(_moment(asset["filedAt"]) for asset in portal.assets())
        if len(filed) != PHOTOS:
            raise StackError(f"{PHOTOS} photos became {len(filed)} assets.")
        step("the bare loop", PHOTOS, PHOTOS)
        bare = asyncio.run(_bare(storage))
    flow = (PHOTOS - 1) / (filed[-1] - filed[0])
    return [
        Result("uploads", flow / bare, "of a bare SDK loop's rate"),
        Result("uploads-rate", flow, "photos/s"),
        Result("uploads-whole", PHOTOS / (filed[-1] - started), "photos/s from the host's start"),
        Result("uploads-bare", bare, "photos/s"),
    ]


def _wait(portal: Portal, step: Step) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while waiting := portal.waiting():
        if time.monotonic() > give_up:
            raise StackError(f"{waiting} photos were not filed in {GIVE_UP_SECONDS:.0f} seconds.")
        step("the flow", PHOTOS - waiting, PHOTOS)
        time.sleep(POLL_SECONDS)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _photos() -> Iterator[tuple[str, bytes]]:
    """As many names and photos as are wanted: the samples in turns."""
    manifest = json.loads((ROOT / "samples/manifest.json").read_text())
    files = [sample["file"] for sample in manifest["samples"]]
    for number in range(PHOTOS):
        name = files[number % len(files)]
        yield f"{number:03}-{name}", (ROOT / "samples" / name).read_bytes()


async def _upload(storage: str, container: str, prefix: str) -> None:
    async with ContainerClient.from_connection_string(storage, container) as target:
        limit = asyncio.Semaphore(_concurrency())

        async def upload(name: str, content: bytes) -> None:
            async with limit:
                await target.upload_blob(prefix + name, content)

        await asyncio.gather(*(upload(*photo) for photo in _photos()))


async def _bare(storage: str) -> float:
    """Photos a second; the median of some rounds, each in its own containers."""
    async with (
        BlobServiceClient.from_connection_string(storage) as blobs,
        TableServiceClient.from_connection_string(storage) as tables,
    ):
        table = await tables.create_table("bare")
        rates = []
        for number in range(BARE_ROUNDS):
            source = await blobs.create_container(f"bare-incoming-{number}")
            target = await blobs.create_container(f"bare-filed-{number}")
            await _upload(storage, source.container_name, "")
            names = [name async for name in source.list_blob_names()]
            started = time.perf_counter()
            await _file_all(names, source, target, table)
            rates.append(len(names) / (time.perf_counter() - started))
    return statistics.median(rates)


async def _file_all(
    names: list[str], source: ContainerClient, target: ContainerClient, table: TableClient
) -> None:
    limit = asyncio.Semaphore(_concurrency())

    async def file(name: str) -> None:
        async with limit:
            upload = source.get_blob_client(name)
            await (await upload.download_blob()).readall()
            await target.get_blob_client(name).start_copy_from_url(upload.url)
            row = {"PartitionKey": target.container_name, "RowKey": name}
            await table.create_entity(row)
            await upload.delete_blob()

    await asyncio.gather(*(file(name) for name in names))


def _concurrency() -> int:
    host = json.loads((ROOT / "host.json").read_text())
    return int(host["extensions"]["serviceBus"]["maxConcurrentCalls"])
