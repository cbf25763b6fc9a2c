"""Upload intake, step by step.

Every step can be repeated. The asset's id is derived from the blob's version. The copy takes only a
free name. The index rows are written before the asset row, which makes the asset known. The upload
is removed last.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.assets.rules import Asset, upload_id
from shared.assets.service import Assets
from shared.blob_names import split_name
from shared.catalogue import INCOMING_CONTAINER, INTAKE_QUEUE
from shared.errors import BlobArchivedError, BlobChangedError, NotFoundError, RefusalError
from shared.ids import key
from shared.intake.declarations import Declaration, Declarations, KeptDeclaration
from shared.intake.records import asset_of, reports_of, with_declared
from shared.intake.rules import (
    MAX_SINGLE_PUT,
    UPLOAD_URL_LIFETIME,
    Filing,
    Inspection,
    check_path,
    check_size,
    decide,
    destinations,
    is_overdue,
    places,
    refuse_unread,
    served_type,
)
from shared.messages import encode
from shared.messages.contracts import BlobUploaded
from shared.ports import (
    BlobInfo,
    Blobs,
    Bus,
    Clock,
    OutgoingMessage,
)
from shared.scanning.engines import Engines
from shared.scanning.scanner import ScanPendingError
from shared.tenancy import Tenant, Tenants, check_active

if TYPE_CHECKING:
    # For the type's name alone; an import would slow a cold start.
    from shared.accesslog import AccessLog

_INCOMING = INCOMING_CONTAINER.name
_MOST_ANNOUNCED_ANEW = 500

# The partition of uploads that belong to no tenant of the stamp.
_NO_TENANT = "_unknown"

logger = logging.getLogger("vouchsafe.intake")


@dataclass(frozen=True, slots=True)
class Permit:
    """The URL for a file's upload, the time of expiry, and whether to upload in blocks."""

    url: str
    expires: datetime
    blocks: bool


