"""Erasure requests: asked for, previewed, approved by a second person, carried out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import azure.functions as func
from msgspec import Meta, convert
from msgspec.structs import replace

from functions.edge.bodies import RequestBody, View
from functions.edge.calls import Call, Reply
from functions.edge.deliveries import Delivery
from functions.edge.disclosures import Disclosed
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, Parameter, Raw
from functions.edge.queues import consumer
from shared import composition
from shared.catalogue import (
    ERASURE_BATCHES_QUEUE,
    ERASURE_DISCOVERY_QUEUE,
    ERASURE_REQUESTS_QUEUE,
)
from shared.composition.erasures import ErasuresFlow
from shared.erasures.evidence import AssetEvidence
from shared.erasures.finds import (
    CertaintyDecision,
    FieldDecision,
    FindChoice,
    FindDecision,
    FindReason,
    SingleDecision,
)
from shared.erasures.ranges import DiscoveryProgress
from shared.erasures.rules import Counts, Erasure, ErasureDecision, ErasureStatus
from shared.erasures.service import Shown
from shared.errors import MalformedInputError
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER
from shared.messages.contracts import (
    Actor,
    ErasureApproved,
    ErasureBatchReady,
    ErasureDiscoveryReady,
)
from shared.rows import Stored
from shared.subjects.matching import CERTAINTIES, Certainty

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, ErasuresFlow)

# One transaction takes the finds of a request for decisions, with the request's own row.
_MAX_FINDS = 90


type Name = Annotated[str, Meta(min_length=1, max_length=10_000)]


class ErasureRequest(RequestBody, frozen=True):
    """Ask for the erasure of a data subject, by one `name` or by several `identifiers`.

    An identifier is a name, a former name, a nickname, an e-mail address or an id. `possible` asks
    for finds that are only possible, such as the surname alone.
    """

    name: Name | None = None
    identifiers: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=200)] | None = None
    possible: bool = False


class DecisionsRequest(RequestBody, frozen=True):
    """Decide on finds, by their ids, on whole metadata fields, and on whole certainties.

    A find's own decision counts first, then the decision on its fields, then on its certainty.
    """

    finds: Annotated[tuple[SingleDecision, ...], Meta(max_length=_MAX_FINDS)] = ()
    fields: Annotated[tuple[FieldDecision, ...], Meta(max_length=60)] = ()
    certainties: Annotated[tuple[CertaintyDecision, ...], Meta(max_length=3)] = ()


class ErasureView(Stored, frozen=True):
    """An erasure request.

    `counts` are the preview: the finds by certainty, and the assets and bytes that are included by
    the decisions. `not_looked_into` counts the assets whose metadata could not be read whole, by
    the note that `GET assets?metadataNote=` filters by. `progress` shows a running discovery.
    `choice` has the decisions that hold on whole fields and certainties, until the completion.
    """

    id: str
    tenant: str
    status: ErasureStatus
    requested_by: Actor
    requested_at: datetime
    possible: bool
    counts: Counts | None = None
    choice: FindChoice = FindChoice()
    assets: int | None = None
    bytes: int | None = None
    assets_read: int | None = None
    not_looked_into: dict[str, int] | None = None
    progress: DiscoveryProgress | None = None
    previewed_at: datetime | None = None
    decided_by: Actor | None = None
    decided_at: datetime | None = None
    approved_by: Actor | None = None
    approved_at: datetime | None = None
    completed_at: datetime | None = None


class MatchView(View, frozen=True):
    """A match: the identifier's place in the request, the field, how surely, and the text."""

    identifier: int
    field: str
    certainty: Certainty
    how: str
    text: str


class FoundAssetView(View, frozen=True):
    """An asset of a find, with the first matches; a companion may have none.

    `match_count` is the number of all matches, which `…/matches` lists. `metadata_note` says that
    metadata of the asset could not be read whole.
    """

    id: str
    path: str
    size: int
    matches: list[MatchView]
    match_count: int
    media_type: str | None = None
    metadata_note: str | None = None


