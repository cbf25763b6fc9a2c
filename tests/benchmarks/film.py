"""A film: the time of its intake, against a bare SDK loop over the same blob.

The bare loop downloads with the same chunk size, hashes each chunk, and copies the blob inside the
service. The intake does its usual work: `film` with a scanner that looks at no byte, `film-scanned`
with the embedded scanner. Loop and intakes run in this process and take turns. Each intake gets a
copy of the blob as a new upload.
"""

import asyncio
import base64
import hashlib
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, ClassVar, Final

from azure.storage.blob import BlobClient as FileClient
from azure.storage.blob.aio import BlobClient, BlobServiceClient

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from shared.azure.blobs import CHUNK
from shared.composition.scanning import ScanningFlow
from shared.messages.contracts import BlobUploaded
from shared.ports import BlobInfo, Secret
from shared.scanning.engines import Engines
from shared.scanning.scanner import Engine, Findings, Scan
from shared.settings import read_settings
from tests.benchmarks import files
from tests.benchmarks.benchmark import Benchmark, BySize, Size, Step
from tests.benchmarks.client import INCOMING, Portal
from tests.benchmarks.resent import create_container, create_file
from tests.benchmarks.results import Result
from tests.compositions import App, OneDataKey, OneSecret

ROUNDS: Final = BySize(1, 2, 3)
BYTES: Final = BySize(files.GIB // 16, files.GIB // 2, files.GIB)
# A film needs a pass over the bytes and a copy; the rest may take three tenths as long. The
# project's own bound.
GOALS: Final = {"film": "<= 1.3"}


class Nothing:
    """A scanner that looks at no byte."""

    name: ClassVar = "nothing"
    scans_on_demand: ClassVar = True
    engine_of_nothing: Final = Engine("nothing", "1", "1", None)

    async def engine(self) -> Engine:
        return self.engine_of_nothing

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:
        del upload, blob
        return NothingFound()

    async def forget(self, upload: str) -> None:
        del upload


class NothingFound:
    """The scan of an upload that finds nothing."""

    engine: Final = Nothing.engine_of_nothing

    def feed(self, chunk: bytes) -> None:
        del chunk

    def finish(self, file: IO[bytes] | None) -> Findings:
        del file
        return Findings()

    def close(self) -> None:
        return


NAMES: Final = ("film", "film-scanned")


class Known(OneSecret):
    """Secrets without a vault, each of a value of its own."""

    async def get(self, name: str) -> Secret:
        return Secret(base64.b64encode(name.encode()).decode(), "1")


def run(step: Step, size: Size) -> Iterable[Result]:
    """Upload a film; then the loop and the intakes take turns, and the medians are compared."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder,
        Stack(Path(folder) / "stack") as stack,
        Portal(stack) as portal,
    ):
        portal.register()
        size_in_bytes, rounds = BYTES.at(size), ROUNDS.at(size) + 1
        paths = {f"{name}/{number}": size_in_bytes for name in NAMES for number in range(rounds)}
        permitted = dict(zip(paths, portal.permit(paths), strict=True))
        stack.kill("host")
        film = files.film(Path(folder) / "film", BYTES.at(size))
        return asyncio.run(_compare(stack, permitted, film, step, size))


async def _compare(
    stack: Stack, permitted: Mapping[str, str], file: Path, step: Step, size: Size
) -> list[Result]:
    apps = {name: _app(stack) for name in NAMES}
    apps["film"].flow(ScanningFlow).engines = Engines([Nothing()])
    storage = stack.info["connection_strings"]["storage"]
    taken: dict[str, list[float]] = {"bare": [], **{name: [] for name in apps}}
    async with BlobServiceClient.from_connection_string(
        storage, max_single_get_size=CHUNK, max_chunk_get_size=CHUNK
    ) as service:
        await create_container(service, "films")
        with (
            file.open("rb") as content,
            FileClient.from_connection_string(storage, "films", "film") as uploading,
        ):
            create_file(uploading, content)
        film = service.get_blob_client("films", "film")
        rounds = ROUNDS.at(size) + 1
        # The first round finds caches empty and does not count.
        for number in range(rounds):
            step("processing a film", number, rounds)
            taken["bare"].append(await _bare(film, service.get_blob_client("films", f"{number}")))
            for name, app in apps.items():
                upload = service.get_blob_client(INCOMING, permitted[f"{name}/{number}"])
                taken[name].append(await _intake(film, upload, app))
    for app in apps.values():
        await app.close()
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
    ratios = {name: medians[name] / medians["bare"] for name in apps}
    return [
        Result(
            "film", ratios["film"], "of a bare SDK loop's time, without the scan", GOALS["film"]
        ),
        Result("film-scanned", ratios["film-scanned"], "of a bare SDK loop's time"),
        Result("film-bare", medians["bare"], f"s for {BYTES.at(size) // 1024**2:,} MiB"),
    ]


def _app(stack: Stack) -> App:
    app = App(read_settings(stack.settings))
    app.adapters.secrets = Known()
    app.adapters.data_keys = OneDataKey()
    return app


async def _bare(film: BlobClient, copy: BlobClient) -> float:
    started = time.perf_counter()
    digest = hashlib.sha256()
    stream = await film.download_blob()
    async for chunk in stream.chunks():
        digest.update(chunk)
    await copy.start_copy_from_url(film.url, metadata={"sha256": digest.hexdigest()})
    return time.perf_counter() - started


async def _intake(film: BlobClient, upload: BlobClient, app: App) -> float:
    await upload.start_copy_from_url(film.url)
    found = await upload.get_blob_properties()
    uploaded = BlobUploaded(
        name=upload.blob_name, etag=found.etag, last_modified=found.last_modified
    )
    started = time.perf_counter()
    await app.intake.process_upload(uploaded)
    taken = time.perf_counter() - started
    if await upload.exists():
        raise StackError("A film was not taken in.")
    return taken


BENCHMARK: Final = Benchmark(
    "film",
    "the intake of a film, against a bare loop that downloads, hashes and copies",
    run,
    BySize(8, 55, 150),
    GOALS,
)