class Intake:
    """Takes uploads in: each upload becomes an asset of the tenant, or is quarantined."""

    def __init__(
        self,
        assets: Assets,
        blobs: Blobs,
        bus: Bus,
        tenants: Tenants,
        declarations: Declarations,
        log: "AccessLog",
        clock: Clock,
        region: str,
        engines: Engines,
        size_limit: int,
    ) -> None:
        """`size_limit` is the largest accepted file, in bytes."""
        self._assets = assets
        self._blobs = blobs
        self._bus = bus
        self._tenants = tenants
        self._declarations = declarations
        self._log = log
        self._clock = clock
        self._region = region
        self._engines = engines
        self._size_limit = size_limit

    async def permit_upload(
        self, tenant: Tenant, path: str, size: int, media_type: str, identifier: str
    ) -> Permit:
        """Permit the upload of a new blob of `size` bytes to `path`, and store the declaration.

        `identifier` is the upload's id. Raises ConflictError for a leaving tenant,
        InvalidInputError for an invalid path or size, and TooLargeError over the limit.
        """
        check_active(tenant)
        check_path(tenant.id, path)
        check_size(size, self._size_limit)
        now = self._clock()
        declaration = Declaration(id=identifier, size=size, media_type=media_type, declared_at=now)
        await self._blobs.ensure_container(_INCOMING)
        await self._declarations.keep(tenant.id, path, declaration)
        expires, blocks = now + UPLOAD_URL_LIFETIME, size > MAX_SINGLE_PUT
        url = self._blobs.upload_url(_INCOMING, f"{tenant.id}/{path}", expires, blocks=blocks)
        return Permit(url, expires, blocks)

    async def enqueue(self, name: str) -> None:
        """Put a message for the present version of an uploaded blob on the intake queue."""
        blob = await self._blobs.head(_INCOMING, name)
        if blob is not None:
            await self._bus.send([self._upload_message(blob)])

    async def enqueue_overdue(self) -> int:
        """Announce uploads again that have no worker and no message. Returns the number of uploads.

        A finally failed blob trigger, or a dead-lettered message, leaves an upload without a
        message. The oldest message's age tells forgotten uploads from waiting uploads. An upload
        announced twice is taken in once.
        """
        waiting_since = await self._bus.oldest(INTAKE_QUEUE.name) or self._clock()
        overdue = []
        async for blob in self._blobs.scan(_INCOMING):
            if is_overdue(blob.size, blob.last_modified, waiting_since):
                overdue.append(self._upload_message(blob))
                if len(overdue) == _MOST_ANNOUNCED_ANEW:
                    break
        if overdue:
            logger.warning("%d uploads were forgotten and are announced anew", len(overdue))
            await self._bus.send(overdue)
        return len(overdue)

    def _upload_message(self, blob: BlobInfo) -> OutgoingMessage:
        uploaded = BlobUploaded(name=blob.name, etag=blob.etag, last_modified=blob.last_modified)
        return encode(
            INTAKE_QUEUE.name, uploaded, identifier=upload_id(uploaded), now=self._clock()
        )

    async def process_upload(self, uploaded: BlobUploaded) -> None:
        """Inspect a version of an uploaded blob and file the version.

        An archived upload, or an upload without a scan result yet, stays in place. Raises
        RefusalError for a version that is gone and was never filed. Raises UnavailableError while
        the tenant's log takes no entries: no upload leaves `incoming` unlogged.
        """
        identifier = upload_id(uploaded)
        folder, path = split_name(uploaded.name)
        tenant = await self._tenants.find(folder)
        if tenant is not None:
            await self._log.defer_unless_appendable(tenant.id)
        partition = key(tenant.id) if tenant else _NO_TENANT
        blob = await self._blobs.head(_INCOMING, uploaded.name)
        declared = None
        if tenant is not None:
            declared = await self._declarations.find(tenant.id, path, uploaded.last_modified)
        filed = None
        if await self._assets.is_known(partition, identifier):
            await self._assets.flush(partition)
        elif blob is None or blob.etag != uploaded.etag:
            raise _gone()
        else:
            try:
                filed = await self._file(blob, tenant, partition, identifier, declared)
            except ScanPendingError:
                # The engine announces the result in the same way as an upload.
                logger.info("asset %s: waiting for its scan result", identifier)
                return
            except BlobArchivedError:
                # The uploader chooses the tier. Forgotten uploads are announced again, the archived
                # upload too.
                logger.warning("asset %s: waiting until it is out of the archive", identifier)
                await self._blobs.rehydrate(_INCOMING, uploaded.name)
                return
            except BlobChangedError as error:
                # Another delivery of the same message may have been faster.
                if not await self._assets.is_known(partition, identifier):
                    raise _gone() from error
        await self._assets.tidy(
            partition, identifier, places(uploaded.name, tenant, identifier), filed
        )
        if tenant is not None and declared is not None:
            await self._declarations.forget(tenant.id, path, declared)
        await self._blobs.delete(_INCOMING, uploaded.name, uploaded.etag)
        await self._engines.forget(identifier)

    async def _file(
        self,
        blob: BlobInfo,
        tenant: Tenant | None,
        partition: str,
        identifier: str,
        declared: KeptDeclaration | None,
    ) -> Asset | None:
        """Return the asset as added; None when another delivery was faster."""
        filing = refuse_unread(blob.name, blob.size, tenant, self._region, self._size_limit)
        inspection = None
        if filing is None:
            inspection = await self._inspect(blob, identifier)
            filing = decide(inspection)
        container, name = await self._store(blob, filing, identifier, inspection)
        now = self._clock()
        asset = asset_of(blob, filing, inspection, identifier, container, name, now)
        if declared is not None:
            asset = with_declared(asset, declared.declaration)
        added = await self._assets.add(partition, asset, reports_of(asset, tenant, now))
        logger.info("asset %s: %s %s", identifier, filing.verdict, filing.reason or "")
        return asset if added else None

    async def _inspect(self, blob: BlobInfo, identifier: str) -> Inspection:
        from shared.intake.inspection import Pass, run

        secret = await self._assets.subject_secret()
        with Pass(await self._engines.begin(identifier, blob), secret, blob.size) as inspecting:
            async with self._blobs.read(blob) as chunks:
                return await run(inspecting, chunks)

    async def _store(
        self, blob: BlobInfo, filing: Filing, identifier: str, inspection: Inspection | None
    ) -> tuple[str, str]:
        container, names = destinations(filing, blob.name, identifier)
        mark, tags = {"asset": identifier}, {"verdict": filing.verdict}
        media_type = served_type(filing, inspection)
        for name in names:
            if await self._blobs.copy(blob, container, name, mark, media_type, tags):
                return container, name
        raise RuntimeError(f"no name is free for asset {identifier}")


def _gone() -> RefusalError:
    return NotFoundError(
        "upload-gone",
        "That version of the upload is no longer in `incoming`, and was not filed.",
        "Nothing, if it was replaced by a newer version; otherwise upload it again.",
    )
