"""The queues before intake: each upload gets a message on a lane, and no upload is forgotten."""

import logging
from collections import Counter

from shared.assets.rules import version_id
from shared.blob_names import split_name
from shared.catalogue import INCOMING_CONTAINER, INTAKE_QUEUE
from shared.errors import RowConflictError, UnavailableError
from shared.intake.failures import must_be_alone
from shared.intake.lanes import ALONE, SHARE, Lanes
from shared.intake.rules import BULK_WAIT, is_overdue
from shared.intake.service import Intake
from shared.messages.contracts import BlobUploaded
from shared.ports import BlobInfo, Blobs, Bus, Clock

_INCOMING = INCOMING_CONTAINER.name

logger = logging.getLogger("vouchsafe.intake")


class UploadQueues:
    """Puts uploads on the lanes, and hands the uploads of the lanes to intake."""

    def __init__(self, intake: Intake, blobs: Blobs, bus: Bus, clock: Clock) -> None:
        self._intake = intake
        self._blobs = blobs
        self._bus = bus
        self._clock = clock
        self._lanes = Lanes(blobs, clock)

    async def enqueue(self, name: str) -> None:
        """Put a message for the present version of an uploaded blob on a lane of the tenant's."""
        blob = await self._blobs.head(_INCOMING, name)
        if blob is not None:
            await self._bus.send([await self._lanes.message(_event(blob))])

    async def enqueue_overdue(self) -> int:
        """Announce uploads again that have no worker and no message. Returns the number of uploads.

        A finally failed blob trigger, or a dead-lettered message, leaves an upload without a
        message. The oldest message's age tells forgotten uploads from waiting uploads; on
        `intake-bulk` a message waits for an hour at most. An upload announced twice is taken in
        once. Each tenant has a share of the announcements.
        """
        now = self._clock()
        waiting_since = await self._bus.oldest(INTAKE_QUEUE.name) or now
        announced: Counter[str] = Counter()
        async for blob in self._blobs.scan(_INCOMING):
            folder, _ = split_name(blob.name)
            if announced[folder] >= SHARE:
                continue
            if is_overdue(blob.size, blob.last_modified, waiting_since):
                crowded = await self._lanes.is_crowded(folder)
                if crowded and not is_overdue(blob.size, blob.last_modified, now - BULK_WAIT):
                    continue
                await self._bus.send([await self._lanes.message(_event(blob))])
                announced[folder] += 1
        if announced.total():
            logger.warning("%d uploads were forgotten and are queued again", announced.total())
        return announced.total()

    async def take(self, uploaded: BlobUploaded, deliveries: int) -> None:
        """Process an upload of `intake`, or send the upload on to `intake-bulk`.

        `deliveries` counts the deliveries of the message, the present delivery included. Raises the
        errors of `process_upload`.
        """
        elsewhere = await self._lanes.diverted(uploaded, deliveries)
        if elsewhere is None:
            await self._intake.process_upload(uploaded, deliveries)
        else:
            await self._bus.send([elsewhere])

    async def take_bulk(self, uploaded: BlobUploaded, session: str | None, deliveries: int) -> None:
        """Process an upload of `intake-bulk`, or have the upload processed alone.

        A fault that passes leaves an upload that must be alone in `incoming`, to be queued again
        with the forgotten uploads: the deliveries of such an upload count ended processes alone.
        Raises the errors of `process_upload` for any other upload.
        """
        if session == ALONE:
            try:
                await self._intake.process_upload(uploaded, deliveries, alone=True)
            except (UnavailableError, RowConflictError):
                logger.warning("version %s: is queued again later", version_id(uploaded))
        elif must_be_alone(deliveries):
            await self._bus.send([self._lanes.alone(uploaded)])
        else:
            await self._intake.process_upload(uploaded, deliveries)


def _event(blob: BlobInfo) -> BlobUploaded:
    return BlobUploaded(name=blob.name, etag=blob.etag, last_modified=blob.last_modified)
