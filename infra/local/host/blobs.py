"""The blob trigger: each new or changed blob once.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger. A blob is
done when its receipt is written, after the function succeeded. A host that dies at any moment
therefore runs the blob again rather than never. With ``source="EventGrid"`` events name the blobs
(``events.py``), and no listing is made.
"""

import asyncio
import functools
import json
import logging
import time

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient
from azure_functions_runtime.bindings.datumdef import Datum

from infra.local.host.errors import StartupError
from infra.local.host.events import EVENT_GRID, BlobEvents
from infra.local.host.hostjson import HostSettings
from infra.local.host.invoke import Invoker
from infra.local.host.listing import BlobVersion, Listing
from infra.local.host.loading import Function
from infra.local.host.patterns import BlobPattern
from infra.local.host.poison import PoisonQueue, poison_queue
from infra.local.host.protos import ModelBindingData
from infra.local.host.receipts import TABLE, Receipts
from infra.local.host.settings import AppSettings
from infra.local.host.storage import CONNECTION as STORAGE_CONNECTION
from infra.local.host.storage import HostStorage, container_client, table_client

log = logging.getLogger("host.blobs")

POLLING = "LogsAndContainerScan"
POLL_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 10.0
# An older listing is not trusted: the trigger first asks if the blob still exists.
FRESH_SECONDS = 10.0


