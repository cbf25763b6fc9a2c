"""Upload intake, step by step.

Every step can be repeated: the asset's id is derived from the blob's version, the copy takes a
name only if it is free, the index rows are written before the asset row that makes the asset
known, and the upload is removed last.
"""

import asyncio
import base64
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from shared.accesslog import entry_message
from shared.errors import BlobChangedError, NotFoundError, RefusalError, RowConflictError
from shared.ids import derived_id, key, new_id
from shared.intake.rules import (
    INCOMING,
    UPLOAD_URL_LIFETIME,
    Asset,
    Filing,
    Inspection,
    Tombstone,
    check_path,
    decide,
    destinations,
    refuse_unread,
    split_name,
)
from shared.messages import Outbox, encode, queues
from shared.messages.contracts import AccessRecorded, Actor, BlobUploaded, IncidentOpened
from shared.ports import (
    BlobInfo,
    Blobs,
    Bus,
    Clock,
    Insert,
    OutgoingMessage,
    Replace,
    Row,
    Secrets,
    Tables,
    Upsert,
)
from shared.rows import from_values, to_values
from shared.tenancy import Tenant, Tenants

if TYPE_CHECKING:
    from shared.intake.scanner import YaraScanner

ASSETS = "assets"
SUBJECTS = "subjects"
SUBJECT_SECRET = "subject-index-hmac"  # noqa: S105 - the name of the secret, not the secret

# Where uploads are recorded that belong to no tenant of this stamp.
_NO_TENANT = "_unknown"
_INTAKE = Actor(id="vouchsafe.intake", role="system", organisation="vendor")
_CONCURRENT_WRITES = 16

logger = logging.getLogger("vouchsafe.intake")


