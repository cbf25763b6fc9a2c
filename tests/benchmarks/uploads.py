"""Uploads: how fast the flow files 1,000 photos of 200 kB, against a bare loop of the same calls.

The photos are uploaded and announced while the function that takes them in is switched off, so
that all their messages are in the queue `intake`. Then it is switched on, and the blob trigger off.
`uploads` compares rates from the first photo filed to the last, as the app itself notes the times:
receiving and settling the messages, hashing, scanning, reading the metadata, all storage calls,
the outbox and what it sends, and the entries in the tenant's log that come of it. `uploads-whole`
counts everything, from the first byte uploaded to the last upload removed, with all functions on
at once.

The bare loop makes as many storage calls of each kind, counted beforehand in Azurite's access log,
with the same SDK and as many photos at once as `host.json` lets the host take. It hashes, scans,
reads and sends nothing.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from azure.data.tables.aio import TableServiceClient
from azure.storage.blob import ContainerClient
from azure.storage.blob.aio import BlobServiceClient

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from tests.benchmarks.calls import Bare, Calls, count, share
from tests.benchmarks.client import INCOMING, Portal
from tests.benchmarks.photos import upload
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

PHOTOS: Final = 1000
PHOTOS_COUNTED: Final = 60
ROUNDS: Final = 3
POLL_SECONDS: Final = 0.2
GIVE_UP_SECONDS: Final = 600.0
GOAL: Final = ">= 0.7"


def run(step: Step) -> list[Result]:
    """Count the calls; then let the flow file the photos and the bare loop make the calls."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder:
        step("counting the calls", 0, 1)
        calls = _count(Path(folder) / "counted")
        with Stack(Path(folder) / "timed", in_memory=True) as stack:
            storage = _begin(stack)
            flows, bares = [], []
            for number in range(ROUNDS):
                step("the flow", 2 * number, 2 * ROUNDS + 1)
                flows.append(_flow(stack, f"round-{number}", PHOTOS))
                step("the bare loop", 2 * number + 1, 2 * ROUNDS + 1)
                bares.append(asyncio.run(_bare(storage, number, calls)))
            step("the whole way", 2 * ROUNDS, 2 * ROUNDS + 1)
            whole = _whole(stack, "whole")
    flow, bare = statistics.median(flows), statistics.median(bares)
    return [
        Result("uploads", flow / bare, "of a bare SDK loop's rate, same storage calls", GOAL),
        Result("uploads-calls", sum(calls.values()) / PHOTOS_COUNTED, "storage calls a photo"),
        Result("uploads-rate", flow, "photos/s from the queue to the last one filed"),
        Result("uploads-bare", bare, "photos/s"),
        Result("uploads-whole", whole, "photos/s from the first byte uploaded to the last removed"),
    ]


def _begin(stack: Stack) -> str:
    """Have the app make the container, end its host, and return the storage's connection."""
    with Portal(stack) as portal:
        portal.register()
        portal.upload("unused.jpg")
    stack.kill("host")
    return str(stack.info["connection_strings"]["storage"])


def _count(folder: Path) -> Calls:
    with Stack(folder, in_memory=True, access_log=True) as stack:
        _begin(stack)
        log = folder / "logs/azurite.log"
        with _queued(stack, "counted", PHOTOS_COUNTED) as portal:
            start = log.stat().st_size
            with _host(stack, without=("upload_arrived",)):
                _wait(portal)
            return count(log, start)


def _flow(stack: Stack, tenant: str, photos: int) -> float:
    """Photos a second, from the queue to the last one filed."""
    with _queued(stack, tenant, photos) as portal:
        with _host(stack, without=("upload_arrived",)):
            _wait(portal)
        filed = sorted(_moment(asset["filedAt"]) for asset in portal.assets())
        if len(filed) != photos:
            raise StackError(f"{photos} photos became {len(filed)} assets.")
        return (photos - 1) / (filed[-1] - filed[0])


def _whole(stack: Stack, tenant: str) -> float:
    """Photos a second, from the first byte uploaded to the last upload removed."""
    with _host(stack), Portal(stack, tenant) as portal:
        portal.register()
        storage = stack.info["connection_strings"]["storage"]
        started = time.perf_counter()
        asyncio.run(upload(storage, INCOMING, f"{tenant}/", PHOTOS))
        _wait(portal)
        return PHOTOS / (time.perf_counter() - started)


@contextmanager
def _queued(stack: Stack, tenant: str, photos: int) -> Iterator[Portal]:
    """A new tenant's portal, with the messages of so many photos in the queue."""
    with Portal(stack, tenant) as portal:
        storage = stack.info["connection_strings"]["storage"]
        with _host(stack, without=("process_upload",)):
            portal.register()
            asyncio.run(upload(storage, INCOMING, f"{tenant}/", photos))
            give_up = time.monotonic() + GIVE_UP_SECONDS
            while (receipts := _receipts(storage)) != photos:
                if time.monotonic() > give_up:
                    raise StackError(f"{receipts} of {photos} photos were announced.")
                time.sleep(POLL_SECONDS)
        yield portal


@contextmanager
def _host(stack: Stack, without: tuple[str, ...] = ()) -> Iterator[None]:
    """The host of `stack`, which must not run, with some functions switched off."""
    off = {f"AzureWebJobs_{name}_Disabled": "true" for name in without}
    folder = stack.directory / "host"
    with Stack(folder, ports=stack.ports, settings=stack.settings | off, processes=("host",)):
        yield


def _receipts(storage: str) -> int:
    """How many of the blobs that are there the host has announced."""
    with ContainerClient.from_connection_string(storage, "azure-webjobs-hosts") as kept:
        return sum(1 for _ in kept.list_blob_names(name_starts_with="blobreceipts/"))


def _wait(portal: Portal) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while waiting := portal.waiting():
        if time.monotonic() > give_up:
            raise StackError(f"{waiting} photos were not filed in {GIVE_UP_SECONDS:.0f} seconds.")
        time.sleep(POLL_SECONDS)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _bare(storage: str, number: int, calls: Calls) -> float:
    """Photos a second."""
    async with (
        BlobServiceClient.from_connection_string(storage) as blobs,
        TableServiceClient.from_connection_string(storage) as tables,
    ):
        table = await tables.create_table(f"bare{number}")
        await table.create_entity({"PartitionKey": "known", "RowKey": "known"})
        source = await blobs.create_container(f"bare-incoming-{number}")
        target = await blobs.create_container(f"bare-filed-{number}")
        await upload(storage, source.container_name, "", PHOTOS)
        names = [name async for name in source.list_blob_names()]
        bare = Bare(source, target, table)
        limit = asyncio.Semaphore(_concurrency())

        async def file(number: int, name: str) -> None:
            async with limit:
                await bare.file(name, share(calls, number % PHOTOS_COUNTED, PHOTOS_COUNTED))

        started = time.perf_counter()
        await asyncio.gather(*(file(number, name) for number, name in enumerate(names)))
        taken = time.perf_counter() - started
        await blobs.delete_container(target.container_name)
    return len(names) / taken


def _concurrency() -> int:
    host = json.loads((ROOT / "host.json").read_text())
    return int(host["extensions"]["serviceBus"]["maxConcurrentCalls"])
