"""Intake: upload URLs for tenants, and the processing of uploads."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from msgspec import Meta

from functions.edge.blob_reference import BlobReference
from functions.edge.bodies import RequestBody, View
from functions.edge.calls import Call, Reply
from functions.edge.deliveries import Delivery
from functions.edge.disclosures import Disclosed
from functions.edge.http import HttpRoutes
from functions.edge.queues import consumer
from shared import composition
from shared.catalogue import INCOMING_CONTAINER, INTAKE_QUEUE
from shared.composition.intake import IntakeFlow
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER
from shared.messages.contracts import BlobUploaded

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, IntakeFlow)


# RFC 9110 section 8.3.1; the parameters of a media type are not checked.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = rf"^{_WORD}/{_WORD}[ \t]*(?:;[ -~]*)?$(?!\n)"


class UploadRequest(RequestBody, frozen=True):
    """Ask for a URL to upload one file of `size` bytes to `path`, in the tenant's own folder."""

    path: Annotated[str, Meta(min_length=1, max_length=1024)]
    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    media_type: Annotated[str, Meta(max_length=255, pattern=_MEDIA_TYPE)]


class UploadUrl(View, frozen=True):
    """The URL for the upload of a file, with the expiry; `blocks` allows an upload in blocks."""

    id: str
    path: str
    url: str
    expires_at: datetime
    blocks: bool


@http.endpoint(
    "POST",
    "tenants/{tenant}/uploads",
    discloses=Disclosed("upload.permitted"),
    roles={TENANT_ADMIN, TENANT_DAM_MANAGER},
    body=UploadRequest,
    replies={201: UploadUrl},
    idempotent=True,
)
async def request_upload(call: Call[IntakeFlow]) -> Reply:
    """Get a URL for the upload of a file, by the real storage SDKs or a plain PUT.

    Each URL is recorded.
    """
    request = call.read(UploadRequest)
    tenant = await call.flow.tenants.require(call.tenant)
    identifier = await call.identifier(f"uploads|{call.tenant}")
    permit = await call.flow.intake.permit_upload(
        tenant, request.path, request.size, request.media_type, identifier
    )
    return Reply(
        201,
        UploadUrl(
            id=identifier,
            path=request.path,
            url=permit.url,
            expires_at=permit.expires,
            blocks=permit.blocks,
        ),
        resource=f"uploads/{identifier}",
    )


def arrivals(source: str) -> func.Blueprint:
    """Make the blob trigger, which notices uploads by `source`: a name of `func.BlobSource`'s
    values.
    """
    noticed = func.Blueprint()

    @noticed.blob_trigger(
        "blob",
        path=f"{INCOMING_CONTAINER.name}/{{name}}",
        connection="DAM_STORAGE",
        source=func.BlobSource(source),
    )
    async def upload_arrived(blob: BlobReference) -> None:
        """Queue a new blob of `incoming` for intake, without reading the blob."""
        await composition.flow(IntakeFlow).intake.enqueue(blob.name)

    return noticed


@blueprint.timer_trigger("timer", schedule="0 */10 * * * *")
async def enqueue_overdue(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Queue, every ten minutes, the forgotten uploads in `incoming`."""
    await composition.flow(IntakeFlow).intake.enqueue_overdue()


@blueprint.service_bus_queue_trigger(
    "message", queue_name=INTAKE_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(IntakeFlow, INTAKE_QUEUE, BlobUploaded)
async def process_upload(delivery: Delivery[IntakeFlow, BlobUploaded]) -> None:
    """Inspect and file an upload."""
    await delivery.flow.intake.process_upload(delivery.data)
