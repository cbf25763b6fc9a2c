"""Uploads: where to put them, and what becomes of them."""

from typing import Any

import azure.functions as func

from functions.blob_reference import BlobReference
from functions.http import Call, Reply, endpoint
from functions.messages import Delivery, consumer
from functions.requests import UploadRequest
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER, TENANT_ROLES
from shared.intake.rules import Asset
from shared.messages import queues
from shared.messages.contracts import BlobUploaded
from shared.tenancy.rules import check_active

blueprint = func.Blueprint()


@blueprint.route("tenants/{tenant}/uploads", methods=["POST"])
@endpoint(roles={TENANT_ADMIN, TENANT_DAM_MANAGER})
async def request_upload(call: Call) -> Reply:
    """A URL to which one file can be uploaded, with the real storage SDKs or a plain PUT."""
    path = call.read(UploadRequest).path
    check_active(await call.app.tenants.require(call.tenant))
    url, expires = await call.app.intake.upload_url(call.tenant, path)
    return Reply(201, {"path": path, "url": url, "expiresAt": expires})


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
@endpoint(roles=TENANT_ROLES)
async def list_assets(call: Call) -> Reply:
    """The tenant's assets, oldest first, with their verdicts."""
    assets, continuation = await call.app.assets.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    return Reply(200, {"assets": [_view(a) for a in assets], "continuation": continuation})


@blueprint.route("tenants/{tenant}/assets/{asset}", methods=["GET"])
@endpoint(roles=TENANT_ROLES)
async def read_asset(call: Call) -> Reply:
    """One asset."""
    return Reply(200, _view(await call.app.assets.find(call.tenant, call.param("asset"))))


def _view(asset: Asset) -> dict[str, Any]:
    """An asset as the portal sees it: the fields that name people, not their keys in the index."""
    import msgspec

    view: dict[str, Any] = msgspec.to_builtins(asset)
    view["people"] = [person.field for person in asset.people]
    return view
