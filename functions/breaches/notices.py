"""A tenant's notices of breaches, and the draft for the persons concerned."""

import azure.functions as func

from functions.breaches.bodies import (
    BreachAssetPage,
    BreachNoticePage,
    BreachNoticeView,
    NoticeSummaryView,
    clock_views,
)
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import Disclosed
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, Parameter
from shared.breaches.communication import COMMUNICATION_LANGUAGES, Communication, communication
from shared.breaches.notices import TenantNotice
from shared.breaches.rules import tenant_clocks
from shared.composition.breaches import BreachesFlow
from shared.errors import InvalidInputError
from shared.identity.rules import (
    TENANT_ADMIN,
    VENDOR_DPO,
)

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, BreachesFlow)

_READING = {TENANT_ADMIN, VENDOR_DPO}


@http.endpoint(
    "GET",
    "tenants/{tenant}/breach-notices",
    discloses=Disclosed("breach-notices.listed", "breach-notices"),
    roles=_READING,
    replies={200: BreachNoticePage},
    query=PAGING,
)
async def list_breach_notices(call: Call[BreachesFlow]) -> Reply:
    """List the notices of breaches to the tenant, each with the tenant's clocks; recorded."""
    found, continuation = await call.flow.notifying.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    now = call.flow.clock()
    notices = [
        NoticeSummaryView(
            breach=one.breach,
            version=one.version,
            made_at=one.made_at,
            first_made_at=one.first_made_at,
            clocks=clock_views(tenant_clocks(one.first_made_at, now)),
        )
        for one in found
    ]
    return Reply(200, BreachNoticePage(notices=notices, continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/breach-notices/{breach}",
    discloses=Disclosed("breach-notice.viewed", "breach-notices/{breach}"),
    roles=_READING,
    replies={200: BreachNoticeView},
    query=(Parameter("version", "The version; the latest where it is left out."),),
)
async def read_breach_notice(call: Call[BreachesFlow]) -> Reply:
    """Read a notice of a breach, in the fields of the authorities' form; recorded."""
    notice = await _notice(call)
    view = BreachNoticeView(
        breach=notice.breach,
        version=notice.version,
        made_at=notice.made_at,
        first_made_at=notice.first_made_at,
        is_drill=notice.is_drill,
        form=notice.form,
        clocks=clock_views(tenant_clocks(notice.first_made_at, call.flow.clock())),
    )
    return Reply(200, view, {"ETag": etag_header(f"{notice.breach}-{notice.version}")})


@http.endpoint(
    "GET",
    "tenants/{tenant}/breach-notices/{breach}/assets",
    discloses=Disclosed("breach-notice.viewed", "breach-notices/{breach}"),
    roles=_READING,
    replies={200: BreachAssetPage},
    query=(Parameter("version", "The version; the latest where it is left out."), *PAGING),
)
async def list_breach_assets(call: Call[BreachesFlow]) -> Reply:
    """List the ids of every asset of a notice; recorded."""
    assets, continuation = await call.flow.notifying.assets(
        await _notice(call), size=call.page_size, continuation=call.continuation
    )
    return Reply(200, BreachAssetPage(assets=list(assets), continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/breach-notices/{breach}/communication",
    discloses=Disclosed("breach-notice.viewed", "breach-notices/{breach}"),
    roles=_READING,
    replies={200: Communication},
    query=(
        Parameter("version", "The version; the latest where it is left out."),
        Parameter("language", "`en`, `de`, `fr` or `nb`; English where it is left out."),
    ),
)
async def read_breach_communication(call: Call[BreachesFlow]) -> Reply:
    """Read a draft of the words to the data subjects (GDPR Art. 34), for the tenant to complete."""
    language = call.choice("language", COMMUNICATION_LANGUAGES)
    return Reply(200, communication((await _notice(call)).form, language))


async def _notice(call: Call[BreachesFlow]) -> TenantNotice:
    text = call.request.params.get("version")
    if text and not (text.isascii() and text.isdigit() and len(text) < 7 and int(text)):
        raise InvalidInputError(
            "version-invalid",
            "The version is not a whole number from 1 on.",
            "Pass the number of a version, or leave it out for the latest.",
        )
    is_vendor = call.caller.tenant is None
    return await call.flow.notifying.find(
        call.tenant,
        call.param("breach"),
        int(text) if text else None,
        with_drills=is_vendor,
    )