class FindView(View, frozen=True):
    """A find: an asset with its companions, which are erased or left as one.

    `companion_of` is an erased asset whose companions, filed later, the assets are.
    """

    id: str
    certainty: Certainty
    decision: FindDecision
    assets: list[FoundAssetView]
    reason: FindReason | None = None
    companion_of: str | None = None


class MatchPage(View, frozen=True):
    """A page of the matches in an asset, their number in all, and the token of the next page."""

    matches: list[MatchView]
    match_count: int
    continuation: str | None


class FindPage(View, frozen=True):
    """A page of finds, and the token of the next page."""

    finds: list[FindView]
    continuation: str | None


class ErasurePage(View, frozen=True):
    """A page of erasure requests, and the token of the next page."""

    erasure_requests: list[ErasureView]
    continuation: str | None


class FoundAssets(View, frozen=True):
    """The ids of the assets that an erasure request includes."""

    assets: list[str]


# A browser guesses no other type (Fetch, section 3.5).
_AS_PICTURE = {"X-Content-Type-Options": "nosniff"}
_MANAGING = {TENANT_ADMIN, TENANT_DAM_MANAGER}


@http.endpoint(
    "POST",
    "tenants/{tenant}/erasure-requests",
    discloses=Disclosed("erasure.viewed"),
    roles=_MANAGING,
    body=ErasureRequest,
    replies={202: ErasureView},
    idempotent=True,
)
async def request_erasure(call: Call[ErasuresFlow]) -> Reply:
    """Ask for the erasure of every asset that names a person; discovery starts at once."""
    asked = call.read(ErasureRequest)
    # A reused key is told by the identifiers themselves.
    reserved = await call.reserve(f"erasure-requests|{call.tenant}", keeps_body=False)
    identifier = reserved.id
    decision = await call.flow.erasures.request(
        call.tenant,
        _identifiers(asked),
        call.caller.actor(_MANAGING),
        identifier,
        possible=asked.possible,
    )
    location = f"/api/tenants/{call.tenant}/erasure-requests/{identifier}"
    return _decided(decision, 202, {"Location": location})


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests",
    discloses=Disclosed("erasures.listed", "erasure-requests"),
    roles=_MANAGING,
    replies={200: ErasurePage},
    query=PAGING,
)
async def list_erasures(call: Call[ErasuresFlow]) -> Reply:
    """The tenant's erasure requests, oldest first; recorded."""
    requests, continuation = await call.flow.erasures.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    views = [_view(state) for state in requests]
    return Reply(200, ErasurePage(erasure_requests=views, continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests/{request}",
    discloses=Disclosed("erasure.viewed", "erasure-requests/{request}"),
    roles=_MANAGING,
    replies={200: ErasureView},
)
async def read_erasure(call: Call[ErasuresFlow]) -> Reply:
    """Read a request: the status and, after discovery, the preview; the reading is recorded.

    Gives the ETag.
    """
    state, etag = await call.flow.erasures.find(call.tenant, call.param("request"))
    progress = await call.flow.erasures.progress(state)
    return Reply(200, _view(state, progress), {"ETag": etag_header(etag)})


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests/{request}/finds",
    discloses=Disclosed("erasure.finds-listed", "erasure-requests/{request}"),
    roles=_MANAGING,
    replies={200: FindPage},
    query=(
        Parameter("certainty", "Only finds of this certainty; `named` where left out.", Certainty),
        *PAGING,
    ),
)
async def list_finds(call: Call[ErasuresFlow]) -> Reply:
    """List the finds of a certainty, with the texts that matched; each page is recorded."""
    certainty = call.choice("certainty", CERTAINTIES)
    finds, continuation = await call.flow.erasures.finds(
        call.tenant,
        call.param("request"),
        certainty,
        size=call.page_size,
        continuation=call.continuation,
    )
    views = [_find_view(find) for find in finds]
    return Reply(200, FindPage(finds=views, continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests/{request}/finds/{find}/assets/{asset}/matches",
    discloses=Disclosed("erasure.finds-listed", "erasure-requests/{request}"),
    roles=_MANAGING,
    replies={200: MatchPage},
    query=PAGING,
)
async def list_matches(call: Call[ErasuresFlow]) -> Reply:
    """List every match in an asset of a find, the surest first; each page is recorded."""
    evidence, continuation = await call.flow.evidence.matches(
        call.tenant,
        call.param("request"),
        call.param("find"),
        call.param("asset"),
        size=call.page_size,
        continuation=call.continuation,
    )
    page = MatchPage(
        matches=_match_views(evidence), match_count=evidence.count, continuation=continuation
    )
    return Reply(200, page)


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests/{request}/finds/{find}/assets/{asset}/thumbnail",
    discloses=Disclosed("asset.thumbnail-viewed", "assets/{asset}"),
    roles=_MANAGING,
    replies={200: Raw(("image/jpeg",))},
)
async def show_thumbnail(call: Call[ErasuresFlow]) -> Reply:
    """Show a picture of a find in small, at most 256 pixels a side; recorded for the asset.

    The picture is rendered anew each time, without any metadata, and kept nowhere. Of an animation
    and of several pages the first is shown.
    """
    jpeg = await call.flow.thumbnails.show(
        call.tenant, call.param("request"), call.param("find"), call.param("asset")
    )
    return Reply(200, headers=_AS_PICTURE, content=jpeg, content_type="image/jpeg")