class BlobTrigger:
    """Run one function for the blobs of one container."""

    def __init__(
        self,
        function: Function,
        pattern: BlobPattern,
        source: ContainerClient,
        finder: Listing | BlobEvents,
        poison: PoisonQueue,
        invoker: Invoker,
        settings: HostSettings,
    ) -> None:
        self.name = function.name
        # The receiver of events, for a function whose source is Event Grid.
        self.events = finder if isinstance(finder, BlobEvents) else None
        self._function = function
        self._pattern = pattern
        self._source = source
        self._finder = finder
        self._poison = poison
        self._invoker = invoker
        self._attempts = settings.poison_blob_threshold
        self._slots = asyncio.Semaphore(settings.blob_parallelism)
        self._running: dict[BlobVersion, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()

    async def run(self, ready: asyncio.Event, stopping: asyncio.Event) -> None:
        """Find blobs and run the function until ``stopping``; return when no run is in flight."""
        self._stopping = stopping
        recalled = False
        while not stopping.is_set():
            try:
                if not recalled:
                    await self._finder.load()
                    recalled = True
                fresh = await self._poll()
            except AzureError as error:
                log.warning("%s: cannot find blobs: %s", self._function.name, error)
            else:
                # Set before the blobs run, because blobs left from the last run may take long.
                ready.set()
                if not await self._start(fresh):
                    continue
            await self._pause(POLL_SECONDS)
        if self._running:
            await asyncio.wait(self._running.values())
        await self._finder.close()
        await self._source.close()
        await self._poison.close()

    async def _poll(self) -> list[BlobVersion]:
        """Return the blobs that are neither done nor in progress."""
        found = await self._finder.waiting()
        under_way = {(version.name, version.etag) for version in self._running}
        return [version for version in found if (version.name, version.etag) not in under_way]

    async def _start(self, fresh: list[BlobVersion]) -> bool:
        """Run the function for each blob, as many blobs at a time as the trigger has slots.

        The folders take turns, and after a while the blobs must be found anew: Event Grid reports
        the blobs of every folder as they come, however many wait in another folder. Returns False
        where blobs are left.
        """
        until = time.monotonic() + POLL_SECONDS
        for version in in_turn(fresh):
            await self._slots.acquire()
            if self._stopping.is_set() or time.monotonic() > until:
                self._slots.release()
                return False
            task = asyncio.create_task(self._process(version))
            self._running[version] = task
            task.add_done_callback(functools.partial(self._finished, version))
        return True

    def _finished(self, version: BlobVersion, task: asyncio.Task[None]) -> None:
        del task
        del self._running[version]
        self._slots.release()

    async def _process(self, version: BlobVersion) -> None:
        try:
            if time.monotonic() - version.listed > FRESH_SECONDS and not await self._current(
                version
            ):
                await self._finder.drop(version)
                return
            failures = self._finder.failures(version)
            while failures < self._attempts:
                outcome = await self._invoker.run(self._function, *self._inputs(version))
                if outcome.succeeded:
                    break
                # The blob was deleted or replaced meanwhile: this version is obsolete.
                if not await self._current(version):
                    await self._finder.drop(version)
                    return
                failures = await self._finder.fail(version)
                if failures < self._attempts:
                    await self._pause(min(0.1 * 2**failures, LONGEST_RETRY_SECONDS))
                    if self._stopping.is_set():
                        return
            else:
                log.error("%s: gave up on a blob, see the poison queue", self._function.name)
                await self._poison.add(self._poison_message(version))
            await self._finder.finish(version)
        except AzureError as error:
            # An unfinished blob stays in the list and is tried again.
            log.warning("%s: a blob could not be finished: %s", self._function.name, error)

    def _poison_message(self, version: BlobVersion) -> dict[str, str]:
        return {
            "Type": "BlobTrigger",
            "FunctionId": f"Host.Functions.{self._function.name}",
            "BlobType": version.kind,
            "ContainerName": self._pattern.container,
            "BlobName": version.name,
            "ETag": version.etag.strip('"'),
        }

    async def _current(self, version: BlobVersion) -> bool:
        """Tell whether the container still has this version of the blob."""
        blob = self._source.get_blob_client(version.name)
        try:
            await blob.get_blob_properties(
                etag=version.etag, match_condition=MatchConditions.IfNotModified
            )
        except (ResourceNotFoundError, ResourceModifiedError):
            return False
        return True

    def _inputs(self, version: BlobVersion) -> tuple[ModelBindingData, dict[str, Datum]]:
        container = self._pattern.container
        content = {
            "Connection": self._function.trigger["connection"],
            "ContainerName": container,
            "BlobName": version.name,
        }
        metadata = {
            "BlobTrigger": f"{container}/{version.name}",
            "Uri": self._source.get_blob_client(version.name).url.partition("?")[0],
            **(self._pattern.match(version.name) or {}),
        }
        data = ModelBindingData(json.dumps(content).encode(), "AzureStorageBlobs")
        return data, {name: Datum(value, "string") for name, value in metadata.items()}

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def in_turn(found: list[BlobVersion]) -> list[BlobVersion]:
    """Return the blobs in an order that lets few blobs of a top folder wait for no crowd.

    The more blobs wait in a folder, the less often the folder's turn comes; the turn comes always.
    """
    folders: dict[str, list[BlobVersion]] = {}
    for version in found:
        folders.setdefault(version.name.partition("/")[0], []).append(version)
    places = {
        version: place * len(folder)
        for folder in folders.values()
        for place, version in enumerate(folder, 1)
    }
    return sorted(found, key=places.__getitem__)


def blob_triggers(
    functions: list[Function],
    app_settings: AppSettings,
    settings: HostSettings,
    invoker: Invoker,
    storage: HostStorage | None,
) -> list[BlobTrigger]:
    """Return the blob functions. Raise StartupError with a line for each unusable function."""
    found: list[BlobTrigger] = []
    wrong: list[str] = []
    for function in functions:
        if function.kind != "blobTrigger":
            continue
        try:
            found.append(_blob_trigger(function, app_settings, settings, invoker, storage))
        except StartupError as refused:
            wrong += [f"function {function.name}: {line}" for line in refused.lines]
    if wrong:
        raise StartupError(*wrong)
    return found


def _blob_trigger(
    function: Function,
    app_settings: AppSettings,
    settings: HostSettings,
    invoker: Invoker,
    storage: HostStorage | None,
) -> BlobTrigger:
    if not function.info.input_types[function.parameter].deferred_bindings_enabled:
        raise StartupError(
            f"parameter {function.parameter} of blobTrigger must be of an SDK type"
            " (azurefunctions.extensions): this host never holds a blob's bytes"
        )
    by = function.trigger.get("source") or POLLING
    if by not in (POLLING, EVENT_GRID):
        raise StartupError(f"source {by} of blobTrigger is none of {POLLING}, {EVENT_GRID}")
    if storage is None:
        raise StartupError("a blob trigger needs the connection setting AzureWebJobsStorage")
    pattern = BlobPattern(app_settings.resolve(function.trigger["path"]))
    source = container_client(app_settings, function.trigger["connection"], pattern.container)
    table = table_client(app_settings, STORAGE_CONNECTION, TABLE)
    receipts = Receipts(table, storage.host, function.name, pattern.container)
    poison = poison_queue(app_settings, function.trigger["connection"])
    finder: Listing | BlobEvents = Listing(source, pattern, receipts)
    if by == EVENT_GRID:
        finder = BlobEvents(storage, function.name, pattern, receipts)
    return BlobTrigger(function, pattern, source, finder, poison, invoker, settings)
