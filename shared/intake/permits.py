"""Permits: the URLs for uploads, and the whereabouts of an upload until intake files the upload."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.assets.rules import Asset
from shared.assets.service import Assets
from shared.blob_names import incoming_name
from shared.catalogue import INCOMING_CONTAINER
from shared.errors import NotFoundError, RefusalError, UnavailableError
from shared.ids import is_ulid, key
from shared.intake.rules import (
    MAX_SINGLE_PUT,
    Upload,
    check_path,
    check_size,
    places,
)
from shared.intake.upload_urls import LONGEST_REQUEST, UPLOAD_LIFETIME, check_unfinished, url_expiry
from shared.intake.uploads import Uploads
from shared.ports import Blobs, Clock
from shared.tenancy import Tenant, Tenants, check_active

_INCOMING = INCOMING_CONTAINER.name
# Records that one run of the timer removes, for each tenant, and records in work at a time.
_MAX_LAPSED = 20_000
_CONCURRENT = 16

type UploadState = Literal["permitted", "arrived", "scanning", "filed", "refused"]

logger = logging.getLogger("vouchsafe.intake")


@dataclass(frozen=True, slots=True)
class FileAsked:
    """A file to upload: the id of the upload, the path, the size in bytes, and the media type."""

    id: str
    path: str
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Permit:
    """The URL for a file's upload, the time of expiry, and whether to upload in blocks."""

    id: str
    path: str
    url: str
    expires: datetime
    blocks: bool


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The state of an upload; `asset` once filed or refused, `expires` is the end of the URL."""

    id: str
    state: UploadState
    path: str
    asset: Asset | None = None
    expires: datetime | None = None


class Permits:
    """Permits uploads, each under a name of its own in `incoming`."""

    def __init__(
        self,
        uploads: Uploads,
        assets: Assets,
        blobs: Blobs,
        tenants: Tenants,
        clock: Clock,
        size_limit: int,
    ) -> None:
        """`size_limit` is the largest accepted file, in bytes."""
        self._uploads = uploads
        self._assets = assets
        self._blobs = blobs
        self._tenants = tenants
        self._clock = clock
        self._size_limit = size_limit

    async def permit(
        self, tenant: Tenant, files: Sequence[FileAsked], caller: str, *, is_repeated: bool = False
    ) -> Sequence[Permit | RefusalError]:
        """Permit the upload of each of `files`, and store the records. `caller` is who asks.

        `is_repeated` marks the ids of an earlier request, whose uploads may be filed, or erased.

        Returns a permit, or the refusal, for each file in turn. A refusal is InvalidInputError for
        an invalid path or size, TooLargeError over the limit, and ConflictError for an id whose
        time is over, or whose upload is filed. Raises ConflictError for a leaving tenant.
        """
        check_active(tenant)
        now = self._clock()
        finished = await self._finished(tenant.id, files) if is_repeated else frozenset()
        answers: list[Permit | RefusalError] = []
        records: list[Upload] = []
        for file in files:
            try:
                check_path(tenant.id, file.path)
                check_size(file.size, self._size_limit)
                expires = url_expiry(file.id, now)
                check_unfinished(file.id, finished)
            except RefusalError as refusal:
                answers.append(refusal)
                continue
            records.append(
                Upload(
                    id=file.id,
                    path=file.path,
                    size=file.size,
                    media_type=file.media_type,
                    requested_by=caller,
                    requested_at=now,
                    expires_at=expires,
                )
            )
            blocks = file.size > MAX_SINGLE_PUT
            name = incoming_name(tenant.id, file.id)
            url = self._blobs.upload_url(_INCOMING, name, expires, blocks=blocks)
            answers.append(Permit(file.id, file.path, url, expires, blocks))
        await self._blobs.ensure_container(_INCOMING)
        await self._uploads.keep(tenant.id, records)
        return answers

    async def _finished(self, tenant: str, files: Sequence[FileAsked]) -> frozenset[str]:
        """Return the ids whose uploads are filed, or filed and erased."""
        limit = asyncio.Semaphore(_CONCURRENT)

        async def is_finished(upload: str) -> bool:
            async with limit:
                return await self._assets.look_up(key(tenant), upload) is not None

        finished = await asyncio.gather(*(is_finished(file.id) for file in files))
        return frozenset(file.id for file, is_over in zip(files, finished, strict=True) if is_over)

    async def locate(self, tenant: str, upload: str) -> Whereabouts:
        """Return the whereabouts of an upload, as storage tells.

        Raises NotFoundError for an upload that was never permitted, that never came in its time, or
        whose asset is erased.
        """
        if not is_ulid(upload):
            raise _not_found()
        kept = await self._uploads.find(tenant, upload)
        blob = await self._blobs.head(_INCOMING, incoming_name(tenant, upload))
        # Last, because intake files the asset before the record and the blob go.
        asset = await self._assets.look_up(key(tenant), upload)
        if isinstance(asset, Asset) and asset.upload == upload:
            state: UploadState = "filed" if asset.verdict == "clean" else "refused"
            return Whereabouts(upload, state, asset.path, asset)
        if asset is not None or kept is None:
            raise _not_found()
        record = kept.upload
        if blob is None:
            return Whereabouts(upload, "permitted", record.path, expires=record.expires_at)
        state = "arrived" if record.scanning_since is None else "scanning"
        return Whereabouts(upload, state, record.path)

    async def remove_lapsed(self) -> int:
        """Remove the records of uploads that never came in their time. Returns their number.

        A record stays while a blob is in `incoming`, and while a request that began in time may
        still run. Each run removes the oldest records. A fault at one tenant's records leaves them
        to the next run.
        """
        removed = 0
        end = self._clock() - UPLOAD_LIFETIME - LONGEST_REQUEST
        async for tenant in self._tenants.every():
            try:
                removed += await self._remove_lapsed(tenant.id, end)
            except UnavailableError as error:
                logger.warning("lapsed uploads of %s stay: %s", tenant.id, error.service)
        if removed:
            logger.info("removed the records of %d uploads that never came", removed)
        return removed

    async def _remove_lapsed(self, tenant: str, end: datetime) -> int:
        removed = 0
        limit = asyncio.Semaphore(_CONCURRENT)

        async def remove(upload: Upload) -> bool:
            async with limit:
                return await self._remove(tenant, upload)

        async for uploads in self._uploads.permitted_before(tenant, end):
            removed += sum(await asyncio.gather(*map(remove, uploads)))
            if removed >= _MAX_LAPSED:
                break
        return removed

    async def _remove(self, tenant: str, upload: Upload) -> bool:
        """Remove a record, and the copies that a dead-lettered delivery of the upload left.

        Returns False for an upload that waits in `incoming`.
        """
        if await self._blobs.head(_INCOMING, incoming_name(tenant, upload.id)) is not None:
            return False
        if await self._assets.look_up(key(tenant), upload.id) is not None:
            copies = places(tenant, upload.path, upload.id)
            await self._assets.tidy(key(tenant), upload.id, copies)
        await self._uploads.forget(tenant, upload.id)
        return True


def _not_found() -> NotFoundError:
    return NotFoundError(
        "upload-not-found",
        "There is no such upload, or it never came in its time, or its asset is erased.",
        "Ask for a new URL, and upload the file again.",
    )