@http.endpoint(
    "POST",
    "tenants/{tenant}/erasure-requests/{request}/decisions",
    discloses=Disclosed("erasure.viewed", "erasure-requests/{request}"),
    roles=_MANAGING,
    body=DecisionsRequest,
    replies={200: ErasureView},
    conditional=True,
)
async def decide_on_finds(call: Call[ErasuresFlow]) -> Reply:
    """Include finds or leave finds out, by id, by field or by certainty (If-Match).

    `named` is included until somebody decides otherwise, and nothing else is. Gives the new ETag,
    which an approval needs.
    """
    asked = call.read(DecisionsRequest)
    if not (asked.finds or asked.fields or asked.certainties):
        raise MalformedInputError(
            "body-invalid",
            "The body decides on nothing.",
            "Send `finds`, `fields` or `certainties` with the decisions.",
        )
    state, etag = await call.flow.erasures.find(call.tenant, call.param("request"))
    call.require_match(etag)
    decision = await call.flow.erasures.decide(
        call.tenant,
        state.id,
        call.caller.actor(_MANAGING),
        etag,
        finds=asked.finds,
        fields=asked.fields,
        certainties=asked.certainties,
    )
    _, after = await call.flow.erasures.find(call.tenant, state.id)
    return _decided(decision, 200, {"ETag": etag_header(after)})


@http.endpoint(
    "GET",
    "tenants/{tenant}/erasure-requests/{request}/assets",
    discloses=Disclosed("erasure.assets-listed", "erasure-requests/{request}"),
    roles=_MANAGING,
    replies={200: FoundAssets},
)
async def list_found_assets(call: Call[ErasuresFlow]) -> Reply:
    """List the ids of the assets that the request includes and, once approved, erases; recorded."""
    request = call.param("request")
    found = [asset async for asset in call.flow.erasures.included(call.tenant, request)]
    return Reply(200, FoundAssets(assets=found))


@http.endpoint(
    "PUT",
    "tenants/{tenant}/erasure-requests/{request}/approval",
    discloses=Disclosed("erasure.viewed", "erasure-requests/{request}"),
    roles={TENANT_DAM_MANAGER},
    replies={200: ErasureView},
    conditional=True,
)
async def approve_erasure(call: Call[ErasuresFlow]) -> Reply:
    """Approve the preview that was seen (If-Match); the approver is not the requester.

    `*` is refused: an approval is of a preview that somebody has seen.
    """
    state, etag = await call.flow.erasures.find(call.tenant, call.param("request"))
    call.require_match(etag)
    actor = call.caller.actor({TENANT_DAM_MANAGER})
    decision = await call.flow.erasures.approve(call.tenant, state.id, actor, etag)
    return _decided(decision, 200, {})


