"""Uploads: the rate at which the flow files photos of 200 kB, against a loop of the same calls.

The photos are uploaded and announced while the function that processes uploads is off: every
message is in the queue `intake`. Then the function is on, and the blob trigger off. `uploads`
compares rates from the first photo filed to the last, by the times that the app notes. The rate
includes the messages, hashing, scanning, reading the metadata, every storage call, the outbox with
its messages, and the entries in the tenant's log. `uploads-whole` has every function on at once,
and counts from the first byte uploaded to the last upload removed.

The bare loop makes the same number of storage calls of each kind, counted before in Azurite's
access log. The loop uses the same SDK, and as many photos at once as `host.json` allows the host.
The loop hashes, scans, reads and sends nothing.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from azure.data.tables import TableClient
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

from infra.local.errors import StackError
from infra.local.host.receipts import TABLE as RECEIPTS
from infra.local.settings import ROOT
from infra.local.stack import Stack
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.calls import Bare, Calls, count, share
from tests.benchmarks.client import INCOMING, Portal
from tests.benchmarks.photos import paths, upload
from tests.benchmarks.resent import create_container, create_row
from tests.benchmarks.results import Result

PHOTOS: Final = BySize(60, 300, 1000)
PHOTOS_COUNTED: Final = BySize(20, 60, 60)
ROUNDS: Final = BySize(1, 2, 3)
# The functions that process uploads and find uploads, by name.
PROCESSING: Final = ("process_upload", "process_bulk_upload")
FINDING: Final = "upload_arrived"
POLL_SECONDS: Final = 0.2
GIVE_UP_SECONDS: Final = 600.0
# The storage calls are most of the flow's work; the rest may take three tenths of the rate. The
# project's own bound.
GOALS: Final = {"uploads": ">= 0.7"}


def run(step: Step, size: Size) -> Iterable[Result]:
    """Count the calls; then the flow files the photos and the bare loop makes the calls."""
    photos, rounds = PHOTOS.at(size), ROUNDS.at(size)
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder:
        step("counting the calls", 0, 1)
        counted = PHOTOS_COUNTED.at(size)
        calls = _count(Path(folder) / "counted", counted)
        yield Result("uploads-calls", sum(calls.values()) / counted, "storage calls a photo")
        with Stack(Path(folder) / "timed", in_memory=True) as stack:
            storage = _begin(stack)
            flows, bares = [], []
            for number in range(rounds):
                step("the flow", 2 * number, 2 * rounds + 1)
                flows.append(_flow(stack, f"round-{number}", photos))
                step("the bare loop", 2 * number + 1, 2 * rounds + 1)
                shares = [share(calls, photo % counted, counted) for photo in range(photos)]
                bares.append(asyncio.run(_bare(storage, number, shares)))
            step("the whole way", 2 * rounds, 2 * rounds + 1)
            whole = _whole(stack, "whole", photos)
    flow, bare = statistics.median(flows), statistics.median(bares)
    of = "of a bare SDK loop's rate, same storage calls"
    yield Result("uploads", flow / bare, of, GOALS["uploads"])
    yield Result("uploads-rate", flow, "photos/s from the queue to the last photo filed")
    yield Result("uploads-bare", bare, "photos/s")
    yield Result("uploads-whole", whole, "photos/s from the first byte to the last upload removed")


def _begin(stack: Stack) -> str:
    """Let the app make the container, end its host, and return the connection to the storage."""
    with Portal(stack) as portal:
        portal.register()
        portal.upload("unused.jpg", 1)
    stack.kill("host")
    return str(stack.info["connection_strings"]["storage"])


def _count(folder: Path, photos: int) -> Calls:
    with Stack(folder, in_memory=True, access_log=True) as stack:
        _begin(stack)
        log = folder / "logs/azurite.log"
        with _queued(stack, "counted", photos) as portal:
            start = log.stat().st_size
            with _host(stack, without=(FINDING,)):
                _wait(portal)
            return count(log, start)


def _flow(stack: Stack, tenant: str, photos: int) -> float:
    """Return the photos a second from the queue to the last photo filed."""
    with _queued(stack, tenant, photos) as portal:
        with _host(stack, without=(FINDING,)):
            _wait(portal)
        filed = sorted(_moment(asset["filedAt"]) for asset in portal.assets())
        if len(filed) != photos:
            raise StackError(f"{photos} photos became {len(filed)} assets.")
        return (photos - 1) / (filed[-1] - filed[0])


def _whole(stack: Stack, tenant: str, photos: int) -> float:
    """Return the photos a second from the first byte uploaded to the last upload removed."""
    with _host(stack), Portal(stack, tenant) as portal:
        portal.register()
        storage = stack.info["connection_strings"]["storage"]
        names = portal.permit(paths(photos))
        started = time.perf_counter()
        asyncio.run(upload(storage, INCOMING, names))
        _wait(portal)
        return photos / (time.perf_counter() - started)


@contextmanager
def _queued(stack: Stack, tenant: str, photos: int) -> Iterator[Portal]:
    """Yield a new tenant's portal, with the messages of its photos in the queue."""
    with Portal(stack, tenant) as portal:
        storage = stack.info["connection_strings"]["storage"]
        with _host(stack, without=PROCESSING):
            portal.register()
            asyncio.run(upload(storage, INCOMING, portal.permit(paths(photos))))
            give_up = time.monotonic() + GIVE_UP_SECONDS
            while (receipts := _receipts(storage)) != photos:
                if time.monotonic() > give_up:
                    raise StackError(f"{receipts} of {photos} photos were announced.")
                time.sleep(POLL_SECONDS)
        yield portal


