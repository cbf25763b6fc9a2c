"""Blobs that Event Grid tells of: kept from the moment that the event is accepted until done.

An event is answered with 200 only once its blob is written down in the host's own storage, as the
Functions host puts it on a queue of its own, so that a host that dies runs it after its next start.
Source: "Azure Blob Storage as an Event Grid source" (learn.microsoft.com), Event Grid event schema.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from infra.local.host.finding import Found
from infra.local.host.patterns import BlobPattern
from infra.local.host.receipts import Receipts
from infra.local.host.storage import HostStorage

EVENT_GRID: Final = "EventGrid"
CREATED: Final = "Microsoft.Storage.BlobCreated"
_SUBJECT: Final = "/blobServices/default/containers/"


class CreatedData(Struct, rename={"etag": "eTag", "kind": "blobType"}):
    """What an event says of its blob; the rest of its data is not looked at."""

    etag: Annotated[str, Meta(min_length=1)]
    kind: Annotated[str, Meta(min_length=1)]
    url: Annotated[str, Meta(min_length=1)]


class Event(Struct, rename="camel"):
    """One event in the Event Grid event schema; `data` is read by `event_type`."""

    id: str
    event_type: str
    subject: str
    event_time: str
    data: Any
    data_version: str = ""
    topic: str = ""


def blob_of(event: Event) -> tuple[str, str] | None:
    """The container and the name of the blob that an event is about, or None."""
    if not event.subject.startswith(_SUBJECT):
        return None
    container, marker, name = event.subject.removeprefix(_SUBJECT).partition("/blobs/")
    return (container, name) if container and marker and name else None


class Events:
    """The blobs that one function is yet to be run for."""

    def __init__(
        self, storage: HostStorage, function: str, pattern: BlobPattern, receipts: Receipts
    ) -> None:
        self._storage = storage
        self._pattern = pattern
        self._receipts = receipts
        self._prefix = f"blobevents/{storage.host}/Host.Functions.{function}/"
        self._waiting: dict[str, Found] = {}

    async def load(self) -> None:
        """Recall what was accepted before; to be called once before all else."""
        await self._receipts.load()
        async for place in self._storage.names(self._prefix):
            kept = await self._storage.read(place)
            if kept is not None:
                found = _told(kept["name"], kept["etag"], kept["kind"])
                self._waiting.setdefault(place.removeprefix(self._prefix), found)

    async def accept(self, event: Event) -> None:
        """Write down the blob of an event, unless the function is not for it.

        Raises msgspec.ValidationError for data that is not that of a blob's creation.
        """
        data = msgspec.convert(event.data, CreatedData)
        blob = blob_of(event)
        if blob is None or blob[0] != self._pattern.container:
            return
        _, name = blob
        if self._pattern.match(name) is None:
            return
        found = _told(name, f'"{data.etag}"', data.kind)
        key = self._receipts.key(found.name, found.etag)
        await self._storage.open()
        document = {"name": found.name, "etag": found.etag, "kind": found.kind}
        await self._storage.write(self._prefix + key, document)
        self._waiting[key] = found

    async def waiting(self) -> list[Found]:
        """The blobs that are not done."""
        return list(self._waiting.values())

    def failures(self, one: Found) -> int:
        """How often the function has failed with it."""
        return self._receipts.failures(one.name, one.etag)

    async def fail(self, one: Found) -> int:
        """Record that the function has failed with it once more; returns how often it has."""
        return await self._receipts.fail(one.name, one.etag)

    async def finish(self, one: Found) -> None:
        """The function is done with it: nothing is kept, as no event comes of itself again."""
        key = self._receipts.key(one.name, one.etag)
        await self._storage.delete(self._prefix + key)
        self._waiting.pop(key, None)
        await self._receipts.forget({key})

    async def drop(self, one: Found) -> None:
        """It is gone, or there is a newer version, of which another event tells."""
        await self.finish(one)


def _told(name: str, etag: str, kind: str) -> Found:
    """A blob of an event, which may come late: whether it is still there is asked before all."""
    return Found(name, etag, kind, float("-inf"))
