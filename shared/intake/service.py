"""Upload intake, step by step.

Every step can be repeated: the asset's id is derived from the blob's version, the copy takes a
name only if it is free, the index rows are written before the asset row that makes the asset
known, and the upload is removed last.
"""

import asyncio
import logging
from datetime import datetime

from shared.accesslog import entry_message
from shared.errors import BlobChangedError, NotFoundError, RefusalError
from shared.ids import key, new_id
from shared.intake.assets import Assets
from shared.intake.rules import (
    INCOMING,
    UPLOAD_URL_LIFETIME,
    Asset,
    Filing,
    Inspection,
    age_in_days,
    check_path,
    decide,
    destinations,
    places,
    refuse_unread,
    split_name,
    upload_id,
)
from shared.intake.scanner import Scanner, ScanPendingError
from shared.messages import encode, queues
from shared.messages.contracts import AccessRecorded, Actor, BlobUploaded, IncidentOpened
from shared.ports import (
    BlobInfo,
    Blobs,
    Bus,
    Clock,
    OutgoingMessage,
)
from shared.tenancy import Tenant, Tenants

# Where uploads are recorded that belong to no tenant of this stamp.
_NO_TENANT = "_unknown"
_INTAKE = Actor(id="vouchsafe.intake", role="system", organisation="vendor")

logger = logging.getLogger("vouchsafe.intake")


class Intake:
    """Takes uploads in: each becomes an asset of its tenant, or is quarantined."""

    def __init__(
        self,
        assets: Assets,
        blobs: Blobs,
        bus: Bus,
        tenants: Tenants,
        clock: Clock,
        region: str,
        scanner: Scanner,
    ) -> None:
        self._assets = assets
        self._blobs = blobs
        self._bus = bus
        self._tenants = tenants
        self._clock = clock
        self._region = region
        self._scanner = scanner

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
        message = encode(queues.INTAKE, uploaded, identifier=upload_id(uploaded), now=self._clock())
        await self._bus.send([message])

    async def take_in(self, uploaded: BlobUploaded) -> None:
        """Inspect one version of an uploaded blob and file it.

        One whose scan result is to come is left where it is. Raises RefusalError when that version
        is gone and was never filed.
        """
        identifier = upload_id(uploaded)
        folder, _ = split_name(uploaded.name)
        tenant = await self._tenants.find(folder)
        partition = key(tenant.id) if tenant else _NO_TENANT
        blob = await self._blobs.head(INCOMING, uploaded.name)
        if await self._assets.is_known(partition, identifier):
            await self._assets.flush(partition)
        elif blob is None or blob.etag != uploaded.etag:
            raise _gone()
        else:
            try:
                await self._file(blob, tenant, partition, identifier)
            except ScanPendingError:
                # The engine's result will be announced as the upload was.
                logger.info("asset %s: waiting for its scan result", identifier)
                return
            except BlobChangedError as error:
                # Another delivery of the same message may have been faster.
                if not await self._assets.is_known(partition, identifier):
                    raise _gone() from error
        await self._assets.tidy(partition, identifier, places(uploaded.name, tenant, identifier))
        await self._blobs.delete(INCOMING, uploaded.name, uploaded.etag)
        await self._scanner.forget(identifier)

    async def _file(
        self, blob: BlobInfo, tenant: Tenant | None, partition: str, identifier: str
    ) -> None:
        filing = refuse_unread(blob.name, blob.size, tenant, self._region)
        inspection = None
        if filing is None:
            inspection = await self._inspect(blob, identifier)
            filing = decide(inspection)
        container, name = await self._store(blob, filing, identifier)
        now = self._clock()
        asset = _asset(blob, filing, inspection, identifier, container, name, now)
        await self._assets.add(partition, asset, _messages(asset, tenant, now))
        logger.info("asset %s: %s %s", identifier, filing.verdict, filing.reason or "")

    async def _inspect(self, blob: BlobInfo, identifier: str) -> Inspection:
        from shared.intake.inspection import Pass

        secret = await self._assets.subject_secret()
        with Pass(await self._scanner.begin(identifier, blob), secret, blob.size) as inspecting:
            async with self._blobs.read(blob) as chunks:
                async for chunk in chunks:
                    await asyncio.to_thread(inspecting.feed, chunk)
            return await asyncio.to_thread(inspecting.finish)

    async def _store(self, blob: BlobInfo, filing: Filing, identifier: str) -> tuple[str, str]:
        container, names = destinations(filing, blob.name, identifier)
        for name in names:
            if await self._blobs.copy(blob, container, name, {"asset": identifier}):
                return container, name
        raise RuntimeError(f"no name is free for asset {identifier}")


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

    engine = inspection.engine
    return msgspec.structs.replace(
        asset,
        media_type=inspection.media_type,
        sha256=inspection.sha256,
        engine=engine.name,
        engine_version=engine.version,
        signature_version=engine.signatures,
        signatures_made_at=engine.signatures_made_at,
        signature_age_days=age_in_days(engine, now),
        signatures=tuple(inspection.signatures),
        people=tuple(inspection.people) if filing.verdict == "clean" else (),
        documents=tuple(inspection.documents),
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
