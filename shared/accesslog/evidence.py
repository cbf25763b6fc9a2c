"""The checkpoints of a log in `evidence`, where what was written once stays as it is."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.merkle import Checkpoint, Note, NoteError, VerifierKey, open_checkpoint
from shared.ports import BlobInfo, Blobs

_CONTAINER: Final = "evidence"
_MEDIA_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that is in `evidence`, as its signed note, and since when."""

    checkpoint: Checkpoint
    note: str
    since: datetime


class Evidence:
    """The checkpoints of all logs that were ever published."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def keep(self, tenant: str, size: int, note: str) -> None:
        """Write the checkpoint of `size`; the same again is one."""
        keys = "-".join(one.key_id.hex() for one in Note.parse(note).signatures)
        name = f"{_folder(tenant)}{size:020d}-{keys}.txt"
        await self._blobs.write(_CONTAINER, name, note.encode(), _MEDIA_TYPE)

    async def all(self, tenant: str, keys: Sequence[VerifierKey]) -> AsyncIterator[Signed]:
        """All that `keys` have signed, read one by one, those of the smallest log first."""
        async for blob in self._blobs.scan(_CONTAINER, _folder(tenant)):
            if signed := await self._open(blob, keys):
                yield signed

    async def newest(self, tenant: str, keys: Sequence[VerifierKey]) -> Signed | None:
        """The one of the largest log that `keys` have signed."""
        blobs = [blob async for blob in self._blobs.scan(_CONTAINER, _folder(tenant))]
        for blob in reversed(blobs):
            if signed := await self._open(blob, keys):
                return signed
        return None

    async def _open(self, blob: BlobInfo, keys: Sequence[VerifierKey]) -> Signed | None:
        async with self._blobs.read(blob) as chunks:
            note = b"".join([chunk async for chunk in chunks])
        try:
            return Signed(open_checkpoint(note, keys), note.decode(), blob.last_modified)
        except NoteError:
            # Nothing that these logs have signed, and so nothing to hold this one to.
            return None


def _folder(tenant: str) -> str:
    return f"log-checkpoints/{tenant}/"
