"""Intake: upload URLs for tenants, and the processing of uploads."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
import msgspec
from msgspec import Meta

from functions.edge.blob_reference import BlobReference
from functions.edge.bodies import RequestBody, View, read_json
from functions.edge.calls import Call, Reply
from functions.edge.deliveries import Delivery
from functions.edge.disclosures import Disclosed
from functions.edge.http import HttpRoutes
from functions.edge.problems import Problem, refused
from functions.edge.queues import consumer
from shared import composition
from shared.catalogue import INCOMING_CONTAINER, INTAKE_BULK_QUEUE, INTAKE_QUEUE
from shared.composition.intake import IntakeFlow
from shared.errors import RefusalError
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER, TENANT_ROLES
from shared.ids import numbered_ids
from shared.intake.permits import FileAsked, Permit, UploadState
from shared.messages.contracts import BlobUploaded

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, IntakeFlow)


# RFC 9110 section 8.3.1; the parameters of a media type are not checked.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = rf"^{_WORD}/{_WORD}[ \t]*(?:;[ -~]*)?$(?!\n)"


_MAX_FILES = 1000


class UploadRequest(RequestBody, frozen=True):
    """Ask for a URL to upload one file of `size` bytes to `path`, in the tenant's own folder."""

    path: Annotated[str, Meta(min_length=1, max_length=1024)]
    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    media_type: Annotated[str, Meta(max_length=255, pattern=_MEDIA_TYPE)]


class UploadsRequest(RequestBody, frozen=True):
    """Ask for the URLs of up to 1,000 files at once."""

    files: Annotated[tuple[UploadRequest, ...], Meta(min_length=1, max_length=_MAX_FILES)]


class _UnreadFiles(RequestBody, frozen=True):
    """An `UploadsRequest` whose files are read one by one, so that a bad file fails alone."""

    files: Annotated[tuple[msgspec.Raw, ...], Meta(min_length=1, max_length=_MAX_FILES)]


class UploadUrl(View, frozen=True):
    """The URL for the upload of a file, with the expiry; `blocks` allows an upload in blocks."""

    id: str
    path: str
    url: str
    expires_at: datetime
    blocks: bool


class FileAnswer(View, frozen=True):
    """The answer for one of several files: the URL for `status` 201, or else the problem."""

    status: int
    upload: UploadUrl | None = None
    problem: Problem | None = None


class UploadUrls(View, frozen=True):
    """The answers for several files, in the order of the request."""

    files: list[FileAnswer]


class UploadView(View, frozen=True):
    """The whereabouts of an upload.

    `permitted`: nothing came yet; `arrived`: the file waits for intake; `scanning`: the scan takes
    long; `filed`: the file is an asset; `refused`: the file is in quarantine, for the `reason`.
    `asset` is the id of the asset, once filed or refused.
    """

    id: str
    state: UploadState
    path: str
    expires_at: datetime | None = None
    asset: str | None = None
    reason: str | None = None


