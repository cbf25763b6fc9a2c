"""A film: how long the intake of 1 GiB takes, against a bare SDK loop over the same blob.

The bare loop downloads with the same chunk size, hashes each chunk and copies the blob inside the
service. The intake does all that it does for any upload: `film` with an engine in the scanner's
place that finds everything clean, which only this process has, and `film-scanned` with the
embedded one. Both run here and in turns, on one blob that is copied to a new upload each time.
"""

import asyncio
import base64
import hashlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import IO, Final

from azure.storage.blob.aio import BlobClient, BlobServiceClient

from infra.local.errors import StackError
from infra.local.settings import ROOT
from infra.local.stack import Stack
from shared.azure.blobs import CHUNK, AzureBlobs
from shared.azure.bus import AzureBus
from shared.azure.tables import AzureTables
from shared.composition import App
from shared.messages.contracts import BlobUploaded
from shared.ports import BlobInfo, Secret
from shared.scanning.scanner import Engine, Findings, Scan
from shared.settings import read_settings
from tests.benchmarks import files
from tests.benchmarks.client import INCOMING, Portal
from tests.benchmarks.progress import Step
from tests.benchmarks.results import Result

ROUNDS: Final = 3
GOAL: Final = "<= 1.3"


class Nothing:
    """An engine that looks at nothing, and one scan of it."""

    engine_of_nothing: Final = Engine("nothing", "1", "1", None)

    async def engine(self) -> Engine:
        return self.engine_of_nothing

    async def begin(self, upload: str, blob: BlobInfo) -> Scan:
        del upload, blob
        return NothingFound()

    async def forget(self, upload: str) -> None:
        del upload


class NothingFound:
    """The scan of one upload that finds nothing."""

    engine: Final = Nothing.engine_of_nothing

    def feed(self, chunk: bytes) -> None:
        del chunk

    def finish(self, file: IO[bytes] | None) -> Findings:
        del file
        return Findings()

    def close(self) -> None:
        return


class Known:
    """Secrets that need no vault."""

    async def get(self, name: str) -> Secret:
        return Secret(base64.b64encode(name.encode()).decode(), "1")

    async def ping(self) -> None:
        return


def run(step: Step) -> list[Result]:
    """Upload a film and let both take it in, in turns; compare the medians."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "build") as folder,
        Stack(Path(folder) / "stack") as stack,
        Portal(stack) as portal,
    ):
        portal.register()
        # The app makes the container when it is first asked for an upload.
        portal.upload("unused.bin")
        stack.kill("host")
        return asyncio.run(_compare(stack, portal.tenant, Path(folder) / "film", step))


async def _compare(stack: Stack, tenant: str, file: Path, step: Step) -> list[Result]:
    apps = {"film": _app(stack), "film-scanned": _app(stack)}
    apps["film"].scanner = Nothing()
    storage = stack.info["connection_strings"]["storage"]
    taken: dict[str, list[float]] = {"bare": [], **{name: [] for name in apps}}
    async with BlobServiceClient.from_connection_string(
        storage, max_single_get_size=CHUNK, max_chunk_get_size=CHUNK
    ) as service:
        await service.create_container("films")
        film = service.get_blob_client("films", "film")
        with files.film(file).open("rb") as content:
            await film.upload_blob(content)
        # The first round finds caches empty, and is not counted.
        for number in range(ROUNDS + 1):
            step("taking a film in", number, ROUNDS + 1)
            taken["bare"].append(await _bare(film, service.get_blob_client("films", f"{number}")))
            for name, app in apps.items():
                upload = service.get_blob_client(INCOMING, f"{tenant}/{name}/{number}")
                taken[name].append(await _intake(film, upload, app))
    for app in apps.values():
        for adapter in (app.blobs, app.tables, app.bus):
            if isinstance(adapter, AzureBlobs | AzureTables | AzureBus):
                await adapter.close()
    medians = {name: statistics.median(times[1:]) for name, times in taken.items()}
    ratios = {name: medians[name] / medians["bare"] for name in apps}
    return [
        Result("film", ratios["film"], "of a bare SDK loop's time, the scan taken out", GOAL),
        Result("film-scanned", ratios["film-scanned"], "of a bare SDK loop's time"),
        Result("film-bare", medians["bare"], "s for 1 GiB"),
    ]


def _app(stack: Stack) -> App:
    app = App(read_settings(stack.settings))
    app.secrets = Known()
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