class Intake:
    """Takes uploads in, and finds the assets that they became."""

    def __init__(
        self,
        tables: Tables,
        blobs: Blobs,
        bus: Bus,
        secrets: Secrets,
        outbox: Outbox,
        tenants: Tenants,
        clock: Clock,
        region: str,
    ) -> None:
        self._tables = tables
        self._blobs = blobs
        self._bus = bus
        self._secrets = secrets
        self._outbox = outbox
        self._tenants = tenants
        self._clock = clock
        self._region = region

    async def upload_url(self, tenant: str, path: str) -> tuple[str, datetime]:
        """A URL with which one new blob can be uploaded to `path`, and until when.

        Raises InvalidInputError for a path that cannot be.
        """
        check_path(tenant, path)
        await self._blobs.ensure_container(INCOMING)
        expires = self._clock() + UPLOAD_URL_LIFETIME
        return self._blobs.upload_url(INCOMING, f"{tenant}/{path}", expires), expires

    async def announce(self, name: str) -> None:
        """Put one message for the present version of an uploaded blob on the intake queue."""
        blob = await self._blobs.head(INCOMING, name)
        if blob is None:
            return
        uploaded = BlobUploaded(name=name, etag=blob.etag, last_modified=blob.last_modified)
        message = encode(queues.INTAKE, uploaded, identifier=_asset_id(uploaded), now=self._clock())
        await self._bus.send([message])

    async def take_in(self, uploaded: BlobUploaded) -> None:
        """Inspect one version of an uploaded blob and file it.

        Raises RefusalError when that version is gone and was never filed.
        """
        identifier = _asset_id(uploaded)
        folder, _ = split_name(uploaded.name)
        tenant = await self._tenants.find(folder)
        partition = key(tenant.id) if tenant else _NO_TENANT
        blob = await self._blobs.head(INCOMING, uploaded.name)
        if await self._tables.get(ASSETS, partition, asset_row(identifier)) is not None:
            await self._outbox.flush(ASSETS, partition)
        elif blob is None or blob.etag != uploaded.etag:
            raise _gone()
        else:
            await self._file(blob, tenant, partition, identifier)
        await self._blobs.delete(INCOMING, uploaded.name, uploaded.etag)

    async def find(self, tenant: str, asset: str) -> Asset:
        """An asset of a tenant. Raises NotFoundError if there is none, or it was erased."""
        row = await self._tables.get(ASSETS, key(tenant), asset_row(asset))
        if row is None or row.values.get("erasedAt"):
            raise NotFoundError(
                "asset-not-found",
                "There is no such asset.",
                "List the tenant's assets to see which there are.",
            )
        return from_values(Asset, row.values)

    async def page(
        self, tenant: str, *, size: int, continuation: str | None
    ) -> tuple[Sequence[Asset], str | None]:
        """One page of a tenant's assets, oldest first, and where to read on."""
        page = await self._tables.page(
            ASSETS, key(tenant), prefix=asset_row(""), size=size, continuation=continuation
        )
        assets = [from_values(Asset, r.values) for r in page.rows if not r.values.get("erasedAt")]
        return assets, page.continuation

    async def assets_of_subject(self, tenant: str, subjects: Iterable[str]) -> list[Asset]:
        """The tenant's assets that stand in the index under any of `subjects`, by id."""
        found = {
            row.row
            for subject in subjects
            async for row in self._tables.scan(SUBJECTS, subject_partition(tenant, subject))
        }
        assets = []
        for identifier in sorted(found):
            row = await self._tables.get(ASSETS, key(tenant), asset_row(identifier))
            if row is not None and not row.values.get("erasedAt"):
                assets.append(from_values(Asset, row.values))
        return assets

    async def erase(self, tenant: str, asset: str, request: str, entry: AccessRecorded) -> None:
        """Erase an asset's bytes, its index rows and its row, and leave a tombstone.

        The row goes last, as it says where the rest is. `request` is the erasure request, `entry`
        what the tenant's log is told. An asset that is not there, or erased, is left as it is.
        """
        partition = key(tenant)
        row = await self._tables.get(ASSETS, partition, asset_row(asset))
        if row is None or row.values.get("erasedAt"):
            await self._outbox.flush(ASSETS, partition)
            return
        kept = from_values(Asset, row.values)
        blob = await self._blobs.head(kept.container, kept.blob)
        # After a crash here, the name may have been given to another upload since.
        if blob is not None and blob.metadata.get("asset") == asset:
            await self._blobs.delete(kept.container, kept.blob, blob.etag)
        for subject in sorted(kept.subjects):
            await self._tables.delete(SUBJECTS, subject_partition(tenant, subject), asset)
        now = self._clock()
        tombstone = Tombstone(id=asset, tenant=tenant, erased_at=now, erasure_request=request)
        left = Row(partition, row.row, to_values(tombstone), row.etag)
        message = entry_message(entry, new_id(now), now)
        await self._outbox.commit(ASSETS, partition, [Replace(left)], [message])

    async def subject_secret(self) -> bytes:
        """The HMAC key of the subject index."""
        return base64.b64decode((await self._secrets.get(SUBJECT_SECRET)).value)

    async def _file(
        self, blob: BlobInfo, tenant: Tenant | None, partition: str, identifier: str
    ) -> None:
        filing = refuse_unread(blob.name, blob.size, tenant, self._region)
        inspection = None
        if filing is None:
            inspection = await self._inspect(blob)
            filing = decide(inspection)
        container, name = await self._store(blob, filing, identifier)
        now = self._clock()
        asset = _asset(blob, filing, inspection, identifier, container, name, now)
        if filing.verdict == "clean":
            await self._index(asset)
        messages = _messages(asset, tenant, now)
        row = Row(partition, asset_row(identifier), to_values(asset))
        try:
            await self._outbox.commit(ASSETS, partition, [Insert(row)], messages)
        except RowConflictError:
            # Another delivery of the same message was faster; what it filed is the same.
            await self._outbox.flush(ASSETS, partition)
        logger.info("asset %s: %s %s", identifier, filing.verdict, filing.reason or "")

    async def _inspect(self, blob: BlobInfo) -> Inspection:
        from shared.intake.inspection import Pass

        scanner = await asyncio.to_thread(lambda: self._scanner)
        with Pass(scanner, await self.subject_secret(), blob.size) as inspecting:
            try:
                async with self._blobs.read(blob) as chunks:
                    async for chunk in chunks:
                        await asyncio.to_thread(inspecting.feed, chunk)
            except BlobChangedError as error:
                raise _gone() from error
            return await asyncio.to_thread(inspecting.finish)

    @cached_property
    def _scanner(self) -> "YaraScanner":
        from shared.intake.scanner import YaraScanner

        return YaraScanner()

    async def _store(self, blob: BlobInfo, filing: Filing, identifier: str) -> tuple[str, str]:
        container, names = destinations(filing, blob.name, identifier)
        try:
            for name in names:
                if await self._blobs.copy(blob, container, name, {"asset": identifier}):
                    return container, name
        except BlobChangedError as error:
            raise _gone() from error
        raise RuntimeError(f"no name is free for asset {identifier}")

    async def _index(self, asset: Asset) -> None:
        limit = asyncio.Semaphore(_CONCURRENT_WRITES)

        async def write(subject: str) -> None:
            row = Row(subject_partition(asset.tenant, subject), asset.id, {})
            async with limit:
                await self._tables.commit(SUBJECTS, [Upsert(row)])

        await asyncio.gather(*(write(subject) for subject in asset.subjects))


