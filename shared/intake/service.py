"""Upload intake, step by step.

Every step can be repeated. The asset has the id of the upload, so that storage refuses a second
asset for one URL. The copy takes only a free name. The asset and the asset's sealed record are one
transaction. The upload's blob and the upload's record are removed last.

A delivery that breaks off may leave a copy. The message is then delivered again, and the delivery
that meets the asset removes such copies. So a first delivery that files the upload looks for none.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from shared.assets.rules import Asset, Tombstone, version_id
from shared.assets.service import Assets
from shared.blob_names import split_name
from shared.catalogue import INCOMING_CONTAINER, QUARANTINE_CONTAINER
from shared.errors import (
    BlobArchivedError,
    BlobChangedError,
    DataKeyError,
    NotFoundError,
    RefusalError,
    UnavailableError,
    kind_and_place,
)
from shared.ids import is_ulid, key, rfc3339
from shared.incidents import Incidents
from shared.intake.failures import is_exhausted, refuse_failed, refuse_unended
from shared.intake.records import (
    asset_of,
    repeated,
    repeated_entry,
    reports_of,
)
from shared.intake.rules import (
    ANY_TYPE,
    NO_TENANT,
    Filing,
    Inspection,
    decide,
    destinations,
    is_overdue,
    keeps_bytes,
    places,
    quarantined_name,
    refuse_unread,
    served_type,
    takes_long,
)
from shared.intake.uploads import KeptUpload, Uploads
from shared.messages.contracts import BlobUploaded
from shared.metadata.parsing import READER
from shared.ports import BlobInfo, Blobs, Clock, Value
from shared.scanning.engines import Engines
from shared.scanning.scanner import ScanPendingError
from shared.subjects.incidents import data_key_unusable
from shared.subjects.notes import UNREAD
from shared.subjects.records import Records
from shared.tenancy import Tenant, Tenants

if TYPE_CHECKING:
    # For the type's name alone; an import would slow a cold start.
    from shared.accesslog import AccessLog

_INCOMING = INCOMING_CONTAINER.name
# No delivery works longer than this: `functionTimeout` in host.json.
_LONGEST_DELIVERY = timedelta(minutes=75)
# The log may be damaged at any moment after the look, too: the entry then waits in the outbox.
_LOOK_LIFETIME = timedelta(seconds=2)
_MOST_LOOKS = 1000

logger = logging.getLogger("vouchsafe.intake")


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A blob in `incoming`, under the upload's name.

    `identifier` is the id of the asset. `tenant` is None for a folder that is no tenant, and `kept`
    for a blob that no permit names.
    """

    folder: str
    tenant: Tenant | None
    partition: str
    identifier: str
    kept: KeptUpload | None

    @property
    def path(self) -> str | None:
        return None if self.kept is None else self.kept.upload.path


