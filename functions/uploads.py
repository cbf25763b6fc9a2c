"""Uploads: where to put them, and what becomes of them."""

import azure.functions as func

from functions.blob_reference import BlobReference
from functions.http import Call, Reply, endpoint
from functions.messages import Delivery, consumer
from functions.operations import PAGING, parameters_of
from functions.replies import AssetPage, AssetView, UploadUrl
from functions.requests import AssetQuery, UploadRequest
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER, TENANT_ROLES
from shared.intake.rules import Asset, Filter
from shared.messages import queues
from shared.messages.contracts import BlobUploaded

blueprint = func.Blueprint()

_CHOICE = parameters_of(
    AssetQuery,
    verdict="Only assets of this verdict.",
    prefix="Only assets whose path begins so.",
    uploaded_from="Only assets that were uploaded then (RFC 3339) or later.",
    uploaded_before="Only assets that were uploaded earlier (RFC 3339).",
)


@blueprint.route("tenants/{tenant}/uploads", methods=["POST"])
@endpoint(
    roles={TENANT_ADMIN, TENANT_DAM_MANAGER},
    body=UploadRequest,
    replies={201: UploadUrl},
    idempotent=True,
)
async def request_upload(call: Call) -> Reply:
    """A URL to which one file can be uploaded, with the real storage SDKs or a plain PUT.

    Each URL that is given out is recorded.
    """
    request = call.read(UploadRequest)
    tenant = await call.app.tenants.require(call.tenant)
    identifier = await call.identifier(f"uploads|{call.tenant}")
    permit = await call.app.intake.permit_upload(
        tenant, request.path, request.size, request.media_type, identifier
    )
    await call.record("upload.permitted", f"uploads/{identifier}")
    return Reply(
        201,
        UploadUrl(
            id=identifier,
            path=request.path,
            url=permit.url,
            expires_at=permit.expires,
            blocks=permit.blocks,
        ),
    )


def arrivals(source: str) -> func.Blueprint:
    """The blob trigger, which notices uploads by `source`: a name of `func.BlobSource`'s values."""
    noticed = func.Blueprint()

    @noticed.blob_trigger(
        "blob", path="incoming/{name}", connection="DAM_STORAGE", source=func.BlobSource(source)
    )
    async def upload_arrived(blob: BlobReference) -> None:
        """A blob has arrived in `incoming`: queue it for intake, without reading it."""
        from shared.composition import app

        await app().intake.announce(blob.name)

    return noticed


@blueprint.timer_trigger("timer", schedule="0 */10 * * * *")
async def announce_overdue(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Queue, every ten minutes, the uploads that lie in `incoming` and were forgotten."""
    from shared.composition import app

    await app().intake.announce_overdue()


@blueprint.service_bus_queue_trigger("message", queue_name=queues.INTAKE, connection="SERVICE_BUS")
@consumer(queues.INTAKE, BlobUploaded)
async def take_in(delivery: Delivery[BlobUploaded]) -> None:
    """Inspect an upload and file it."""
    await delivery.app.intake.take_in(delivery.data)


@blueprint.route("tenants/{tenant}/assets", methods=["GET"])
@endpoint(roles=TENANT_ROLES, replies={200: AssetPage}, query=(*_CHOICE, *PAGING))
async def list_assets(call: Call) -> Reply:
    """The tenant's assets, oldest first: all, or those of a verdict, time or path prefix.

    Each page is recorded.
    """
    query = call.query(AssetQuery)
    chosen = Filter(query.verdict, query.prefix, query.uploaded_from, query.uploaded_before)
    assets, continuation = await call.app.assets.page(
        call.tenant, size=call.page_size, continuation=call.continuation, chosen=chosen
    )
    await call.record("assets.listed", "assets")
    return Reply(200, AssetPage(assets=[_view(a) for a in assets], continuation=continuation))


@blueprint.route("tenants/{tenant}/assets/{asset}", methods=["GET"])
@endpoint(roles=TENANT_ROLES, replies={200: AssetView})
async def read_asset(call: Call) -> Reply:
    """One asset; recorded."""
    asset = await call.app.assets.find(call.tenant, call.param("asset"))
    await call.record("asset.viewed", f"assets/{asset.id}")
    return Reply(200, _view(asset))


def _view(asset: Asset) -> AssetView:
    """An asset as the portal sees it: the fields that name people, not their keys in the index."""
    shown = {name: getattr(asset, name) for name in AssetView.__struct_fields__}
    return AssetView(**shown | {"people": tuple(person.field for person in asset.people)})
