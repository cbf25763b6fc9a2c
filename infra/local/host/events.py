"""Blobs that Event Grid reports, kept from the acceptance of the event until done.

The answer to an event is 200 only after the blob is written down in the host's own storage. The
Functions host puts the blob on a queue of its own instead. A host that dies therefore runs the blob
after the next start. Source: "Azure Blob Storage as an Event Grid source" (learn.microsoft.com),
Event Grid event schema.
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from infra.local.host.listing import BlobVersion
from infra.local.host.patterns import BlobPattern
from infra.local.host.receipts import Receipts
from infra.local.host.storage import HostStorage

EVENT_GRID: Final = "EventGrid"
CREATED: Final = "Microsoft.Storage.BlobCreated"
_SUBJECT: Final = "/blobServices/default/containers/"


class BlobCreatedData(Struct, rename={"etag": "eTag", "kind": "blobType"}):
    """The blob in an event's data; further fields of the data are ignored."""

    etag: Annotated[str, Meta(min_length=1)]
    kind: Annotated[str, Meta(min_length=1)]
    url: Annotated[str, Meta(min_length=1)]


class EventGridEvent(Struct, rename="camel"):
    """One event in the Event Grid event schema; `event_type` determines the shape of `data`."""

    id: str
    event_type: str
    subject: str
    event_time: str
    data: Any
    data_version: str = ""
    topic: str = ""


def blob_of(event: EventGridEvent) -> tuple[str, str] | None:
    """Return the container and the blob name in an event's subject, or None."""
    if not event.subject.startswith(_SUBJECT):
        return None
    container, marker, name = event.subject.removeprefix(_SUBJECT).partition("/blobs/")
    return (container, name) if container and marker and name else None


class BlobEvents:
    """The blobs in accepted events that one function still has to process."""

    def __init__(
        self, storage: HostStorage, function: str, pattern: BlobPattern, receipts: Receipts
    ) -> None:
        self._storage = storage
        self._pattern = pattern
        self._receipts = receipts
        self._prefix = f"blobevents/{storage.host}/Host.Functions.{function}/"
        self._waiting: dict[str, BlobVersion] = {}

    async def load(self) -> None:
        """Read the blobs accepted earlier. Call once, before every other method."""
        await self._storage.open()
        await self._receipts.load()
        async for place in self._storage.names(self._prefix):
            kept = await self._storage.read(place)
            if kept is not None:
                found = _version_of(kept["name"], kept["etag"], kept["kind"])
                self._waiting.setdefault(place.removeprefix(self._prefix), found)

    async def accept(self, event: EventGridEvent) -> None:
        """Write down the blob of an event when the function's path matches the blob.

        Raises msgspec.ValidationError for data of a shape other than BlobCreated's.
        """
        data = msgspec.convert(event.data, BlobCreatedData)
        blob = blob_of(event)
        if blob is None or blob[0] != self._pattern.container:
            return
        _, name = blob
        if self._pattern.match(name) is None:
            return
        found = _version_of(name, f'"{data.etag}"', data.kind)
        key = self._receipts.key(found.name, found.etag)
        await self._storage.open()
        document = {"name": found.name, "etag": found.etag, "kind": found.kind}
        await self._storage.write(self._prefix + key, document)
        self._waiting[key] = found

    async def waiting(self) -> list[BlobVersion]:
        """Return the blobs that are not done."""
        return list(self._waiting.values())

    def failures(self, version: BlobVersion) -> int:
        """Return the number of failures of the function with this blob."""
        return self._receipts.failures(version.name, version.etag)

    async def fail(self, version: BlobVersion) -> int:
        """Record one more failure of the function with this blob; return the number of failures."""
        return await self._receipts.fail(version.name, version.etag)

    async def finish(self, version: BlobVersion) -> None:
        """Record that the function is done: delete every record, because no event is repeated."""
        key = self._receipts.key(version.name, version.etag)
        await self._storage.delete(self._prefix + key)
        self._waiting.pop(key, None)
        await self._receipts.forget({key})

    async def drop(self, version: BlobVersion) -> None:
        """Delete the records of a blob that is gone. A newer version has an event of its own."""
        await self.finish(version)

    async def close(self) -> None:
        """Close the connections to the receipts."""
        await self._receipts.close()


def _version_of(name: str, etag: str, kind: str) -> BlobVersion:
    """Return a blob without a time: an event may be late, so the trigger checks the blob first."""
    return BlobVersion(name, etag, kind, float("-inf"))
