"""The record and the reports of a filed upload: pure."""

import hashlib
from datetime import datetime

import msgspec

from shared.accesslog import new_entry
from shared.assets.rules import Asset
from shared.blob_names import canonical_path, split_name
from shared.catalogue import NOTICES_QUEUE
from shared.ids import new_id
from shared.incidents import incident_message
from shared.intake.rules import Filing, Inspection, Upload, differences
from shared.messages import encode
from shared.messages.contracts import AccessRecorded, Actor, IncidentOpened, UploadInfected
from shared.messages.outbox_rows import Outgoing
from shared.ports import BlobInfo
from shared.scanning.engines import verdicts_of
from shared.subjects.companions import companion_key, companion_name
from shared.tenancy import Tenant

_INTAKE = Actor(id="vouchsafe.intake", role="system", organisation="vendor")


def asset_of(
    blob: BlobInfo,
    upload: Upload | None,
    filing: Filing,
    inspection: Inspection | None,
    identifier: str,
    place: tuple[str, str] | None,
    now: datetime,
) -> Asset:
    """Make the asset of a blob in `incoming`.

    `upload` is None for a blob that no permit names, and `inspection` for an unread blob. `place`
    is the container and the name of the copy, or None for bytes that are not kept.
    """
    container, name = place or (None, None)
    tenant, rest = split_name(blob.name)
    path = rest if upload is None else upload.path
    asset = Asset(
        id=identifier,
        tenant=tenant,
        path=path,
        canonical_path=canonical_path(path),
        companions=None if upload is None else _companions(canonical_path(path)),
        container=container,
        blob=name,
        verdict=filing.verdict,
        reason=filing.reason,
        size=blob.size,
        uploaded_at=blob.last_modified,
        filed_at=now,
        source_etag=blob.etag,
    )
    if upload is not None:
        asset = msgspec.structs.replace(
            asset,
            upload=upload.id,
            requested_by=upload.requested_by,
            declared_size=upload.size,
            declared_type=upload.media_type,
            differences=differences(
                upload.size,
                upload.media_type,
                blob.size,
                None if inspection is None else inspection.media_type,
            ),
        )
    if inspection is None:
        return asset
    return msgspec.structs.replace(
        asset,
        media_type=inspection.media_type,
        sha256=inspection.sha256,
        scans=verdicts_of(inspection.scans, now),
        scanned_at=now,
        people=tuple(inspection.people),
        documents=tuple(inspection.documents),
        metadata_note=inspection.metadata_note,
        content_notes=tuple(inspection.content_notes),
    )


def reports_of(asset: Asset, tenant: Tenant | None, now: datetime) -> list[Outgoing]:
    """Make the reports of a filed asset: log entry, incident, and notice to the tenant."""
    reports: list[Outgoing] = []
    logged: tuple[str, ...] = ()
    # A tenant of a different zone has no log in the region.
    if tenant is not None and asset.reason != "residency-zone-not-served":
        entry = AccessRecorded(
            tenant=tenant.id,
            actor=_INTAKE,
            action="asset.cleared" if asset.verdict == "clean" else "asset.quarantined",
            resource=f"assets/{asset.id}",
            outcome="allowed" if asset.verdict == "clean" else "denied",
            reason=asset.reason,
        )
        reports.append(new_entry(entry, new_id(now), now))
        logged = (reports[0].id,)
    if asset.verdict != "clean":
        done = "refused and not kept" if asset.blob is None else "quarantined"
        incident = IncidentOpened(
            kind=f"upload.{asset.verdict}",
            severity="critical" if asset.verdict == "infected" else "warning",
            summary=f"An upload was {done}: {asset.reason}.",
            resource=f"assets/{asset.id}",
            tenant=tenant.id if tenant else None,
            log_entries=logged,
        )
        reports.append(incident_message(incident, asset.id, now))
    if tenant is not None and asset.verdict == "infected":
        notice = UploadInfected(tenant=tenant.id, asset_id=asset.id, found_at=now)
        reports.append(encode(NOTICES_QUEUE.name, notice, identifier=new_id(now), now=now))
    return reports


def repeated_entry(upload: str, tenant: str) -> AccessRecorded:
    """Make the log entry for further bytes under the URL of an upload that is filed already."""
    return AccessRecorded(
        tenant=tenant,
        actor=_INTAKE,
        action="upload.repeated",
        resource=f"uploads/{upload}",
        outcome="denied",
    )


def repeated(upload: str, tenant: str) -> IncidentOpened:
    """Make the incident for further bytes under the URL of an upload that is filed already."""
    return IncidentOpened(
        kind="upload.repeated",
        severity="warning",
        summary="Other bytes came under the URL of a filed upload, and became no asset.",
        resource=f"uploads/{upload}",
        tenant=tenant,
    )


def _companions(path: str) -> str:
    """Return what the files of one shot share, without the path itself."""
    name = companion_name(path)
    return f"{_digest(companion_key(path))}.{'' if name is None else _digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
