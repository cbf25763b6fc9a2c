"""Failed messages: an operator lists, shows, replays and discards parked and dead-lettered ones."""

import base64
from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from msgspec import Meta, Struct, convert

from functions.edge.bodies import RequestBody, View
from functions.edge.calls import Call, Reply
from functions.edge.disclosures import NOTHING, RecordedByFlow
from functions.edge.http import HttpRoutes
from functions.edge.operations import PAGING, parameters_of
from shared import composition
from shared.composition.failed_messages import FailedMessagesFlow
from shared.failed_messages.masking import (
    masked_body,
    masked_content_type,
    masked_id,
    masked_properties,
    masked_text,
)
from shared.failed_messages.rules import FailedMessage, MessageFilter
from shared.failed_messages.service import MessageOutcome
from shared.identity.rules import VENDOR_DPO, VENDOR_IT_SUPERVISOR, VENDOR_OFFICER
from shared.messages.contracts import AwareTime, Identifier, Text

blueprint = func.Blueprint()
http = HttpRoutes(blueprint, FailedMessagesFlow)

_READING = {VENDOR_IT_SUPERVISOR, VENDOR_OFFICER, VENDOR_DPO}
_DISCLOSING = {VENDOR_IT_SUPERVISOR, VENDOR_DPO}
_ACTING = {VENDOR_IT_SUPERVISOR}
_RECORDED = RecordedByFlow(
    "the log of the tenant that the message names, or else the stamp's own record"
)


class FailedMessageQuery(Struct, frozen=True, rename="camel"):
    """The conditions of a list."""

    queue: Identifier | None = None
    reason: Identifier | None = None
    type: Identifier | None = None
    tenant: Identifier | None = None
    before: AwareTime | None = None
    after: AwareTime | None = None


_DESCRIPTIONS = {
    "queue": "The queue that the message was meant for.",
    "reason": "The code of the reason, such as `message-invalid` or `MaxDeliveryCountExceeded`.",
    "type": "The type of the event.",
    "tenant": "The tenant that the event names.",
    "before": "Failed before the time.",
    "after": "Failed at the time or later.",
}
_QUERY = (*parameters_of(FailedMessageQuery, **_DESCRIPTIONS), *PAGING)


class FailedMessageView(View, frozen=True):
    """A failed message, without any content.

    `parked` is True for a parked copy, and False for a dead letter of the queue itself. `number` is
    the queue's own: messages of a session are replayed in the order of the numbers. `type`,
    `tenant` and `eventId` are what the message says of itself; null for a message that cannot be
    read so far.
    """

    id: str
    queue: str
    number: int
    parked: bool
    reason: str
    failed_at: datetime
    type: str | None
    tenant: str | None
    event_id: str | None
    body_bytes: int
    deliveries: int


class FailedMessagePage(View, frozen=True):
    """A page of failed messages, and the token of the next page. A page may be short."""

    messages: list[FailedMessageView]
    continuation: str | None


class FailedMessageDetails(View, frozen=True):
    """A failed message with its structure; values that may be personal data are masked.

    `body` is null for a body that is no JSON, or a copy that was cut. `remedy` says how to go on.
    """

    message: FailedMessageView
    detail: str
    remedy: str
    message_id: str
    session: str | None
    content_type: str | None
    properties: dict[str, Any]
    body: Any


class Justification(RequestBody, frozen=True):
    """The reason for an act, for the record."""

    why: Text


class FailedMessageContent(View, frozen=True):
    """The whole body of a failed message: `text`, or `base64` for bytes that are no UTF-8."""

    message: FailedMessageView
    text: str | None
    base64: str | None
    properties: dict[str, str]


class FailedMessageChoice(RequestBody, frozen=True):
    """Messages by their ids, and the reason for the act, for the record."""

    messages: Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=100)]
    why: Text


class OutcomeView(View, frozen=True):
    """The outcome for one message: `replayed`, `discarded`, or why the message stays.

    `gone`: handled meanwhile. `busy`: somebody else holds the message, or too many messages stand
    before. `held-back`: an earlier message of the session is busy. `refused`: `code` and `detail`
    say why. `not-removed`: the act is done, and the message still stands; the same act again does
    no harm.
    """

    id: str
    outcome: str
    code: str | None
    detail: str | None


class Outcomes(View, frozen=True):
    """The outcome for each message of the request."""

    outcomes: list[OutcomeView]