def asset_row(identifier: str) -> str:
    """The RowKey of an asset in its tenant's partition of `assets`."""
    return key("asset", identifier)


def subject_partition(tenant: str, subject: str) -> str:
    """The PartitionKey in `subjects` of one identifier, given by its HMAC."""
    return key(tenant, subject)


def _asset_id(uploaded: BlobUploaded) -> str:
    return derived_id(uploaded.last_modified, uploaded.name, uploaded.etag)


def _asset(
    blob: BlobInfo,
    filing: Filing,
    inspection: Inspection | None,
    identifier: str,
    container: str,
    name: str,
    now: datetime,
) -> Asset:
    tenant, path = split_name(blob.name)
    asset = Asset(
        id=identifier,
        tenant=tenant,
        path=path,
        container=container,
        blob=name,
        verdict=filing.verdict,
        reason=filing.reason,
        size=blob.size,
        uploaded_at=blob.last_modified,
        filed_at=now,
    )
    if inspection is None:
        return asset
    import msgspec

    return msgspec.structs.replace(
        asset,
        media_type=inspection.media_type,
        sha256=inspection.sha256,
        engine=inspection.engine,
        engine_version=inspection.engine_version,
        signature_version=inspection.signature_version,
        signatures=tuple(inspection.signatures),
        people=tuple(inspection.people) if filing.verdict == "clean" else (),
        metadata_note=inspection.metadata_note,
    )


def _messages(asset: Asset, tenant: Tenant | None, now: datetime) -> list[OutgoingMessage]:
    messages = []
    if tenant is not None:
        entry = AccessRecorded(
            tenant=tenant.id,
            actor=_INTAKE,
            action="asset.cleared" if asset.verdict == "clean" else "asset.quarantined",
            resource=f"assets/{asset.id}",
            outcome="allowed" if asset.verdict == "clean" else "denied",
            reason=asset.reason,
        )
        messages.append(entry_message(entry, new_id(now), now))
    if asset.verdict != "clean":
        incident = IncidentOpened(
            kind=f"upload.{asset.verdict}",
            severity="critical" if asset.verdict == "infected" else "warning",
            summary=f"An upload was quarantined: {asset.reason}.",
            resource=f"assets/{asset.id}",
            tenant=tenant.id if tenant else None,
        )
        messages.append(encode(queues.INCIDENTS, incident, identifier=new_id(now), now=now))
    return messages


def _gone() -> RefusalError:
    return NotFoundError(
        "upload-gone",
        "That version of the upload is no longer in `incoming`, and was not filed.",
        "Nothing, if it was replaced by a newer version; otherwise upload it again.",
    )
