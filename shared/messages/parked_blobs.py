"""The blobs of parked messages, and their end."""

from datetime import timedelta
from typing import Final

from shared.catalogue import PARKED_CONTAINER
from shared.ports import Blobs, Clock

KEPT_FOR: Final = timedelta(days=30)


async def tidy_parked(blobs: Blobs, clock: Clock) -> None:
    """Delete the whole messages of the container `parked` that are older than `KEPT_FOR`."""
    oldest = clock() - KEPT_FOR
    async for blob in blobs.scan(PARKED_CONTAINER.name):
        if blob.last_modified < oldest:
            await blobs.delete(PARKED_CONTAINER.name, blob.name, blob.etag)