@http.endpoint(
    "GET",
    "failed-messages",
    discloses=NOTHING,
    roles=_READING,
    replies={200: FailedMessagePage},
    query=_QUERY,
)
async def list_failed_messages(call: Call[FailedMessagesFlow]) -> Reply:
    """List parked and dead-lettered messages of every queue, without any content."""
    asked = call.query(FailedMessageQuery)
    wanted = MessageFilter(
        asked.queue, asked.reason, asked.type, asked.tenant, asked.before, asked.after
    )
    found, continuation = await call.flow.failed_messages.page(
        wanted, size=call.page_size, continuation=call.continuation
    )
    views = [_view(one) for one in found]
    return Reply(200, FailedMessagePage(messages=views, continuation=continuation))


@http.endpoint(
    "GET",
    "failed-messages/{message}",
    discloses=_RECORDED,
    roles=_READING,
    replies={200: FailedMessageDetails},
)
async def show_failed_message(call: Call[FailedMessagesFlow]) -> Reply:
    """Show a failed message with the reason; values that may be personal data are masked."""
    failed = await call.flow.failed_messages.show(call.param("message"), call.caller)
    return Reply(
        200,
        FailedMessageDetails(
            message=_view(failed),
            detail=masked_text(failed.of_parking("detail")),
            remedy=failed.of_parking("remedy"),
            message_id=masked_id(failed.of_parking("message-id") or failed.message.id),
            session=None if failed.session is None else masked_id(failed.session),
            content_type=masked_content_type(failed.message.content_type),
            properties=masked_properties(failed.own_properties),
            body=masked_body(failed.message.body),
        ),
    )


@http.endpoint(
    "POST",
    "failed-messages/{message}/disclosures",
    discloses=_RECORDED,
    roles=_DISCLOSING,
    body=Justification,
    replies={200: FailedMessageContent},
)
async def disclose_failed_message(call: Call[FailedMessagesFlow]) -> Reply:
    """Show the whole body of a failed message; the reason is recorded first."""
    why = call.read(Justification).why
    failed, body = await call.flow.failed_messages.disclose(call.param("message"), why, call.caller)
    text = _text_of(body)
    encoded = base64.b64encode(body).decode() if body is not None and text is None else None
    properties = {name: str(value) for name, value in failed.own_properties.items()}
    return Reply(
        200,
        FailedMessageContent(
            message=_view(failed), text=text, base64=encoded, properties=properties
        ),
    )


@http.endpoint(
    "POST",
    "failed-messages/replays",
    discloses=_RECORDED,
    roles=_ACTING,
    body=FailedMessageChoice,
    replies={200: Outcomes},
)
async def replay_failed_messages(call: Call[FailedMessagesFlow]) -> Reply:
    """Send messages to their queues again, after the cause is gone.

    The messages of a session go in the order in which the queue had the messages. The same request
    again does no harm.
    """
    asked = call.read(FailedMessageChoice)
    outcomes = await call.flow.failed_messages.replay(asked.messages, asked.why, call.caller)
    return Reply(200, Outcomes(outcomes=[_outcome(one) for one in outcomes]))


@http.endpoint(
    "POST",
    "failed-messages/discards",
    discloses=_RECORDED,
    roles=_ACTING,
    body=FailedMessageChoice,
    replies={200: Outcomes},
)
async def discard_failed_messages(call: Call[FailedMessagesFlow]) -> Reply:
    """Remove messages for good; the reason is recorded first."""
    asked = call.read(FailedMessageChoice)
    outcomes = await call.flow.failed_messages.discard(asked.messages, asked.why, call.caller)
    return Reply(200, Outcomes(outcomes=[_outcome(one) for one in outcomes]))


@blueprint.timer_trigger("timer", schedule="0 5/10 * * * *")
async def watch_failed_messages(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger's parameter
    """Open, every ten minutes, an incident for each queue and reason with failed messages."""
    await composition.flow(FailedMessagesFlow).watch.watch()


def _view(failed: FailedMessage) -> FailedMessageView:
    size = failed.of_parking("body-bytes")
    return FailedMessageView(
        id=failed.id,
        queue=failed.queue,
        number=failed.number,
        parked=failed.is_parked,
        reason=failed.reason,
        failed_at=failed.failed_at,
        type=failed.type,
        tenant=failed.tenant,
        event_id=failed.event_id,
        body_bytes=int(size) if size.isdecimal() else len(failed.message.body or b""),
        deliveries=failed.message.delivery_count,
    )


def _outcome(found: MessageOutcome) -> OutcomeView:
    return convert(found, OutcomeView, from_attributes=True)


def _text_of(body: bytes | None) -> str | None:
    try:
        return None if body is None else body.decode()
    except UnicodeDecodeError:
        return None
