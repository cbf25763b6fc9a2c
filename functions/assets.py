"""Assets: a tenant lists and reads the assets."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from msgspec import Meta, Struct, convert
from msgspec.structs import replace

from functions.edge.bodies import View
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import Disclosed
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, parameters_of
from shared.assets.rules import Asset, AssetFilter, Difference, DocumentFound, Verdict
from shared.composition.assets import AssetsFlow
from shared.identity.rules import TENANT_ROLES
from shared.messages.contracts import AwareTime
from shared.subjects.notes import NOT_OPENED

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, AssetsFlow)


class AssetQuery(Struct, frozen=True, rename="camel"):
    """The filter of a list of assets; times are RFC 3339, the later time is excluded."""

    verdict: Verdict | None = None
    prefix: Annotated[str, Meta(max_length=1024)] = ""
    uploaded_from: AwareTime | None = None
    uploaded_before: AwareTime | None = None
    scanned_before: AwareTime | None = None
    metadata_note: Annotated[str, Meta(max_length=64, pattern="^[a-z-]*$")] | None = None


class ScanView(View, frozen=True):
    """The last verdict of one engine on an asset.

    `matches` are the names of the matching signatures; `refusal` is the reason of an engine that
    could not clear the file. `signature_age_days` is the age of the signatures at `scanned_at`.
    """

    engine: str
    scanned_at: datetime
    engine_version: str | None = None
    signature_version: str | None = None
    signatures_made_at: datetime | None = None
    signature_age_days: int | None = None
    matches: tuple[str, ...] = ()
    refusal: str | None = None


class AssetView(View, frozen=True):
    """An asset. `size` is in bytes; `people` are the metadata fields that name, or may name, a
    person.

    `scans` has the last verdict of each engine, and `scanned_at` is the time of the newest.
    `scan_failed_at` is the time of a later attempt to scan that failed.
    `version` counts the cleared uploads to the path. `upload`, `requested_by`, `declared_size` and
    `declared_type` come from the request for the upload URL; `differences` names the members in
    which the file differs.
    """

    id: str
    tenant: str
    path: str
    verdict: Verdict
    size: int
    uploaded_at: datetime
    filed_at: datetime
    container: str | None = None
    blob: str | None = None
    reason: str | None = None
    media_type: str | None = None
    sha256: str | None = None
    scans: tuple[ScanView, ...] = ()
    scanned_at: datetime | None = None
    scan_failed_at: datetime | None = None
    people: tuple[str, ...] = ()
    documents: tuple[DocumentFound, ...] = ()
    metadata_note: str | None = None
    content_notes: tuple[str, ...] = ()
    version: int | None = None
    upload: str | None = None
    requested_by: str | None = None
    declared_size: int | None = None
    declared_type: str | None = None
    differences: tuple[Difference, ...] = ()


class AssetPage(View, frozen=True):
    """A page of assets, and the token of the next page."""

    assets: list[AssetView]
    continuation: str | None


_CHOICE = parameters_of(
    AssetQuery,
    verdict="Only assets of this verdict.",
    prefix="Only assets whose path begins so.",
    uploaded_from="Only assets that were uploaded then (RFC 3339) or later.",
    uploaded_before="Only assets that were uploaded earlier (RFC 3339).",
    scanned_before="Only assets that were last scanned earlier (RFC 3339).",
    metadata_note="Only assets with this note on their metadata; `any` for any note in a record."
    " Records are tried anew for `metadata-not-opened`.",
)


@http.endpoint(
    "GET",
    "tenants/{tenant}/assets",
    discloses=Disclosed("assets.listed", "assets"),
    roles=TENANT_ROLES,
    replies={200: AssetPage},
    query=(*_CHOICE, *PAGING),
)
async def list_assets(call: Call[AssetsFlow]) -> Reply:
    """List the tenant's assets, oldest first, filtered by verdict, time or path prefix.

    Each page is recorded. A page may be short, or empty, and still have a next page.
    """
    query = call.query(AssetQuery)
    chosen = AssetFilter(
        query.verdict,
        query.prefix,
        query.uploaded_from,
        query.uploaded_before,
        query.scanned_before,
        # A record that cannot be opened is known by the attempt alone.
        None if query.metadata_note == NOT_OPENED else query.metadata_note,
    )
    assets, continuation = await call.flow.assets.page(
        call.tenant, size=call.page_size, continuation=call.continuation, chosen=chosen
    )
    if query.metadata_note == NOT_OPENED:
        sealed = await call.flow.search.not_opened(call.tenant, [one.id for one in assets])
        assets = [replace(one, metadata_note=NOT_OPENED) for one in assets if one.id in sealed]
    return Reply(200, AssetPage(assets=[_view(a) for a in assets], continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/assets/{asset}",
    discloses=Disclosed("asset.viewed", "assets/{asset}"),
    roles=TENANT_ROLES,
    replies={200: AssetView},
)
async def read_asset(call: Call[AssetsFlow]) -> Reply:
    """Read an asset; the reading is recorded."""
    asset = await call.flow.assets.find(call.tenant, call.param("asset"))
    return Reply(200, _view(asset))


def _view(asset: Asset) -> AssetView:
    """Show an asset to the portal."""
    shown = {name: getattr(asset, name) for name in AssetView.__struct_fields__}
    scans = tuple(convert(scan, ScanView, from_attributes=True) for scan in asset.scans)
    return AssetView(**shown | {"scans": scans, "metadata_note": asset.unread_note})