@http.endpoint(
    "POST",
    "tenants/{tenant}/uploads",
    discloses=Disclosed("upload.permitted"),
    roles={TENANT_ADMIN, TENANT_DAM_MANAGER},
    body=(UploadRequest, UploadsRequest),
    replies={201: UploadUrl, 207: UploadUrls},
    idempotent=True,
)
async def request_upload(call: Call[IntakeFlow]) -> Reply:
    """Get a URL for the upload of a file, by the real storage SDKs or a plain PUT.

    A body with `files` gets a URL, or a problem, for each of up to 1,000 files. Each URL is
    recorded.
    """
    request = call.read_either(UploadRequest, _UnreadFiles, "files")
    tenant = await call.flow.tenants.require(call.tenant)
    reserved = await call.reserve(f"uploads|{call.tenant}")
    single = isinstance(request, UploadRequest)
    files: list[UploadRequest | RefusalError]
    files = [request] if isinstance(request, UploadRequest) else [*map(_file, request.files)]
    identifiers = [reserved.id] if single else numbered_ids(reserved.id, len(files))
    asked = [
        FileAsked(one, file.path, file.size, file.media_type)
        for one, file in zip(identifiers, files, strict=True)
        if isinstance(file, UploadRequest)
    ]
    permits = iter(
        await call.flow.permits.permit(
            tenant, asked, call.caller.id, is_repeated=reserved.is_repeated
        )
    )
    answers = [file if isinstance(file, RefusalError) else next(permits) for file in files]
    urls = [one if isinstance(one, RefusalError) else _url(one) for one in answers]
    permitted = tuple(f"uploads/{url.id}" for url in urls if isinstance(url, UploadUrl))
    if not single:
        return Reply(207, UploadUrls(files=[_answer(url) for url in urls]), resource=permitted)
    [url] = urls
    if isinstance(url, RefusalError):
        raise url
    return Reply(201, url, resource=permitted)


@http.endpoint(
    "GET",
    "tenants/{tenant}/uploads/{upload}",
    discloses=Disclosed("upload.viewed", "uploads/{upload}"),
    roles=TENANT_ROLES,
    replies={200: UploadView},
)
async def read_upload(call: Call[IntakeFlow]) -> Reply:
    """Tell where an upload is, and the asset that the upload became."""
    found = await call.flow.permits.locate(call.tenant, call.param("upload"))
    asset = found.asset
    view = UploadView(
        id=found.id,
        state=found.state,
        path=found.path,
        expires_at=found.expires,
        asset=asset.id if asset else None,
        reason=asset.reason if asset else None,
    )
    return Reply(200, view)


def _file(raw: msgspec.Raw) -> UploadRequest | RefusalError:
    try:
        return read_json(bytes(raw), UploadRequest)
    except RefusalError as refusal:
        return refusal


def _url(permit: Permit) -> UploadUrl:
    return UploadUrl(
        id=permit.id,
        path=permit.path,
        url=permit.url,
        expires_at=permit.expires,
        blocks=permit.blocks,
    )


def _answer(url: UploadUrl | RefusalError) -> FileAnswer:
    if isinstance(url, RefusalError):
        return FileAnswer(status=url.status, problem=refused(url))
    return FileAnswer(status=201, upload=url)


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
        await composition.flow(IntakeFlow).queues.enqueue(blob.name)

    return noticed


@blueprint.timer_trigger("timer", schedule="0 */10 * * * *")
async def enqueue_overdue(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Queue, every ten minutes, the forgotten uploads in `incoming`."""
    await composition.flow(IntakeFlow).queues.enqueue_overdue()


@blueprint.timer_trigger("timer", schedule="0 20 * * * *")
async def remove_lapsed_uploads(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Remove, every hour, the records of uploads that never came in their time."""
    await composition.flow(IntakeFlow).permits.remove_lapsed()


@blueprint.service_bus_queue_trigger(
    "message", queue_name=INTAKE_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(IntakeFlow, INTAKE_QUEUE, BlobUploaded)
async def process_upload(delivery: Delivery[IntakeFlow, BlobUploaded]) -> None:
    """Inspect and file an upload, within the tenant's share of uploads."""
    await delivery.flow.queues.take(delivery.data, delivery.received.delivery_count)


@blueprint.service_bus_queue_trigger(
    "message",
    queue_name=INTAKE_BULK_QUEUE.name,
    connection="SERVICE_BUS",
    is_sessions_enabled=True,
)
@consumer(IntakeFlow, INTAKE_BULK_QUEUE, BlobUploaded)
async def process_bulk_upload(delivery: Delivery[IntakeFlow, BlobUploaded]) -> None:
    """Inspect and file an upload beyond the tenant's share, few of a tenant at a time."""
    received = delivery.received
    await delivery.flow.queues.take_bulk(delivery.data, received.session, received.delivery_count)
