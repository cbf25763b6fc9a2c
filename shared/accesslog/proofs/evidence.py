"""What is kept of all logs in `evidence`, where what was written once stays as it is.

It is what a log is held to: rows of tables can be changed past the app, and a table can be restored
to what it was; this container's blobs can be neither replaced nor deleted.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.accesslog.storage.errors import LogDamagedError
from shared.catalogue import EVIDENCE_CONTAINER
from shared.merkle import MAX_SIZE, Checkpoint, Note, NoteError, VerifierKey, open_checkpoint
from shared.ports import BlobInfo, Blobs

_CONTAINER: Final = EVIDENCE_CONTAINER.name
_MEDIA_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that is in `evidence`, as its signed note, and since when."""

    checkpoint: Checkpoint
    note: str
    since: datetime


class Evidence:
    """The checkpoints of all logs that were ever published.

    Their names count down from the largest size, so that the newest of a log is listed first.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def keep(self, tenant: str, size: int, note: str) -> None:
        """Write the checkpoint of `size`; the same again is one.

        Raises LogDamagedError when another one is kept in its place.
        """
        keys = "-".join(one.key_id.hex() for one in Note.parse(note).signatures)
        name = f"{_beginning(tenant, size)}{keys}.txt"
        if await kept_once(self._blobs, name, note.encode(), _MEDIA_TYPE) != note.encode():
            raise LogDamagedError(size)

    async def newest(self, tenant: str, origin: str, keys: Sequence[VerifierKey]) -> Signed | None:
        """The one of the largest log that `keys` have signed for `origin`."""
        async for blob in self._listed(tenant):
            note = await content_of(self._blobs, blob)
            try:
                checkpoint = open_checkpoint(note, keys)
            except NoteError:
                # Nothing that these logs have signed, and so nothing to hold this one to.
                continue
            if checkpoint.origin == origin:
                return Signed(checkpoint, note.decode(), blob.last_modified)
        return None

    async def is_of(self, tenant: str, size: int) -> bool:
        """Whether the newest is of `size`, by its name; where there is none, whether that is 0."""
        async for blob in self._listed(tenant):
            return blob.name.startswith(_beginning(tenant, size))
        return size == 0

    def _listed(self, tenant: str) -> AsyncIterator[BlobInfo]:
        # As a rule the first is all that is wanted, of 100,000 a year.
        return self._blobs.scan(_CONTAINER, f"log-checkpoints/{tenant}/", size=1)


async def kept_once(blobs: Blobs, name: str, data: bytes, media_type: str) -> bytes:
    """Write a blob of `evidence`, unless it is there. Returns what it holds now."""
    if await blobs.write(_CONTAINER, name, data, media_type):
        return data
    blob = await blobs.head(_CONTAINER, name)
    return b"" if blob is None else await content_of(blobs, blob)


async def listed(blobs: Blobs, folder: str) -> Sequence[BlobInfo]:
    """The blobs of `evidence` in a folder that has few."""
    return [blob async for blob in blobs.scan(_CONTAINER, folder)]


async def content_of(blobs: Blobs, blob: BlobInfo) -> bytes:
    """All that a small blob holds."""
    async with blobs.read(blob) as chunks:
        return b"".join([chunk async for chunk in chunks])


def _beginning(tenant: str, size: int) -> str:
    return f"log-checkpoints/{tenant}/{MAX_SIZE - size:020d}-{size}-"
