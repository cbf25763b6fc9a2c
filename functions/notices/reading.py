"""A tenant's notices: listed, read, acknowledged, and delivered again."""

import azure.functions as func
import msgspec

from functions.edge.calls import Call, Reply
from functions.edge.disclosures import Disclosed
from functions.edge.etags import etag_header
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, Parameter
from functions.notices.bodies import (
    NoticeAttemptView,
    NoticeDeliveryView,
    NoticePage,
    NoticeSummary,
    NoticeView,
    RedeliveryRequest,
)
from shared.composition.notices import NoticesFlow
from shared.identity.rules import TENANT_ADMIN, TENANT_DAM_MANAGER, TENANT_ROLES
from shared.notices.contact_rules import DEFAULT_ZONE, LANGUAGES
from shared.notices.records import event_of
from shared.notices.rules import NoticeDelivery, NoticeRecord

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, NoticesFlow)

_MANAGING = {TENANT_ADMIN, TENANT_DAM_MANAGER}
_LANGUAGE = (Parameter("language", f"One of {', '.join(LANGUAGES)}; English where left out."),)


@http.endpoint(
    "GET",
    "tenants/{tenant}/notices",
    discloses=Disclosed("notices.listed", "notices"),
    roles=TENANT_ROLES,
    replies={200: NoticePage},
    query=PAGING,
)
async def list_notices(call: Call[NoticesFlow]) -> Reply:
    """List the tenant's notices, by time."""
    found, continuation = await call.flow.notices.page(
        call.tenant, size=call.page_size, continuation=call.continuation
    )
    summaries = [_summary(record) for record in found]
    return Reply(200, NoticePage(notices=summaries, continuation=continuation))


@http.endpoint(
    "GET",
    "tenants/{tenant}/notices/{notice}",
    discloses=Disclosed("notice.viewed", "notices/{notice}"),
    roles=TENANT_ROLES,
    replies={200: NoticeView},
    query=_LANGUAGE,
)
async def read_notice(call: Call[NoticesFlow]) -> Reply:
    """Read a notice, with its text in a language, and the deliveries. Gives the ETag."""
    language = call.choice("language", LANGUAGES)
    record, etag = await call.flow.notices.find(call.tenant, call.param("notice"))
    return Reply(200, await _view(call, record, language), {"ETag": etag_header(etag)})


@http.endpoint(
    "PUT",
    "tenants/{tenant}/notices/{notice}/acknowledgement",
    discloses=Disclosed("notice.viewed", "notices/{notice}"),
    roles=_MANAGING,
    replies={200: NoticeSummary},
)
async def acknowledge_notice(call: Call[NoticesFlow]) -> Reply:
    """Acknowledge a notice; a second acknowledgement only shows the first."""
    record, etag, is_changed = await call.flow.notices.acknowledge(
        call.tenant, call.param("notice"), call.caller.actor(_MANAGING)
    )
    return Reply(200, _summary(record), {"ETag": etag_header(etag)}, is_logged=is_changed)


@http.endpoint(
    "POST",
    "tenants/{tenant}/notices/{notice}/deliveries",
    discloses=Disclosed("notice.viewed", "notices/{notice}"),
    roles=_MANAGING,
    body=RedeliveryRequest,
    replies={202: NoticeDeliveryView},
)
async def deliver_notice_again(call: Call[NoticesFlow]) -> Reply:
    """Deliver a notice to a contact once more, after the last delivery has ended.

    The way out of a delivery in doubt, and the replay of a webhook.
    """
    request = call.read(RedeliveryRequest)
    delivery = await call.flow.notices.deliver_again(
        call.tenant, call.param("notice"), request.contact, call.caller.actor(_MANAGING)
    )
    return Reply(202, _delivery(delivery), is_logged=True)


def _summary(record: NoticeRecord) -> NoticeSummary:
    event = event_of(record)
    return NoticeSummary(
        id=record.id,
        kind=record.kind,
        type=event.type,
        occurred_at=event.timestamp,
        received_at=record.received_at,
        is_drill=record.is_drill,
        acknowledged_by=record.acknowledged_by,
        acknowledged_at=record.acknowledged_at,
    )


async def _view(call: Call[NoticesFlow], record: NoticeRecord, language: str) -> NoticeView:
    letter = await call.flow.deliverer.letter(record, language, DEFAULT_ZONE)
    deliveries = await call.flow.notices.deliveries(call.tenant, record.id)
    return NoticeView(
        **msgspec.structs.asdict(_summary(record)),
        data=msgspec.json.decode(event_of(record).data),
        language=language,
        subject=letter.subject,
        text=letter.text,
        deliveries=[_delivery(one) for one in deliveries],
    )


def _delivery(delivery: NoticeDelivery) -> NoticeDeliveryView:
    return NoticeDeliveryView(
        contact=delivery.contact,
        channel=delivery.channel,
        state=delivery.state,
        asked=delivery.asked,
        attempts=[NoticeAttemptView(at=one.at, result=one.result) for one in delivery.attempts],
        due_at=delivery.due_at,
        ended_at=delivery.ended_at,
    )
