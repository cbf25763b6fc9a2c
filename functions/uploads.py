"""Uploads: where to put them, and what becomes of them."""

import azure.functions as func

from functions.blob_reference import BlobReference
from functions.http import Call, Reply, endpoint
from functions.messages import Delivery, consumer
from functions.operations import PAGING
from functions.replies import AssetPage, AssetView, UploadUrl
from functions.requests import UploadRequest
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER, TENANT_ROLES
from shared.intake.rules import Asset
from shared.messages import queues
from shared.messages.contracts import BlobUploaded
from shared.tenancy.rules import check_active

blueprint = func.Blueprint()


@blueprint.route("tenants/{tenant}/uploads", methods=["POST"])
@endpoint(roles={TENANT_ADMIN, TENANT_DAM_MANAGER}, body=UploadRequest, replies={201: UploadUrl})
async def request_upload(call: Call) -> Reply:
    """A URL to which one file can be uploaded, with the real storage SDKs or a plain PUT."""
    path = call.read(UploadRequest).path
    check_active(await call.app.tenants.require(call.tenant))
    url, expires = await call.app.intake.upload_url(call.tenant, path)
    return Reply(201, UploadUrl(path=path, url=url, expires_at=expires))


@blueprint.blob_trigger("blob", path="incoming/{name}", connection="DAM_STORAGE")
async def upload_arrived(blob: BlobReference) -> None:
    """A blob has arrived in `incoming`: queue it for intake, without reading it."""
    from shared.composition import app

    await app().intake.announce(blob.name)


@blueprint.service_bus_queue_trigger("message", queue_name=queues.INTAKE, connection="SERVICE_BUS")
@consumer(queues.INTAKE, BlobUploaded)
async def take_in(delivery: Delivery[BlobUploaded]) -> None:
    """Inspect an upload and file it."""
    await delivery.app.intake.take_in(delivery.data)


@blueprint.route("tenants/{tenant}/assets", methods=["GET"])
@endpoint(roles=TENANT_ROLES, replies={200: AssetPage}, query=PAGING)
async def list_assets(call: Call) -> Reply:
    """The tenant's assets, oldest first, with their verdicts."""
    assets, continuation = await call.app.assets.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    return Reply(200, AssetPage(assets=[_view(a) for a in assets], continuation=continuation))


@blueprint.route("tenants/{tenant}/assets/{asset}", methods=["GET"])
@endpoint(roles=TENANT_ROLES, replies={200: AssetView})
async def read_asset(call: Call) -> Reply:
    """One asset."""
    return Reply(200, _view(await call.app.assets.find(call.tenant, call.param("asset"))))


def _view(asset: Asset) -> AssetView:
    """An asset as the portal sees it: the fields that name people, not their keys in the index."""
    shown = {name: getattr(asset, name) for name in AssetView.__struct_fields__}
    return AssetView(**shown | {"people": tuple(person.field for person in asset.people)})