def _decided(decision: ErasureDecision, status: int, headers: Mapping[str, str]) -> Reply:
    """Show the request after a command. A command without a change only shows the request."""
    return Reply(
        status,
        _view(decision.state),
        headers,
        is_logged=decision.entry is not None,
        resource=f"erasure-requests/{decision.state.id}",
    )


@blueprint.service_bus_queue_trigger(
    "message",
    queue_name=ERASURE_REQUESTS_QUEUE.name,
    connection="SERVICE_BUS",
    is_sessions_enabled=True,
)
@consumer(ErasuresFlow, ERASURE_REQUESTS_QUEUE, ErasureApproved)
async def start_erasure(delivery: Delivery[ErasuresFlow, ErasureApproved]) -> None:
    """Start the batches of an approved request."""
    data = delivery.data
    delivery.require_session(data.tenant)
    await delivery.flow.erasures.start(data.tenant, data.request_id)


@blueprint.service_bus_queue_trigger(
    "message", queue_name=ERASURE_DISCOVERY_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(ErasuresFlow, ERASURE_DISCOVERY_QUEUE, ErasureDiscoveryReady)
async def search_range(delivery: Delivery[ErasuresFlow, ErasureDiscoveryReady]) -> None:
    """Search one range of the tenant's assets for the data subject of a request."""
    data = delivery.data
    await delivery.flow.discovery.search(data.tenant, data.request_id, data.discovery, data.first)


@blueprint.timer_trigger("timer", schedule="0 */5 * * * *")
async def resume_erasures(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Go on, every five minutes, with requests that waited for uploads or lost a message."""
    await composition.flow(ErasuresFlow).erasures.resume()


@blueprint.service_bus_queue_trigger(
    "message", queue_name=ERASURE_BATCHES_QUEUE.name, connection="SERVICE_BUS"
)
@consumer(ErasuresFlow, ERASURE_BATCHES_QUEUE, ErasureBatchReady)
async def erase_batch(delivery: Delivery[ErasuresFlow, ErasureBatchReady]) -> None:
    """Erase the assets of a batch."""
    data = delivery.data
    await delivery.flow.erasures.erase_batch(data.tenant, data.request_id, data.batch)


def _identifiers(asked: ErasureRequest) -> tuple[str, ...]:
    given = asked.identifiers or ()
    if asked.name is not None:
        given = (asked.name, *given)
    if not given or (asked.name is not None and asked.identifiers is not None):
        raise MalformedInputError(
            "body-invalid",
            "The body has neither `name` nor `identifiers`, or has both.",
            "Send one of the two.",
        )
    return given


def _view(state: Erasure, progress: DiscoveryProgress | None = None) -> ErasureView:
    view = convert(state, ErasureView, from_attributes=True)
    if state.previewed_at is None:
        shown = {"counts": None, "assets_read": None, "not_looked_into": None}
        return replace(view, **shown, progress=progress)
    counts = state.counts
    return replace(view, assets=counts.assets, bytes=counts.bytes, progress=progress)


def _find_view(shown: Shown) -> FindView:
    return FindView(
        id=shown.find.id,
        certainty=shown.find.certainty,
        decision=shown.decision,
        reason=shown.reason,
        companion_of=shown.find.companion_of,
        assets=[_asset_view(one) for one in shown.evidence],
    )


def _asset_view(evidence: AssetEvidence) -> FoundAssetView:
    asset = evidence.asset
    return FoundAssetView(
        id=asset.id,
        path=asset.path,
        size=asset.size,
        media_type=asset.media_type,
        matches=_match_views(evidence),
        match_count=evidence.count,
        metadata_note=evidence.note or asset.metadata_note,
    )


def _match_views(evidence: AssetEvidence) -> list[MatchView]:
    return [
        MatchView(
            identifier=match.identifier,
            field=match.field,
            certainty=match.certainty,
            how=match.how,
            text=text,
        )
        for match, text in evidence.matches
    ]