@contextmanager
def _host(stack: Stack, without: tuple[str, ...] = ()) -> Iterator[None]:
    """Run the host of `stack`, which must not run yet, without some functions."""
    off = {f"AzureWebJobs_{name}_Disabled": "true" for name in without}
    folder = stack.directory / "host"
    with Stack(folder, ports=stack.ports, settings=stack.settings | off, processes=("host",)):
        yield


def _receipts(storage: str) -> int:
    """Return the number of stored blobs that the host has announced."""
    with TableClient.from_connection_string(storage, RECEIPTS) as kept:
        return sum(1 for _ in kept.list_entities(select="RowKey"))


def _wait(portal: Portal) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while waiting := portal.waiting():
        if time.monotonic() > give_up:
            raise StackError(f"{waiting} photos were not filed in {GIVE_UP_SECONDS:.0f} seconds.")
        time.sleep(POLL_SECONDS)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _bare(storage: str, number: int, shares: Sequence[Calls]) -> float:
    """Make the calls of each photo; returns the photos a second."""
    async with (
        BlobServiceClient.from_connection_string(storage) as blobs,
        TableServiceClient.from_connection_string(storage) as tables,
    ):
        table = await tables.create_table_if_not_exists(f"bare{number}")
        await create_row(table, {"PartitionKey": "known", "RowKey": "known"})
        source = await create_container(blobs, f"bare-incoming-{number}")
        target = await create_container(blobs, f"bare-filed-{number}")
        await upload(storage, source.container_name, list(paths(len(shares))))
        names = [name async for name in source.list_blob_names()]
        bare = Bare(source, target, table)
        limit = asyncio.Semaphore(_concurrency())

        async def file(name: str, calls: Calls) -> None:
            async with limit:
                await bare.file(name, calls)

        started = time.perf_counter()
        await asyncio.gather(*map(file, names, shares))
        taken = time.perf_counter() - started
        await blobs.delete_container(target.container_name)
    return len(names) / taken


def _concurrency() -> int:
    host = json.loads((ROOT / "host.json").read_text())
    return int(host["extensions"]["serviceBus"]["maxConcurrentCalls"])


BENCHMARK: Final = Benchmark(
    "uploads",
    "photos filed a second, against a bare SDK loop of the same storage calls",
    run,
    BySize(35, 110, 330),
    GOALS,
)
