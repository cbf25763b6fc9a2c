"""Lanes: the queue for an upload's message, so that no tenant's uploads hold up another tenant's.

`intake` takes a tenant's uploads up to a share. Where more of the tenant's uploads wait, further
uploads go to `intake-bulk`, whose sessions bound how many are under work at once. `incoming` itself
tells the number of waiting uploads. An outdated number costs a place in a queue, and nothing else.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.assets.rules import version_id
from shared.blob_names import split_name
from shared.catalogue import INCOMING_CONTAINER, INTAKE_BULK_QUEUE, INTAKE_QUEUE
from shared.intake.failures import must_be_alone
from shared.intake.rules import owner_of
from shared.messages import encode
from shared.messages.contracts import BlobUploaded
from shared.ports import Blobs, Clock, OutgoingMessage

SHARE: Final = 128
"""Uploads of one tenant that may wait on `intake`: a shoot of a hundred pictures stays together."""
ALONE: Final = "alone"
"""The session of uploads that may have ended their process; a tenant's sessions have a slash."""
# Uploads of one tenant under work at once beyond the share.
_SESSIONS_OF_A_TENANT = 4
# A burst of uploads is counted once. A crowd is counted seldom: a List Blobs request may take long
# where many blobs are, and a crowd does not end in seconds.
_COUNT_LIFETIME = timedelta(seconds=2)
_CROWD_LIFETIME = timedelta(seconds=10)
_MOST_COUNTS = 1000


@dataclass(frozen=True, slots=True)
class _Count:
    """The number of a tenant's waiting uploads, up to just over the share, and the time of it."""

    at: datetime
    number: asyncio.Task[int]

    def is_outdated(self, now: datetime) -> bool:
        lifetime = _CROWD_LIFETIME if self._is_crowd() else _COUNT_LIFETIME
        return now - self.at > lifetime

    def _is_crowd(self) -> bool:
        done = self.number.done() and not self.number.cancelled()
        return done and self.number.exception() is None and self.number.result() > SHARE


class Lanes:
    """The choice between `intake` and `intake-bulk`."""

    def __init__(self, blobs: Blobs, clock: Clock) -> None:
        self._blobs = blobs
        self._clock = clock
        self._counts: dict[str, _Count] = {}

    async def message(self, uploaded: BlobUploaded) -> OutgoingMessage:
        """Make the message that announces an upload. Raises UnavailableError."""
        folder, _ = split_name(uploaded.name)
        identifier = version_id(uploaded)
        now = self._clock()
        if not await self.is_crowded(folder):
            return encode(INTAKE_QUEUE.name, uploaded, identifier=identifier, now=now)
        return _bulk(uploaded, bulk_session(folder, identifier), identifier, now)

    async def diverted(self, uploaded: BlobUploaded, deliveries: int) -> OutgoingMessage | None:
        """Make the message that sends a message of `intake` on to `intake-bulk`, or None.

        Raises UnavailableError.
        """
        if must_be_alone(deliveries):
            return self.alone(uploaded)
        message = await self.message(uploaded)
        return None if message.queue == INTAKE_QUEUE.name else message

    def alone(self, uploaded: BlobUploaded) -> OutgoingMessage:
        """Make the message for an upload that must be under work beside no other upload."""
        return _bulk(uploaded, ALONE, f"{version_id(uploaded)}-alone", self._clock())

    async def is_crowded(self, folder: str) -> bool:
        """Tell whether more uploads than a share wait in a tenant's folder.

        Raises UnavailableError.
        """
        now = self._clock()
        count = self._counts.get(folder)
        if count is None or count.is_outdated(now):
            if len(self._counts) >= _MOST_COUNTS:
                self._counts.clear()
            count = _Count(now, asyncio.create_task(self._count(folder)))
            self._counts[folder] = count
        # The end of a single caller must not end the count of all.
        return await asyncio.shield(count.number) > SHARE

    async def _count(self, folder: str) -> int:
        return await self._blobs.count(INCOMING_CONTAINER.name, f"{folder}/", SHARE + 1)


def bulk_session(folder: str, identifier: str) -> str:
    """Return the session of an upload on `intake-bulk`, by the last character of the id.

    Folders that are no tenant's share their sessions.
    """
    return f"{owner_of(folder)}/{ord(identifier[-1]) % _SESSIONS_OF_A_TENANT}"


def _bulk(uploaded: BlobUploaded, session: str, identifier: str, now: datetime) -> OutgoingMessage:
    return encode(INTAKE_BULK_QUEUE.name, uploaded, identifier=identifier, now=now, session=session)
