"""Fairness: the wait of one tenant's uploads beside the many uploads of another tenant.

The wait is from the end of an upload to the moment at which the app files the upload. A tenant
uploads 100 photos of 200 kB alone. Another tenant then uploads many small pictures while no host
runs. Once the host has filed the first of the pictures, the first tenant uploads 100 photos again.
The two median waits, and the two longest waits, are compared.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from azure.storage.blob.aio import ContainerClient

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.client import INCOMING, Portal
from tests.benchmarks.photos import TYPE, paths, photos
from tests.benchmarks.resent import create_blob
from tests.benchmarks.results import Result

CROWD: Final = BySize(150, 1000, 10_000)
PHOTOS: Final = BySize(10, 100, 100)
UPLOADS_AT_ONCE: Final = 16
POLL_SECONDS: Final = 0.5
GIVE_UP_SECONDS: Final = 600.0
# The bound of the project: the wait beside a crowd is at most twice the wait without.
GOALS: Final = {"fair-median": "<= 2.0", "fair-longest": "<= 2.0"}


@dataclass(frozen=True)
class Waits:
    """The median and the longest wait of a tenant's uploads, in seconds."""

    median: float
    longest: float


def run(step: Step, size: Size) -> Iterable[Result]:
    """Measure the waits of one tenant alone, and beside the crowd of another tenant."""
    crowd, count = CROWD.at(size), PHOTOS.at(size)
    (ROOT / "build").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder,
        Stack(Path(folder), in_memory=True) as stack,
        Portal(stack, "many") as many,
        Portal(stack, "few") as few,
        Portal(stack, "alone") as alone,
    ):
        storage = str(stack.info["connection_strings"]["storage"])
        for portal in (many, few, alone):
            portal.register()
        picture = (ROOT / "samples/launch.jpg").read_bytes()
        crowded = many.permit({f"{number:05}.jpg": len(picture) for number in range(crowd)})
        step("alone", 0, 3)
        _waits(storage, alone, _permitted(alone, "first", 1))
        before = _waits(storage, alone, _permitted(alone, "alone", count))
        step("uploading the crowd", 1, 3)
        photos_beside = _permitted(few, "beside", count)
        stack.kill("host")
        asyncio.run(_crowd(storage, crowded, picture))
        with Stack(
            stack.directory / "host",
            ports=stack.ports,
            settings=stack.settings,
            processes=("host",),
        ):
            step("beside the crowd", 2, 3)
            _wait_for_first(many)
            filed, began = len(many.assets()), time.monotonic()
            beside = _waits(storage, few, photos_beside)
            rate = (len(many.assets()) - filed) / (time.monotonic() - began)
            left = many.waiting()
    if left == 0:
        raise StackError("The crowd was filed before the photos: nothing was compared.")
    than = f"of the wait alone, beside {crowd} uploads of another tenant"
    yield Result("fair-median", beside.median / before.median, than, GOALS["fair-median"])
    yield Result("fair-longest", beside.longest / before.longest, than, GOALS["fair-longest"])
    yield Result("fair-alone", before.median, "s, the median wait of 100 photos alone")
    yield Result("fair-crowd", rate, "uploads/s of the crowd filed meanwhile")


def _permitted(portal: Portal, folder: str, count: int) -> dict[str, str]:
    """Permit photos; return the paths with the names of the blobs."""
    files = {f"{folder}/{path}": size for path, size in paths(count).items()}
    return dict(zip(files, portal.permit(files), strict=True))


def _waits(storage: str, portal: Portal, permitted: Mapping[str, str]) -> Waits:
    """Upload permitted photos and return their waits."""
    put = asyncio.run(_upload(storage, permitted))
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while waiting := portal.waiting():
        if time.monotonic() > give_up:
            raise StackError(f"{waiting} photos of {portal.tenant} were not filed.")
        time.sleep(POLL_SECONDS)
    filed = {asset["path"]: asset["filedAt"] for asset in portal.assets()}
    seconds = [(datetime.fromisoformat(filed[path]) - put[path]).total_seconds() for path in put]
    return Waits(statistics.median(seconds), max(seconds))


async def _upload(storage: str, permitted: Mapping[str, str]) -> dict[str, datetime]:
    """Upload photos; return the time of each upload's end, by path."""
    ended = {}
    async with ContainerClient.from_connection_string(storage, INCOMING) as target:
        limit = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def put(path: str, name: str, content: bytes) -> None:
            async with limit:
                await create_blob(target, name, content, TYPE)
                ended[path] = datetime.now(UTC)

        contents = (content for _, content in photos(len(permitted)))
        await asyncio.gather(*map(put, permitted.keys(), permitted.values(), contents))
    return ended


async def _crowd(storage: str, names: Sequence[str], picture: bytes) -> None:
    """Upload the small pictures of the crowd, each with bytes of its own."""
    async with ContainerClient.from_connection_string(storage, INCOMING) as target:
        limit = asyncio.Semaphore(UPLOADS_AT_ONCE)

        async def put(name: str) -> None:
            async with limit:
                await create_blob(target, name, picture + name.encode(), TYPE)

        await asyncio.gather(*map(put, names))


def _wait_for_first(portal: Portal) -> None:
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while not portal.assets():
        if time.monotonic() > give_up:
            raise StackError(f"Nothing of {portal.tenant} was filed.")
        time.sleep(POLL_SECONDS)


BENCHMARK: Final = Benchmark(
    "fair",
    "the wait of a tenant's uploads beside the many uploads of another tenant",
    run,
    BySize(20, 60, 200),
    GOALS,
)
