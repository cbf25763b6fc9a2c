"""The checkpoints of every log in `evidence`, a container of immutable blobs.

The checkpoints in `evidence` are the reference for a log. Rows of tables can be changed past the
app, and a table can be restored to an earlier state. A blob of `evidence` can be neither replaced
nor deleted.
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
    """A checkpoint in `evidence`: the signed note, and the time of the write."""

    checkpoint: Checkpoint
    note: str
    since: datetime


class Evidence:
    """The published checkpoints of every log.

    The blob names count down from the largest size. A listing of a log begins with the newest.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def keep(self, tenant: str, size: int, note: str) -> None:
        """Write the checkpoint of `size`; a repeated write changes nothing.

        Raises LogDamagedError when the name already holds a different note.
        """
        keys = "-".join(one.key_id.hex() for one in Note.parse(note).signatures)
        name = f"{_beginning(tenant, size)}{keys}.txt"
        if await kept_once(self._blobs, name, note.encode(), _MEDIA_TYPE) != note.encode():
            raise LogDamagedError(size)

    async def newest(self, tenant: str, origin: str, keys: Sequence[VerifierKey]) -> Signed | None:
        """Return the checkpoint of the largest size for `origin`, signed by `keys`."""
        async for blob in self._listed(tenant):
            note = await content_of(self._blobs, blob)
            try:
                checkpoint = open_checkpoint(note, keys)
            except NoteError:
                # Without a signature of the log, the blob is no reference for the log.
                continue
            if checkpoint.origin == origin:
                return Signed(checkpoint, note.decode(), blob.last_modified)
        return None

    async def is_of(self, tenant: str, size: int) -> bool:
        """Tell whether the newest checkpoint, by name, is of `size`; 0 without a checkpoint."""
        async for blob in self._listed(tenant):
            return blob.name.startswith(_beginning(tenant, size))
        return size == 0

    def _listed(self, tenant: str) -> AsyncIterator[BlobInfo]:
        # Usually the caller needs only the first blob, of 100,000 a year.
        return self._blobs.scan(_CONTAINER, f"log-checkpoints/{tenant}/", size=1)


async def kept_once(blobs: Blobs, name: str, data: bytes, media_type: str) -> bytes:
    """Write a blob of `evidence` unless the blob exists. Returns the content of the blob."""
    if await blobs.write(_CONTAINER, name, data, media_type):
        return data
    blob = await blobs.head(_CONTAINER, name)
    return b"" if blob is None else await content_of(blobs, blob)


async def listed(blobs: Blobs, folder: str) -> Sequence[BlobInfo]:
    """Return the blobs of `evidence` in a folder of few blobs."""
    return [blob async for blob in blobs.scan(_CONTAINER, folder)]


async def content_of(blobs: Blobs, blob: BlobInfo) -> bytes:
    """Return the whole content of a small blob."""
    async with blobs.read(blob) as chunks:
        return b"".join([chunk async for chunk in chunks])


def _beginning(tenant: str, size: int) -> str:
    return f"log-checkpoints/{tenant}/{MAX_SIZE - size:020d}-{size}-"