class Intake:
    """Takes uploads in: each upload becomes an asset of the tenant, or is quarantined."""

    def __init__(
        self,
        assets: Assets,
        blobs: Blobs,
        tenants: Tenants,
        uploads: Uploads,
        incidents: Incidents,
        log: "AccessLog",
        clock: Clock,
        region: str,
        engines: Engines,
        records: Records,
        size_limit: int,
    ) -> None:
        """`size_limit` is the largest accepted file, in bytes."""
        self._assets = assets
        self._blobs = blobs
        self._tenants = tenants
        self._uploads = uploads
        self._incidents = incidents
        self._log = log
        self._clock = clock
        self._region = region
        self._engines = engines
        self._records = records
        self._size_limit = size_limit
        self._looked_at_log: dict[str, datetime] = {}

    async def process_upload(
        self, uploaded: BlobUploaded, deliveries: int = 1, *, alone: bool = False
    ) -> None:
        """Inspect an uploaded blob and file the blob.

        An upload whose inspection fails for a reason of the file is refused at the second delivery,
        and an upload `alone` whose earlier deliveries ended the process is refused unread.

        The present version of the blob under a permitted name is the upload. An archived upload, or
        an upload without a scan result yet, stays in place. Raises RefusalError for an upload that
        is gone and was never filed. Raises UnavailableError while the tenant's log takes no
        entries: the upload then waits in `incoming`.
        """
        folder, rest = split_name(uploaded.name)
        tenant = await self._tenants.find(folder)
        if tenant is not None:
            await self._look_at_log(tenant.id)
        blob = await self._blobs.head(_INCOMING, uploaded.name)
        is_first = deliveries == 1 and not alone
        is_new = is_first and blob is not None
        arrival, asset = await self._identify(folder, rest, tenant, uploaded, is_new=is_new)
        is_filed_here = False
        if asset is not None:
            await self._assets.flush(arrival.partition)
        elif blob is None:
            raise _gone()
        elif arrival.kept is None and blob.etag != uploaded.etag:
            # The newer version has a message of its own.
            return
        try:
            if asset is None and blob is not None:
                given_up = refuse_unended(deliveries, alone=alone)
                asset, is_filed_here = await self._file(arrival, blob, deliveries, given_up)
            if blob is not None and asset is not None:
                await self._keep_other_bytes(arrival, blob, asset)
        except ScanPendingError:
            # The engine announces the result in the same way as an upload.
            logger.info("asset %s: waiting for its scan result", arrival.identifier)
            await self._mark_scanning(arrival)
            return
        except BlobArchivedError:
            # The uploader chooses the tier. Forgotten uploads are queued again, the archived upload
            # too.
            logger.warning("asset %s: waiting until it is out of the archive", arrival.identifier)
            await self._blobs.rehydrate(_INCOMING, uploaded.name)
            return
        except BlobChangedError:
            # Another delivery was faster, or a newer version came, which has a message of its own.
            asset = await self._assets.look_up(arrival.partition, arrival.identifier)
            if asset is None:
                if await self._blobs.head(_INCOMING, uploaded.name) is None:
                    raise _gone() from None
                logger.info("asset %s: a newer version came meanwhile", arrival.identifier)
                return
        version = blob or uploaded
        # The blob goes first, so that no slower delivery copies the blob again. A newer version of
        # the blob stays, and has a message of its own.
        await self._blobs.delete(_INCOMING, version.name, version.etag)
        if not (is_first and is_filed_here) or self._is_overdue(blob):
            await self._remove_copies(arrival, asset)
        await self._forget(arrival, version)

    async def _look_at_log(self, tenant: str) -> None:
        """Raise UnavailableError while the tenant's log takes no entries.

        Uploads come in bursts, so that one look does for the uploads of two seconds.
        """
        now = self._clock()
        looked_at = self._looked_at_log.get(tenant)
        if looked_at is not None and now - looked_at < _LOOK_LIFETIME:
            return
        await self._log.defer_unless_appendable(tenant)
        if len(self._looked_at_log) >= _MOST_LOOKS:
            self._looked_at_log.clear()
        self._looked_at_log[tenant] = now

    def _is_overdue(self, blob: BlobInfo | None) -> bool:
        """Tell whether an upload may have been queued again, after a message that was given up.

        The deliveries of the message that was given up do not count as deliveries of the new
        message.
        """
        return blob is None or is_overdue(blob.size, blob.last_modified, self._clock())

    async def _identify(
        self,
        folder: str,
        rest: str,
        tenant: Tenant | None,
        uploaded: BlobUploaded,
        *,
        is_new: bool,
    ) -> tuple[_Arrival, Asset | Tombstone | None]:
        """Tell which upload a blob is, with what is known of its asset.

        The record of a filed upload is gone, but the asset has the upload's id. For an upload that
        `is_new` and has a record, no asset is looked for: as a rule there is none, and storage
        refuses a second asset.
        """
        partition = key(tenant.id) if tenant else NO_TENANT
        if tenant is not None and is_ulid(rest):
            kept = await self._uploads.find(tenant.id, rest)
            if kept is not None and is_new:
                return _Arrival(folder, tenant, partition, rest, kept), None
            asset = await self._assets.look_up(partition, rest)
            if kept is not None or asset is not None:
                return _Arrival(folder, tenant, partition, rest, kept), asset
        identifier = version_id(uploaded)
        arrival = _Arrival(folder, tenant, partition, identifier, None)
        return arrival, await self._assets.look_up(partition, identifier)

    async def _file(
        self, arrival: _Arrival, blob: BlobInfo, deliveries: int, given_up: Filing | None
    ) -> tuple[Asset | Tombstone | None, bool]:
        """File a blob. Returns the asset as kept, and whether this delivery filed the asset.

        The asset may be a faster delivery's.
        """
        upload = None if arrival.kept is None else arrival.kept.upload
        filing = refuse_unread(blob, upload, arrival.tenant, self._region, self._size_limit)
        filing, inspection = filing or given_up, None
        if filing is None:
            if takes_long(blob.size):
                await self._mark_scanning(arrival)
            filing, inspection = await self._inspect(blob, deliveries)
        place = None
        if keeps_bytes(filing):
            place = await self._store(arrival, blob, filing, inspection)
        now = self._clock()
        identifier = arrival.identifier
        asset = asset_of(blob, upload, filing, inspection, identifier, place, now)
        reports = reports_of(asset, arrival.tenant, now)
        record = None
        if arrival.tenant is not None:
            note = UNREAD if inspection is None else asset.metadata_note
            asset = msgspec.structs.replace(asset, metadata_reader=READER, metadata_note=note)
            record = await self._seal(asset, inspection, version_id(blob))
        added = await self._assets.add(arrival.partition, asset, reports, record)
        logger.info("asset %s: %s %s", identifier, filing.verdict, filing.reason or "")
        if added:
            return asset, True
        return await self._assets.look_up(arrival.partition, identifier), False

    async def _seal(
        self, asset: Asset, inspection: Inspection | None, version: str
    ) -> Mapping[str, Value]:
        """Seal the texts of an upload.

        Raises UnavailableError while the tenant has no usable data key: no asset is filed that
        nobody could find.
        """
        texts = () if inspection is None else inspection.texts
        try:
            return await self._records.seal(asset, texts, asset.metadata_note, version)
        except DataKeyError as error:
            await self._incidents.open_once(
                data_key_unusable(asset.tenant), once=rfc3339(self._clock())[:10]
            )
            raise UnavailableError("data-key") from error

    async def _mark_scanning(self, arrival: _Arrival) -> None:
        """Let the upload's record tell that the scan has begun."""
        kept, tenant = arrival.kept, arrival.tenant
        if kept is not None and tenant is not None and kept.upload.scanning_since is None:
            await self._uploads.mark_scanning(tenant.id, kept, self._clock())

    async def _inspect(self, blob: BlobInfo, deliveries: int) -> tuple[Filing, Inspection | None]:
        """Read a blob and decide. Raises the error of an inspection that is tried again."""
        from shared.intake.inspection import Pass, run
        from shared.scanning.stored_file import open_stored

        scans = await self._engines.begin(version_id(blob), blob)
        stored = partial(open_stored, self._blobs, blob, asyncio.get_running_loop())
        with Pass(scans, blob.size, stored) as inspecting:
            try:
                async with self._blobs.read(blob) as chunks:
                    inspection = await run(inspecting, chunks)
            except Exception as error:
                if is_exhausted(error):
                    raise UnavailableError("disk") from error
                refused = refuse_failed(error, deliveries)
                if refused is None:
                    raise
                # The log has no text of the error, which may hold the file's.
                logger.error("inspection failed: %s", kind_and_place(error))  # noqa: TRY400
                return refused, None
        return decide(inspection), inspection

    async def _store(
        self, arrival: _Arrival, blob: BlobInfo, filing: Filing, inspection: Inspection | None
    ) -> tuple[str, str]:
        """Copy a blob to its place. Returns the container and the name.

        Raises UnavailableError where copies of replaced versions hold every name.
        """
        container, names = destinations(
            filing, arrival.folder, arrival.path or "", arrival.identifier
        )
        # An upload in blocks can be replaced while intake works. Each version is a copy of its own.
        mark = {"asset": arrival.identifier, "version": version_id(blob)}
        media_type = served_type(filing, inspection)
        tags = {"verdict": filing.verdict}
        for name in names:
            if await self._blobs.copy(blob, container, name, mark, media_type, tags):
                return container, name
        await self._remove_abandoned(arrival, container, names)
        raise UnavailableError("storage")

    async def _remove_abandoned(
        self, arrival: _Arrival, container: str, names: tuple[str, ...]
    ) -> None:
        """Delete the upload's copies whose delivery is over; a younger copy may have an owner."""
        for name in names:
            taken = await self._blobs.head(container, name)
            if taken is None or taken.metadata.get("asset") != arrival.identifier:
                continue
            if self._clock() - taken.last_modified > _LONGEST_DELIVERY:
                await self._blobs.delete(container, name, taken.etag)

    async def _keep_other_bytes(
        self, arrival: _Arrival, blob: BlobInfo, asset: Asset | Tombstone
    ) -> None:
        """Quarantine bytes that came under the URL of an asset after the asset's own bytes.

        The same bytes again are an SDK's second attempt after a lost answer. Bytes for an erased
        asset are not kept, and page and append blobs are reported and not kept.
        """
        if isinstance(asset, Tombstone) or asset.source_etag == blob.etag:
            return
        if blob.is_block_blob and await self._is_same(blob, asset):
            return
        version = version_id(blob)
        if blob.is_block_blob:
            name = quarantined_name(arrival.folder, asset.id, version)
            mark = {"asset": asset.id, "version": version}
            tags = {"verdict": "refused"}
            await self._blobs.copy(blob, QUARANTINE_CONTAINER.name, name, mark, ANY_TYPE, tags)
        if arrival.tenant is not None:
            entry = repeated_entry(asset.id, arrival.tenant.id)
            await self._log.record(entry, version, blob.last_modified)
        # An incident for each upload, because its uploader may send any number of versions.
        await self._incidents.open_once(repeated(asset.id, asset.tenant), once=asset.id)
        logger.warning("asset %s: other bytes came later under its URL", asset.id)

    async def _is_same(self, blob: BlobInfo, asset: Asset) -> bool:
        """Tell whether a blob has the bytes of a filed asset."""
        if blob.size != asset.size or asset.sha256 is None:
            return False
        digest = hashlib.sha256()
        async with self._blobs.read(blob) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(digest.update, chunk)
        return digest.hexdigest() == asset.sha256

    async def _remove_copies(self, arrival: _Arrival, asset: Asset | Tombstone | None) -> None:
        """Remove the copies that deliveries left that broke off, or that another overtook."""
        path = arrival.path
        if path is None and isinstance(asset, Asset) and asset.upload is not None:
            path = asset.path
        copies = places(arrival.folder, path, arrival.identifier)
        await self._assets.tidy(arrival.partition, arrival.identifier, copies)

    async def _forget(self, arrival: _Arrival, version: BlobInfo | BlobUploaded) -> None:
        """Forget an upload; last, because the upload's record names the places of the copies."""
        await self._engines.forget(version_id(version))
        if arrival.tenant is not None and arrival.kept is not None:
            await self._uploads.forget(arrival.tenant.id, arrival.identifier)


def _gone() -> RefusalError:
    return NotFoundError(
        "upload-gone",
        "The upload is no longer in `incoming`, and was not filed.",
        "Upload the file again, under a new URL.",
    )
